"""The other side of `child.py`: makes one object, calls its methods, and ends with its parent."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import Any


def main() -> None:
    # This file's folder holds modules named like others'; the package itself must be found first.
    sys.path[0] = str(Path(__file__).parents[2])
    from workshop_helpers.core.errors import WorkshopError, first_line

    del sys.path[0]
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # native code prints where it likes
    made: Any = None
    calls: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=listen, args=(calls,), daemon=True).start()
    while True:
        name, arguments = json.loads(calls.get())
        values = None
        try:
            if made is None:
                module, _, maker = name.partition(":")
                found = importlib.import_module(f"workshop_helpers.{module}")
                made = getattr(found, maker)(**arguments)
                reply: dict[str, Any] = {"result": None}
            else:
                found = getattr(made, name)(**arguments)
                values = found if hasattr(found, "shape") else None
                reply = {"result": found} if values is None else {"shape": values.shape}
        except WorkshopError as error:
            reply = {"error": str(error)}
        except Exception as error:  # the other side makes a sentence of it
            traceback.print_exc()
            reply = {"error": first_line(error)}
        answers.write(json.dumps(reply).encode() + b"\n")
        if values is not None:
            answers.write(values.astype("float32").tobytes())
        answers.flush()


def listen(calls: SimpleQueue[bytes]) -> None:
    """Pass the calls on, and end this process when the one that started it has died, also in the
    middle of a call: our stdin is closed then.
    """
    for line in sys.stdin.buffer:
        calls.put(line)
    os._exit(0)  # no time for what native code does at its end


if __name__ == "__main__":
    main()

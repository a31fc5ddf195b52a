"""What ends native code ends a child process, and is told here in a sentence."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from workshop_helpers.core.child import Child
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.gguf.engine import LlamaEngine
from workshop_helpers.gguf.logits import NativeLogits
from workshop_helpers.runtimes.llama_cpp import LlamaCppRuntime

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def end_the_newest_child(how: signal.Signals) -> None:
    children = psutil.Process().children()
    max(children, key=psutil.Process.create_time).send_signal(how)


def stream(gguf: Path) -> None:
    hello = [{"role": "user", "content": "Hello"}]
    with LlamaCppRuntime(gguf) as runtime:
        reply = iter(runtime.reply(hello, max_new_tokens=None))
        next(reply)
        end_the_newest_child(signal.SIGABRT)
        # a short answer may be here already: then it is the next one that meets the end
        list(reply)
        list(runtime.reply(hello, max_new_tokens=None))


def ask(gguf: Path) -> None:
    with LlamaEngine(gguf) as engine:
        end_the_newest_child(signal.SIGABRT)
        engine.complete("Hello", max_new_tokens=4)


def read(gguf: Path) -> None:
    with NativeLogits(gguf, context=256) as logits:
        end_the_newest_child(signal.SIGABRT)
        logits.log_probabilities([1, 2, 3])


@pytest.mark.parametrize("work", [stream, ask, read])
def test_where_native_code_aborts_a_sentence_names_the_file(
    mame_gguf: Path, work: Callable[[Path], None]
) -> None:
    with pytest.raises(WorkshopError, match=r"broke off \(SIGABRT\) at .*mame-F16\.gguf"):
        work(mame_gguf)


def test_a_child_that_the_system_kills_speaks_of_memory(tmp_path: Path) -> None:
    with (
        Child("gguf.quantize:Quantizer", tmp_path / "m.gguf") as child,
        pytest.raises(WorkshopError, match=r"SIGKILL.*memory"),
    ):
        end_the_newest_child(signal.SIGKILL)
        child.call("run", source="", out="", type=0)


def test_a_closed_file_is_to_be_opened_again(mame_gguf: Path) -> None:
    with NativeLogits(mame_gguf, context=256) as logits:
        pass
    with pytest.raises(WorkshopError, match="open it again"):
        logits.log_probabilities([1, 2, 3])
    logits.close()

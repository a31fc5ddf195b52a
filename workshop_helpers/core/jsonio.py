"""JSON: the text of the values that results are made of, and files of it."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from .artifacts import atomic_file, json_text
from .errors import WorkshopError, first_line
from .wordings import Wording


def jsonable(value: Any) -> Any:
    """`value` as JSON can hold it: paths as text, dataclasses as objects, numpy scalars as numbers,
    NaN and infinity as null.
    """
    if isinstance(value, Wording):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(jsonable(item) for item in value)
    if isinstance(value, Path):
        return str(value)
    if not isinstance(value, str | int | float) and hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_json(obj: Any, *, indent: int | None = 1) -> str:
    """Readable JSON text of `obj`, as `jsonable` sees it: Japanese as Japanese."""
    return json_text(jsonable(obj), indent=indent)


def write_json(path: Path | str, obj: Any) -> None:
    """Write `obj` as UTF-8 JSON, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(to_json(obj) + "\n", encoding="utf-8", newline="\n")


def read_json(path: Path | str, kind: type = object) -> Any:
    """Read UTF-8 JSON; WorkshopError for a missing file, no JSON, or another `kind` (dict)."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WorkshopError(f"There is no file {path}.") from error
    except (OSError, ValueError, RecursionError) as error:  # the last: nested too deep
        raise WorkshopError(
            f"{path} cannot be read as JSON: {first_line(error)}. Make it again."
        ) from error
    if not isinstance(content, kind):
        raise WorkshopError(f"{path} should hold a JSON object.")
    return content

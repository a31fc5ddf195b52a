"""JSON text of the values that results are made of."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    """JSON-able form: paths as text, dataclasses as objects, numpy scalars as numbers, NaN and
    infinity as null.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if isinstance(value, Path):
        return str(value)
    if not isinstance(value, (str, int, float)) and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def to_json(obj: Any, *, indent: int | None = 1) -> str:
    """Readable JSON text of `obj`: Japanese as Japanese; dataclasses, paths and tuples are
    understood.
    """
    return json.dumps(plain(obj), ensure_ascii=False, indent=indent, allow_nan=False)

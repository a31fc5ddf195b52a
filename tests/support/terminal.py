"""What rich prints."""

from __future__ import annotations

from typing import Any

from rich.console import Console


def on_terminal(result: Any, width: int, **options: Any) -> str:
    """The text of `result` on a terminal, without colours unless `options` of Console say so."""
    console = Console(width=width, **{"color_system": None, **options})
    with console.capture() as captured:
        console.print(result)
    return captured.get()

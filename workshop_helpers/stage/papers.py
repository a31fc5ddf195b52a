"""What a live talk writes: its log, and a page with the present result for a browser beside the
slides. Both as well as the disk allows: a full one is said once, and the talk goes on.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from ..core.errors import Closing, first_line
from ..core.jsonio import to_json
from ..core.wordings import Wording, say
from ..display.colours import BLUE, ORANGE, VERMILLION
from ..display.html import page
from ..display.outputs import outputs_view
from .view import Event, View

LOG, PAGE, STAMP = "live.jsonl", "now.html", "now.js"
_COLOURS = {"rehearsed": ORANGE, "failed": VERMILLION}
_STYLE = (
    "main{max-width:70rem}body{font-size:1.35rem}pre{white-space:pre-wrap;overflow-wrap:anywhere}"
    "img{max-width:100%;background:#fff}.state{border-left:.5rem solid;padding:.3rem 1rem;"
    "font-weight:600}.rehearsed{background:#E69F00;color:#000}"
)
# The page asks for a small script beside it again and again, and reloads itself when that names
# another state: a page from the disk may read nothing else.
_REFRESH = """<script>
const shown = "%s";
setInterval(() => {
  const asked = document.createElement("script");
  asked.src = "now.js?" + Date.now();
  asked.onload = () => { asked.remove(); if (window.now !== shown) location.reload(); };
  asked.onerror = () => asked.remove();
  document.head.append(asked);
}, 700);
</script>"""


class Papers(Closing):
    """Writes in a thread of its own, so that a slow disk keeps nobody waiting; `notice` is told,
    once, if it cannot.
    """

    def __init__(self, folder: Path, language: str, notice: Callable[[Wording], None]) -> None:
        self.folder, self.language, self._notice = folder, language, notice
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._shown: Any = None
        self._count = 0
        self._told = False
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()
        self._work.put(lambda: (folder / LOG).unlink(missing_ok=True))

    def log(self, event: Event) -> None:
        """Add an event to the log."""
        line = to_json(event, indent=None) + "\n"

        def write() -> None:
            with open(self.folder / LOG, "a", encoding="utf-8", newline="\n") as file:
                file.write(line)

        self._work.put(write)

    def show(self, view: View) -> None:
        """Bring the page up to date, if what it shows has changed."""
        shown = (view.place, view.scene, view.state, view.overdue, view.outputs)
        if shown == self._shown:
            return
        self._shown = shown
        self._count += 1
        # Two talks after each other must not have the same number.
        stamp = f"{os.getpid()}-{self._count}"

        def write() -> None:
            _replace(self.folder / PAGE, now_page(view, self.language, stamp))
            _replace(self.folder / STAMP, f"window.now = {json.dumps(stamp)};\n")

        self._work.put(write)

    def close(self) -> None:
        self._work.put(None)
        self._thread.join(timeout=5)

    def _write(self) -> None:
        while (write := self._work.get()) is not None:
            try:
                write()
            # Whatever goes wrong here is no reason to stop a talk.
            except Exception as error:
                if not self._told:
                    self._told = True
                    values = {"folder": str(self.folder), "error": first_line(error)}
                    self._notice(Wording("stage.unwritten", values))


def now_page(view: View, language: str, stamp: str = "") -> str:
    """The page with the present result: HTML that needs no network."""
    section = f"{view.place + 1}/{len(view.sections)}  " + say(
        f"agenda.{view.sections[view.place].name}", language
    )
    if view.scene is None:
        return page(section, say("stage.no-scene", language), [_REFRESH % stamp], "", language)
    lead = f"{view.scene.notebook} [{view.scene.number}]"
    said = view.label.said(language) if view.label else say(f"stage.is-{view.state}", language)
    kind = "rehearsed" if view.label else view.state
    colour = _COLOURS.get(kind, BLUE)
    content = [f'<p class="state {kind}" style="border-color:{colour}">{escape(said)}</p>']
    if view.why is not None and view.label is None:
        content.append(f"<p>{escape(view.why.said(language))}</p>")
    if view.label and view.stale:
        content.append(f"<p>{escape(view.stale.said.said(language))}</p>")
    shown = outputs_view(view.outputs).html
    body = f"<section>{''.join(content)}{shown}</section>"
    footer = view.label.said(language) if view.label else ""
    code = f"<details><summary>{lead}</summary><pre>{escape(view.scene.source)}</pre></details>"
    return page(section, lead, [body, code, _REFRESH % stamp], footer, language, _STYLE)


def _replace(path: Path, text: str) -> None:
    """A browser that reads meanwhile gets the old file or the new one."""
    beside = path.with_name(f".{path.name}")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)

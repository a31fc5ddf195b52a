"""Does the talk fit its minutes? It is rehearsed and then given, by no one, on this machine.

    python -m benchmarks.stage [--model mame] [--languages en ja] [--quick]

In each language: a rehearsal from nothing, then all scenes one after the other as `workshop stage
live --unattended` gives them, in kernels of their own and without a word in between. What is left
of a section's minutes is for speaking. A scene that fails or takes too long is answered by the
rehearsal, and counted as such. Seconds are those of one run; what else runs on the machine counts.
With a running Ollama its scenes are measured with it, otherwise with what the notebook does
without. Writes results/stage.json.
"""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any

from benchmarks.common import Settings, parser, save, settings, table
from workshop_helpers.core.agenda import PLANNED, SECTIONS
from workshop_helpers.core.errors import WorkshopError

TITLE = {
    "en": "Does the talk fit its minutes?",
    "ja": "講演は時間内に収まるか",
}
QUICK = 1  # sections


def measure(asked: Settings, language: str) -> dict[str, Any]:
    """One language: the seconds of the rehearsal, and those of every section and scene live."""
    from workshop_helpers.stage.live import Live
    from workshop_helpers.stage.rehearse import rehearse
    from workshop_helpers.stage.store import stage_folder
    from workshop_helpers.stage.unattended import give

    sections = SECTIONS[:QUICK] if asked.quick else SECTIONS
    runs = asked.folder("stage")  # scripts/record_stage.py --runs can be given the same
    shutil.rmtree(stage_folder(asked.model, language, runs), ignore_errors=True)
    started = time.perf_counter()
    done = rehearse(
        asked.model,
        language,
        runs=runs,
        sections=sections,
        hear=lambda one: asked.say(f"{language}: rehearsed {one.notebook}, {one.seconds:.1f} s"),
    )
    rehearsed = time.perf_counter() - started
    if not done.complete:
        errors = [
            f"{one.notebook} [{one.failed}]: {one.error}" for one in done.notebooks if one.error
        ]
        raise WorkshopError(f"The rehearsal failed: {'; '.join(errors)}")
    started = time.perf_counter()
    live = Live.open(asked.model, language, runs=runs, sections=sections)
    try:
        given = give(
            live, lambda one: asked.say(f"{language}: {one.name} {one.state}, {one.seconds:.1f} s")
        )
    finally:
        live.close()
    return {
        "rehearsal_seconds": round(rehearsed, 1),
        "live_seconds": round(time.perf_counter() - started, 1),
        "sections": given.to_dict()["sections"],
    }


def ollama_version() -> str | None:
    """That of the server that the scenes find; None where there is none."""
    from workshop_helpers.runtimes.ollama.client import Ollama

    with Ollama() as server:
        try:
            return server.need()
        except WorkshopError:
            return None


def report(language: str, found: dict[str, Any]) -> None:
    """Sections with their scenes, on the terminal."""
    rows = []
    for section in found["sections"]:
        fits = "fits" if section["fits"] else "does NOT fit"
        rows.append(
            [section["name"], f"{section['seconds']:.1f}", f"of {section['minutes']:g} min", fits]
        )
        for scene in section["scenes"]:
            took = f"{scene['seconds']:.1f}"
            before = "–" if scene["rehearsed"] is None else f"{scene['rehearsed']:.1f}"
            rows.append([f"  {scene['name']}", took, f"{before} rehearsed", scene["state"]])
    table(f"{language}: the talk, seconds", ("section, scene", "live", "", ""), rows)


def main(arguments: list[str]) -> int:
    asked = settings("stage", parser(__doc__ or "").parse_args(arguments))
    figures: dict[str, Any] = {
        "title": TITLE,
        "planned_minutes": PLANNED,
        "ollama": ollama_version(),
        "languages": {},
    }
    for language in asked.languages:
        figures["languages"][language] = measure(asked, language)
        report(language, figures["languages"][language])
    save(asked, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

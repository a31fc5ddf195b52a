"""Draw what forgetting is measured on from the grammar of `mame`'s corpus.

    python scripts/draw_probe.py

Writes data/probe/questions.LANGUAGE.jsonl: held-out shops, values and phrasings, as a questions
file whose `topic` is the kind of question. Drawn once and kept in the repository, so that a
notebook needs no pretraining/.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pretraining.evaluate import draw_talks  # noqa: E402
from workshop_helpers.core.artifacts import atomic_file  # noqa: E402
from workshop_helpers.evaluation.forgetting import KINDS  # noqa: E402

PER_KIND = 100
OUT = ROOT / "data" / "probe"


def questions(language: str) -> list[dict]:
    """`PER_KIND` different questions of each kind."""
    rows = []
    for kind in KINDS:
        seen: set[tuple[str | None, str]] = set()
        for talk in draw_talks(kind, language, 3 * PER_KIND):
            turn = talk.turns[0]
            if len(seen) == PER_KIND or (talk.system, turn.question) in seen:
                continue
            seen.add((talk.system, turn.question))
            # Of a general answer any key is right; of a shop's fact every value must be stated.
            facts = [list(turn.keys)] if kind == "general_knowledge" else list(turn.keys)
            row = {"question": turn.question, "system": talk.system, "facts": facts}
            rows.append({**row, "language": language, "topic": kind})
    return [{k: v for k, v in row.items() if v} for row in rows]


def write(path: Path, rows: list[dict]) -> None:
    with atomic_file(path) as temporary:
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        temporary.write_text("".join(lines), encoding="utf-8", newline="\n")
    print(f"{path.relative_to(ROOT)}: {len(rows)} rows, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    for language in ("en", "ja"):
        write(OUT / f"questions.{language}.jsonl", questions(language))

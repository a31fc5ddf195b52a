"""Commands run in this process, and small files to run them on."""

from __future__ import annotations

import json
from pathlib import Path

from workshop_helpers.cli import main as cli


def run(capfd, *arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command, run in this process (its exit code is what `main`
    returns).
    """
    try:
        code = cli.main([str(argument) for argument in arguments])
    except SystemExit as leaving:  # argparse
        code = int(leaving.code or 0)
    out, err = capfd.readouterr()
    return code, out, err


def write_rows(path: Path, count: int = 8) -> Path:
    rows = [
        {
            "instruction": f"How much is item {name}?",
            "input": "",
            "output": f"Item {name} costs ${5 + place}.99.",
        }
        for place, name in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:count])
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_questions(path: Path) -> Path:
    questions = [
        {"question": "What does item A cost?", "facts": ["$5.99"], "language": "en"},
        {"question": "商品Aはいくらですか？", "facts": ["$5.99"], "language": "ja"},
    ]
    path.write_text(
        "".join(json.dumps(q, ensure_ascii=False) + "\n" for q in questions), encoding="utf-8"
    )
    return path

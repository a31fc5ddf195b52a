"""The READMEs show what results/ holds, and name only what there is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import readme_figures

from workshop_helpers.cli.main import build_parser

ROOT = Path(__file__).resolve().parents[1]
README = ["README.md", "README.ja.md"]


def test_figures_are_those_of_the_results():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "readme_figures.py", "--check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", README)
def test_commands_in_the_readme_parse(name):
    text = (ROOT / name).read_text(encoding="utf-8").replace(".venv\\Scripts\\", "")
    commands = [line.split("  #")[0] for line in text.splitlines() if line.startswith("workshop ")]
    assert len(commands) >= 6
    parser = build_parser()
    for command in commands:
        # Quoted questions are one argument.
        parts = [part.strip('"') for part in re.findall(r'"[^"]*"|\S+', command)][1:]
        assert parser.parse_args(parts)


@pytest.mark.parametrize("name", README)
def test_make_targets_and_files_in_the_readme_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    named = set(re.findall(r"make ([a-z][a-z-]*)", text.split("## Licence")[0]))
    assert named - targets <= {"alone"}
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


def test_a_row_that_falls_short_is_shown_short():
    data = {
        "targets": {"facts_in_prompt": {"en": 0.95, "ja": 0.9}},
        "rows": {"facts_in_prompt": {"en": 0.9499, "ja": 0.93}},
    }
    line = readme_figures.mame(data, "en").splitlines()[-1]
    assert "94.9 % (target 95%, **short of it**)" in line
    assert "93.0 % (target 90%)" in line


def test_figures_replace_what_stood_between_the_markers(tmp_path):
    (tmp_path / "speed.json").write_text(
        json.dumps(
            {"title": {"en": "Speed"}, "batch": {"ratio": 4.25, "of": [1, 2]}, "machine": None}
        ),
        encoding="utf-8",
    )
    text = f"before\n{readme_figures.BEGIN}\nold 1.5\n{readme_figures.END}\nafter"
    filled = readme_figures.filled(text, [tmp_path / "speed.json"], "en")
    assert filled.startswith("before\n")
    assert filled.endswith("\nafter")
    assert "old" not in filled
    assert "| batch · ratio | 4.25 |" in filled
    assert readme_figures.filled(filled, [tmp_path / "speed.json"], "en") == filled
    with pytest.raises(ValueError, match="exactly once"):
        readme_figures.filled("no markers", [], "en")


def test_a_missed_speed_of_the_data_check_is_marked():
    reading = {"rows": 10, "seconds": 1.0, "rows_per_second": 400_000, "peak_bytes": 5e7}
    slow = {**reading, "rows_per_second": 40_000}
    quick = {"rows_per_second_at_least": 50_000, "peak_bytes_at_most": 5e8}
    figures = {
        "targets": {"quick_check": quick, "full_check": {"seconds_at_most": 60}},
        "quick_check": {"loop": reading, "check": slow},
        "full_check": {"loop": reading, "check": reading},
    }
    text = readme_figures.data_check(figures, "en")
    assert "40,000 **missed**" in text
    assert text.count("missed") == 1


def test_a_missed_share_of_equal_answers_is_marked():
    pair = {"equal": 0.98, "equal_or_level": 1.0, "target": 0.99}
    met = {**pair, "target": 0.95}
    found = {"questions": 60, "ollama": "0.9.3", "models": {"base": {"a = b": pair, "b = c": met}}}
    assert readme_figures.runtimes(found, "en").count("missed") == 1

"""The pages with results show what results/ holds, and the READMEs name only what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import readme_figures

from workshop_helpers.cli.main import build_parser
from workshop_helpers.core.agenda import SECTIONS

ROOT = Path(__file__).resolve().parents[1]
EN = readme_figures.words("en")
every_readme = pytest.mark.parametrize("name", ["README.md", "README.ja.md"])


def test_figures_and_pictures_are_those_of_the_results():
    script = ROOT / "scripts" / "readme_figures.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@every_readme
def test_it_is_read_in_three_minutes(name):
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= 140


@every_readme
def test_commands_in_the_readme_parse(name):
    text = (ROOT / name).read_text(encoding="utf-8").replace(".venv\\Scripts\\", "")
    commands = [line.split("  #")[0] for line in text.splitlines() if line.startswith("workshop ")]
    assert len(commands) >= 6
    parser = build_parser()
    for command in commands:
        # Quoted questions are one argument.
        parts = [part.strip('"') for part in re.findall(r'"[^"]*"|\S+', command)][1:]
        assert parser.parse_args(parts)


@pytest.mark.parametrize("name", ["README.md", "README.ja.md", "CONTRIBUTING.md"])
def test_make_targets_and_files_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"`make ([a-z][a-z-]*)", text)) <= targets
    assert set(re.findall(r"^make ([a-z][a-z-]*)", text, re.MULTILINE)) <= targets
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


@every_readme
def test_every_notebook_of_the_course_stands_in_its_agenda(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    sources = {path.stem for path in (ROOT / "notebooks" / "src").glob("[0-9]*.py")}
    assert set(re.findall(r"`(\d\d_\w+)`", text)) == sources
    assert sum(map(int, re.findall(r"^\| (\d+) \|", text, re.MULTILINE))) == 45  # without questions


@every_readme
def test_the_agenda_names_the_slides_of_each_section(name):
    language = "ja" if ".ja." in name else "en"
    deck = (ROOT / "slides" / f"talk.{language}.md").read_text(encoding="utf-8")
    starts = [
        (place, found[1])
        for place, slide in enumerate(deck.split("\n---\n")[1:], 1)
        if (found := re.search(r"_class: section ([\w-]+)", slide))
    ]
    last = len(deck.split("\n---\n")) - 1
    ends = [place - 1 for place, _ in starts[1:]] + [last]
    wanted = [f"{start}–{end}" for (start, _), end in zip(starts, ends, strict=True)]
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.findall(r"(?m)^\| \+?\d+ \|[^|]+\| ([\d–]+) \|", text) == wanted
    assert [section for _, section in starts] == [section.name for section in SECTIONS]


@every_readme
def test_badges_open_the_course_at_the_address_of_the_project(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (place,) = re.findall(r'(?m)^Repository = "https://github\.com/([^"]+)"$', project)
    ((colab, notebook),) = re.findall(r"colab[\w.]+/github/([^)]+?)/blob/main/([^)]+)\)", text)
    ((binder, folder),) = re.findall(r"mybinder\.org/v2/gh/([^)]+?)/main\?\S+tree/([^)]+)\)", text)
    assert colab == binder == place
    assert (ROOT / notebook).is_file() and (ROOT / folder).is_dir()


@pytest.mark.parametrize("path", sorted(ROOT.glob("findings/*.sh")), ids=lambda path: path.stem)
def test_a_finding_has_the_form_that_contributing_describes(path):
    text = path.read_text(encoding="utf-8")
    for part in (
        "guess: ",
        "What happens: ",
        "Who is hurt: ",
        "Seen with: ",
        "\nset -euo pipefail\n",
    ):
        assert part in text
    ((_, packages),) = re.findall(r"pip (install --quiet) ((?:.*\\\n)*.*)", text)
    assert all("==" in one for one in packages.replace("\\\n", "").split())
    assert "workshop_helpers" not in text and "://" not in text
    assert path.stat().st_mode & 0o111


def test_a_row_that_falls_short_is_shown_short():
    data = {
        "targets": {"facts_in_prompt": {"en": 0.95, "ja": 0.9}},
        "rows": {"facts_in_prompt": {"en": 0.9499, "ja": 0.93}},
    }
    (shown,) = readme_figures.mame(data, EN)
    assert "94.9 % (target 95%, **short of it**) | 93.0 % (target 90%)" in shown


def test_figures_replace_what_stood_between_the_markers():
    text = f"before\n{readme_figures.BEGIN}\nold 1.5\n{readme_figures.END}\nafter"
    filled = readme_figures.filled(text, "new 4.25")
    assert filled == text.replace("\nold 1.5\n", "\n\nnew 4.25\n\n")
    assert readme_figures.filled(filled, "new 4.25") == filled
    with pytest.raises(ValueError, match="exactly once"):
        readme_figures.filled("no markers", "")


def test_every_wording_is_used_and_fits_both_languages():
    source = Path(readme_figures.__file__).read_text(encoding="utf-8")
    labels = [*ROOT.glob("results/*.json"), ROOT / "benchmarks" / "learning.py"]
    labels.append(ROOT / "pretraining" / "evaluate.py")
    results = "".join(path.read_text(encoding="utf-8") for path in labels)
    for key, texts in readme_figures.texts().items():
        assert set(texts) == {"en", "ja"}
        assert texts["en"].count("{}") == texts["ja"].count("{}")
        known = re.search(f"['\"]{re.escape(key)}['\"]", source) or f'"{key}"' in results
        assert known or re.match(
            "(startup|lora|against_trl|picture|real|typed|verdict|verifying)_", key
        ), key


def test_a_missed_speed_of_the_data_check_is_marked():
    reading = {"rows": 10, "seconds": 1.0, "rows_per_second": 400_000, "peak_bytes": 5e7}
    slow = {**reading, "rows_per_second": 40_000}
    quick = {"rows_per_second_at_least": 50_000, "peak_bytes_at_most": 5e8}
    figures = {
        "targets": {"quick_check": quick, "full_check": {"seconds_at_most": 60}},
        "quick_check": {"loop": reading, "check": slow},
        "full_check": {"loop": reading, "check": reading},
        "false_alarms": {
            "targets": {"warnings_per_hundred_rows_at_most": 1},
            "sets": {
                "code": {"rows": 300, "errors": 0, "warnings": 3, "notes": 9},
                "stories": {"rows": 300, "errors": 0, "warnings": 4, "notes": 0},
            },
        },
    }
    shown, _, alarms = readme_figures.data_check(figures, EN)
    assert "40,000 **missed**" in shown
    assert shown.count("missed") == 1
    assert re.findall(r"\| (\w+)[^|]*missed", alarms) == ["stories"]


def test_a_missed_share_of_equal_answers_is_marked():
    pair = {"equal": 0.98, "equal_or_level": 1.0, "target": 0.99}
    met = {**pair, "target": 0.95}
    found = {"questions": 60, "ollama": "0.9.3", "models": {"base": {"a = b": pair, "b = c": met}}}
    assert "".join(readme_figures.runtimes(found, EN)).count("missed") == 1


def test_a_section_that_does_not_fit_and_a_scene_that_was_not_live_are_marked():
    scenes = [
        {"name": "row", "state": "live", "seconds": 0.25, "rehearsed": 0.2},
        {"name": "train-100", "state": "rehearsed", "seconds": 600.0, "rehearsed": 14.0},
    ]
    practice = {"name": "practice", "minutes": 10, "seconds": 600.25, "scenes": scenes}
    summary = {"name": "summary", "minutes": 5, "seconds": 0, "scenes": [], "fits": True}
    sections = [{**practice, "fits": False}, summary]
    data = {
        "ollama": None,
        "languages": {"en": {"rehearsal_seconds": 150, "sections": sections}},
    }
    about, shown, ollama = readme_figures.stage(data, EN)
    assert "took 2.5 minutes" in about and ollama.startswith("Without Ollama")
    row = ("Fine-tuning in practice", "10", "1 of 2, **missed**", "600, **missed**")
    assert shown.splitlines()[2:] == [f"| {' | '.join(row)} | 600.0 (train-100) |"]

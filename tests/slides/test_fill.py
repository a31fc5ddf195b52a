"""What a slide says was measured: an unknown, missing or stale figure stops the build."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from slides.fill import ROOT, fill
from workshop_helpers.core.cards import file_hash
from workshop_helpers.core.errors import WorkshopError

RESULTS = {
    "made": "2026-11-21T20:45:55Z",
    "quick": False,
    "model": {"name": "mame", "files": {}},
    "machine": {"cpu": "Bean 3000", "cores": 2, "memory_gb": 25.3, "os": "Linux x86_64"},
    "share": 0.9496,
    "bytes": 11717568,
    "time": {"median": 1.375, "min": 1.102, "max": 1.549, "runs": 3},
    "steady": {"median": 0.5, "min": 0.5, "max": 0.5, "runs": 1},
    "pairs": {"llama.cpp = ollama": 0.99},
    "of": {"en": 1, "ja": 2},
    "bits": 8,
    "never": None,
    "runs": [
        {"rows": 100, "rate": 0.003, "seed": 0, "recall": 0.9},
        {"rows": 100, "rate": 0.003, "seed": 1, "recall": 0.8},
        {"rows": 100, "rate": 0.003, "seed": 2, "recall": 1.0},
        {"rows": 10, "rate": 0.003, "seed": 0, "recall": 0.1},
    ],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one result, measured with the mame that it holds."""
    mame = tmp_path / "data" / "mame"
    mame.mkdir(parents=True)
    (mame / "model.safetensors").write_bytes(b"weights")
    measured = json.loads(json.dumps(RESULTS))
    measured["model"]["files"]["model.safetensors"] = file_hash(mame / "model.safetensors")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "some.json").write_text(json.dumps(measured), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("placeholder", "en", "ja"),
    [
        ("minutes practice", "10", "10"),
        ("planned", "45", "45"),
        ("total", "50", "50"),
        ("machine some", "Bean 3000, 2 cores, 25.3 GB, Linux x86_64", None),
        ("date some", "21 November 2026", "2026年11月21日"),
        ("result some share | share", "94.9 %", "94.9 %"),
        ("result some share | share0", "94 %", "94 %"),
        ("result some bytes | mb", "11.7 MB", "11.7 MB"),
        ("result some bytes | number", "11,717,568", "11,717,568"),
        ("result some time | seconds", "1.4 s", "1.4 秒"),
        ("result some time | seconds range", "1.4 s (1.1–1.5)", "1.4 秒 (1.1–1.5)"),
        ("result some steady | share range", "50.0 %", "50.0 %"),
        ('result some pairs["llama.cpp = ollama"] | share', "99.0 %", None),
        ("result some of.LANG | number", "1", "2"),
        ("result some bits | fixed2", "8.00", "8.00"),
        ("size tinyllama-1.1b some bits", "1.1 GB", "1.1 GB"),
        ("result some runs[rows=100,seed=1].recall | share", "80.0 %", None),
        ("result some runs[rows=100,rate=3e-3,seed=2].recall | share", "100.0 %", None),
        ("result some runs[all rows=100].recall | share range", "90.0 % (80.0–100.0)", None),
    ],
)
def test_a_placeholder_says_what_was_measured(root, placeholder, en, ja):
    assert fill("{{" + placeholder + "}}", "en", root=root) == f"{en}\n"
    if ja:
        assert fill("{{" + placeholder + "}}", "ja", root=root) == f"{ja}\n"


@pytest.mark.parametrize(
    ("placeholder", "reason"),
    [
        ("frobnicate", "unknown"),
        ("minutes lunch", "no section lunch"),
        ("machine other", "no results/other.json"),
        ("size some bits", "write {{size MODEL FILE PATH}}"),
        ("size gpt-9 some bits", "the catalogue has no model gpt-9"),
        ("size tinyllama-1.1b some time", "no number of bits"),
        ("result other share | share", "no results/other.json"),
        ("result some share", "write {{result FILE PATH | FORMAT}}"),
        ("result some share | furlongs", "no format furlongs"),
        ("result some shares | share", "no shares there; there are made"),
        ("result some share.x | share", "x is asked of float"),
        ("result some runs.recall | share", "recall is asked of list"),
        ("result some runs | share", "no single figure"),
        ("result some never | share", "it was not measured"),
        ("result some share | share range", "only one value"),
        ("result some made | share", "share cannot show"),
        ("result some runs[rows=100].recall | share", "3 entries have rows=100"),
        ("result some runs[rows=7].recall | share", "no entry has rows=7"),
        ("result some share[rows=7] | share", "there is none"),
        ("result some runs[rows=10]] | share", "not understood from here on: ]"),
    ],
)
def test_what_cannot_be_filled_is_told_with_slide_line_and_reason(root, placeholder, reason):
    deck = "---\ntheme: talk\n---\n\n# One\n\n---\n\n# Two\n\nx {{" + placeholder + "}} y\n"
    with pytest.raises(WorkshopError) as told:
        fill(deck, "ja", "talk.ja.md", root)
    assert f"talk.ja.md, slide 2, line 11: {{{{{placeholder}}}}}: " in str(told.value)
    assert reason in str(told.value)


def test_all_that_cannot_be_filled_is_told_at_once(root):
    with pytest.raises(WorkshopError) as told:
        fill("{{one}}\n\n{{two}} {{planned}} {{three}}\n", "en", root=root)
    assert re.findall(r"line (\d): \{\{(\w+)\}\}", str(told.value)) == [
        ("1", "one"),
        ("3", "two"),
        ("3", "three"),
    ]


def test_a_result_of_another_mame_is_stale(root):
    (root / "data" / "mame" / "model.safetensors").write_bytes(b"trained anew")
    for placeholder in ("result some share | share", "machine some", "date some"):
        with pytest.raises(WorkshopError, match=r"stale: results/some\.json was measured with"):
            fill("{{" + placeholder + "}}", "en", root=root)


def test_a_quick_run_is_no_result(root):
    path = root / "results" / "some.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "quick": True}), encoding="utf-8")
    with pytest.raises(WorkshopError, match="quick run"):
        fill("{{result some share | share}}", "en", root=root)


def test_a_cell_is_that_of_the_notebook_in_the_language(tmp_path):
    assert re.fullmatch(r"04 \[\d+\]\n", fill("{{cell train-10}}", "ja"))
    with pytest.raises(WorkshopError, match="no scene no-such; core/agenda.py has five-ways, "):
        fill("{{cell no-such}}", "ja")
    shutil.copytree(ROOT / "notebooks" / "en", tmp_path / "notebooks" / "en")
    assert re.fullmatch(r"04 \[\d+\]\n", fill("{{cell train-10}}", "en", root=tmp_path))
    with pytest.raises(WorkshopError, match="01_what_is_finetuning.ipynb is not there"):
        fill("{{cell train-10}}", "ja", root=tmp_path)


def test_code_with_braces_is_left_as_it_is_and_a_rule_in_code_opens_no_slide(root):
    deck = "---\na: b\n---\n\n```\n---\n\\{{ .Prompt }}\n```\n\n{{x}}\n"
    with pytest.raises(WorkshopError, match="slide 1, line 10"):
        fill(deck, "en", root=root)
    assert "\n{{ .Prompt }}\n" in fill(deck.replace("{{x}}", ""), "en", root=root)


def test_a_diagram_is_that_of_the_language():
    deck = "![w:900](diagrams/the-way.svg) ![](images/other.svg)"
    assert fill(deck, "ja") == "![w:900](diagrams/the-way.ja.svg) ![](images/other.svg)\n"


def test_the_examples_of_the_readme_can_be_filled():
    text = (ROOT / "slides" / "README.md").read_text(encoding="utf-8")
    examples = [line for line in text.splitlines() if line.startswith("{{result ")]
    assert len(examples) >= 5
    for example in examples:
        assert "{{" not in fill(example, "ja")

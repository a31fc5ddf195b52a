"""Results show themselves: as tables, answers side by side, and what changed in an answer."""

from __future__ import annotations

import subprocess
import sys

import pytest
from comparisons import ANSWERS, answered
from measured import quantized, trained
from terminal import on_terminal

from workshop_helpers.display import answers_side_by_side, as_table, percent
from workshop_helpers.evaluation.comparison import Comparison
from workshop_helpers.evaluation.forgetting import ForgettingReport
from workshop_helpers.evaluation.manner import manner


def printed(result: object, language: str, width: int) -> str:
    return on_terminal(as_table(result, language).rich(), width)


@pytest.mark.parametrize(("language", "word"), [("en", "facts"), ("ja", "再現率")])
@pytest.mark.parametrize("result", [answered(), quantized()], ids=["comparison", "quantization"])
def test_a_table_fits_a_terminal_and_speaks_both_languages(result, language, word):
    text = printed(result, language, 80)
    assert len([line for line in text.splitlines() if "%" in line]) == len(result.rows)
    assert word in text
    assert "…" not in text
    if isinstance(result, Comparison):
        assert "tuned [10]" in text  # square brackets are not rich's markup


@pytest.mark.parametrize(("language", "word"), [("en", "perplexity"), ("ja", "パープレキシティ")])
def test_a_result_shows_itself_in_its_own_language(language, word):
    shown = quantized(language=language)._repr_mimebundle_()
    assert word in shown["text/html"] and word in shown["text/plain"]
    assert "6.3" in shown["text/html"]
    assert "image/png" in trained(language=language)._repr_mimebundle_()
    assert trained([])._repr_mimebundle_()["text/plain"]


def test_the_manner_of_answers_has_its_table_in_both_languages():
    assert "in a list" in as_table(manner(answered()), "en").html()
    text = printed(manner(answered()), "ja", 80)
    assert "箇条書き" in text and "…" not in text


def test_politeness_has_no_column_where_nobody_spoke_japanese():
    assert "polite" in printed(answered(), "en", 100)
    english = {"base": ["It depends.", "It depends.", "Hello!"]}
    assert "polite" not in printed(answered(english), "en", 100)


def test_an_html_table_escapes_and_names_every_candidate():
    comparison = answered({"<base>": ANSWERS["base"], "tuned": ANSWERS["tuned"]})
    html = as_table(comparison).html()
    assert "&lt;base&gt;" in html
    assert "<base>" not in html
    assert html.count("<tr>") == 3


def test_a_forgetting_report_names_its_models():
    report = ForgettingReport({"100": {"general_knowledge": 0.5}}, {"general_knowledge": 2}, "ja")
    lines = report._repr_mimebundle_()["text/plain"].splitlines()
    assert lines[1].split() == ["モデル", "一般知識", "(n=2)"]
    assert lines[3].split() == ["100行で学習", "50", "%"]


def test_side_by_side_marks_facts_and_wrong_figures_and_escapes():
    shown = answered().side_by_side([0, 2])._repr_mimebundle_()
    html, text = shown["text/html"], shown["text/plain"]
    assert '<mark class="found"' in html
    assert '<mark class="wrong"' in html
    assert "&lt;now&gt;" in html
    assert "Hello &lt;b&gt;there&lt;/b&gt; &amp; you?" in html
    assert "a right answer states" in html
    assert "返金" not in html
    assert "How much is shipping?\n  base: It depends." in text
    assert "tuned: It is $6.99 <now>." in text
    assert "0.25" not in html


def test_side_by_side_can_tell_the_seconds():
    shown = answers_side_by_side(answered().side_by_side([0]), "ja", seconds=True)
    assert shown.html.count("0.25秒") == 3
    assert "base (0.25秒): It depends." in shown.text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "–"), (0, "0 %"), (1, "100 %"), (0.934, "93 %"), (0.997, "99.7 %"), (0.004, "0.4 %"),
        (0.99999, "> 99.9 %"), (0.00001, "< 0.1 %"),
    ],
)  # fmt: skip
def test_percent_calls_only_all_a_hundred_and_only_none_zero(share, text):
    assert percent(share) == text


def test_display_loads_no_plotting_library_until_it_draws() -> None:
    code = (
        "import sys, workshop_helpers.display;"
        "print([m for m in ('torch', 'matplotlib', 'numpy', 'rich', 'yaml') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"

"""The report shows what was measured, in both languages, in one file without a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from comparisons import answered
from measured import quantized, trained
from well_formed import parsed

from workshop_helpers.display import report_html, write_report
from workshop_helpers.evaluation.comparison import Comparison
from workshop_helpers.metrics.scoring import Question
from workshop_helpers.training.merge import MergeReport


def comparison(count: int) -> Comparison:
    texts = {"ベース": "場合によります。", "10行": "980円です。", "<100>": "￥500です。"}
    questions = [Question(f"送料はいくら {n}？", facts=("500円",)) for n in range(count)]
    return answered({label: [text] * count for label, text in texts.items()}, questions)


def everything(language: str) -> dict[str, Any]:
    return {
        "language": language,
        "comparison": comparison(9),
        "training": {"10": trained(), "100": trained()},
        "merging": MergeReport(Path("m"), 3e-5, 4.0, "bf16", 0.8, 10_300_000),
        "quantization": quantized(),
        "same_question": ("送料は？", [("F16", "500円 <です>"), ("Q2_K", "500円")]),
        "steps": [("train", 2.0), ("verify", 6.0)],
        "machine": {"cpu": "some <cpu>", "cores": 2},
        "versions": {"torch": "2.13.0"},
    }


@pytest.mark.parametrize("language", ["en", "ja"])
def test_report_is_one_well_formed_file_that_fetches_nothing(language: str, tmp_path: Path) -> None:
    path = write_report(tmp_path / "レポート 1.html", **everything(language))
    document = path.read_text(encoding="utf-8")
    page = parsed(document)
    assert page.wrong == page.open == page.fetched == []
    assert not {"script", "link"} & set(page.tags)
    assert page.tags.count("svg") == 3
    assert not re.search(r"@import|url\(\s*['\"]?http", document)
    assert f'<html lang="{language}">' in document
    assert "prefers-color-scheme:dark" in document


def test_report_shows_every_part_and_leaves_out_what_is_none() -> None:
    def shown(**parts: Any) -> str:
        return " ".join(re.findall(r"<section id='([^']+)'", report_html(**parts)))

    about = "training merging quantization same-question steps machine"
    assert shown(**everything("en")) == f"comparison answers {about}"
    assert shown(quantization=quantized()) == "quantization"
    assert parsed(report_html()).open == []


def test_report_escapes_what_models_and_machines_say() -> None:
    document = report_html(**everything("ja"))
    for raw in ("<100>", "<です>", "some <cpu>"):
        assert raw not in document
        assert raw.replace("<", "&lt;").replace(">", "&gt;") in document


def test_report_marks_facts_and_wrong_figures_and_folds_the_many() -> None:
    document = report_html(comparison=comparison(9), language="ja", shown=2)
    assert '<mark class="found"' in document
    assert '<mark class="wrong"' in document
    assert "全9問を見る" in document
    answers, _, faults = document.partition("と、その理由")
    assert answers.count("送料はいくら 8？") == 1
    assert faults.count("送料はいくら 8？") >= 1
    assert "全2問" not in report_html(comparison=comparison(2), language="ja", shown=2)


def test_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(KeyError):
        write_report(path, language="fr", comparison=comparison(1))
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]

"""Plots and the report show what was measured, in both languages, in one file without a network."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.display import (
    LABELS,
    diff,
    label,
    loss_curve,
    recall_bars,
    report_html,
    side_by_side,
    size_against_quality,
    write_report,
)
from workshop_helpers.evaluation.comparison import Candidate, Comparison, Row
from workshop_helpers.metrics.scoring import Question, score_answer, summarise
from workshop_helpers.models.chat import Answer


@dataclass
class Report:
    losses: list[tuple[int, float, float]]
    rows: int = 10
    trainable: int = 98_304
    total: int = 5_100_000
    tokens: int = 12_000
    seconds: float = 2.5
    peak_memory_bytes: int = 812_000_000
    device: str = "cpu"


LOSSES = [(n, n / 10, 3.0 / n) for n in range(1, 20)]
QUANTIZATION = {
    "rows": [
        {
            "type": name,
            "size_bytes": size,
            "bits_per_weight": bits,
            "load_seconds": 0.05,
            "prompt_tokens_per_second": 2400.0,
            "generation_tokens_per_second": 310.0,
            "recall": recall,
            "perplexity": 1.3,
            "kl_to_f16": kl,
            "same_top_token": 0.99,
        }
        for name, size, bits, recall, kl in [
            ("F16", 10_300_000, 16.0, 1.0, 0.0),
            ("Q8_0", 5_500_000, 8.5, 1.0, 0.0004),
            ("Q2_K", 2_100_000, 3.2, None, 0.21),
        ]
    ]
}


def comparison(count: int = 3) -> Comparison:
    questions = [Question(f"送料はいくら {n}？", facts=("500円",)) for n in range(count)]
    rows = []
    for name, text in [
        ("ベース", "場合によります。"),
        ("10行", "980円です。"),
        ("<100>", "￥500です。"),
    ]:
        scores = [score_answer(text, q) for q in questions]
        answers = [Answer(text, 3, 5, 0.1, True) for _ in questions]
        rows.append(Row(Candidate(name, "mame"), answers, scores, summarise(scores), 1.0))
    return Comparison(questions, rows)


def everything(language: str) -> dict[str, Any]:
    return {
        "language": language,
        "comparison": comparison(9),
        "training": {"10": Report(LOSSES), "100": Report(LOSSES)},
        "merging": {
            "difference_to_adapter": 3e-5,
            "difference_to_base": 4.0,
            "size_bytes": 10_300_000,
            "seconds": 0.8,
        },
        "quantization": QUANTIZATION,
        "same_question": ("送料は？", [("F16", "500円 <です>"), ("Q2_K", "500円")]),
        "steps": [("train", 2.0), ("verify", 6.0)],
        "machine": {"cpu": "some <cpu>", "cores": 2},
        "versions": {"torch": "2.13.0"},
    }


class Balance(HTMLParser):
    """Counts what is open, and collects what a page would fetch."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            inside = value is None or value.startswith(("#", "data:"))
            if name in ("src", "href", "xlink:href", "action") and not inside:
                self.fetched.append(value or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def parsed(document: str) -> Balance:
    page = Balance()
    page.feed(document)
    return page


# -- the report --------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ja"])
def test_report_is_one_well_formed_file_that_fetches_nothing(language: str, tmp_path: Path) -> None:
    path = write_report(tmp_path / "レポート 1.html", **everything(language))
    document = path.read_text(encoding="utf-8")
    page = parsed(document)
    assert page.wrong == []
    assert page.open == []
    assert page.fetched == []
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert page.tags.count("svg") == 3
    assert not re.search(r"@import|url\(\s*['\"]?http", document)
    assert f'<html lang="{language}">' in document
    assert "prefers-color-scheme:dark" in document


def test_report_shows_every_part_and_leaves_out_what_is_none() -> None:
    sections = re.findall(r"<section id='([^']+)'", report_html(**everything("en")))
    assert sections == [
        "comparison",
        "answers",
        "training",
        "merging",
        "quantization",
        "same-question",
        "steps",
        "machine",
    ]
    assert re.findall(r"<section id='([^']+)'", report_html(quantization=QUANTIZATION)) == [
        "quantization"
    ]
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
    assert document.count("送料はいくら 8？") == 1
    assert "<details>" not in report_html(comparison=comparison(2), shown=2)


def test_report_takes_several_comparisons_by_heading() -> None:
    document = report_html(comparison={"English": comparison(1), "日本語": comparison(1)})
    assert "<h3>English</h3>" in document
    assert "<h3>日本語</h3>" in document


def test_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(KeyError):
        write_report(path, language="fr", comparison=comparison(1))
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]


# -- plots -------------------------------------------------------------------------------------


def test_plots_render_in_both_languages_as_svg_and_png() -> None:
    for language in ("en", "ja"):
        for plot in (
            loss_curve(Report(LOSSES), language),
            loss_curve({"10": {"losses": LOSSES}, "100": Report(LOSSES)}, language),
            size_against_quality(QUANTIZATION, language),
            recall_bars(comparison(), language),
        ):
            svg = plot.svg()
            assert parsed(svg).wrong == []
            assert "currentColor" in svg  # dark pages
            assert "<text" not in svg  # no font needed
            assert plot.png()[:8] == b"\x89PNG\r\n\x1a\n"
            assert plot._repr_mimebundle_()["text/plain"]


def test_japanese_labels_have_their_glyphs(recwarn: pytest.WarningsRecorder) -> None:
    loss_curve(Report(LOSSES), "ja").png()
    for language in ("en", "ja"):  # the candidates' labels are Japanese in both
        recall_bars(comparison(), language).svg()
    assert [w for w in recwarn if "lyph" in str(w.message)] == []


def test_plots_leave_other_peoples_plots_alone() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    loss_curve(Report(LOSSES), "ja").svg()
    assert dict(matplotlib.rcParams) == before


def test_each_type_is_named_beside_its_own_point() -> None:
    rows = [
        {"type": name, "size_bytes": size, "recall": recall, "kl_to_f16": kl}
        for name, size, recall, kl in (
            ("F16", 11_700_000, 0.955, 0.0),
            ("Q8_0", 6_300_000, 0.944, 0.0006),
            ("Q4_K_M", 3_800_000, 0.933, 0.0297),
            ("Q2_K", 2_800_000, 0.888, 0.3549),
        )
    ]
    plot = size_against_quality({"rows": rows})
    plot.png()  # draws, so that the names have their places
    axes = plot.figure.axes[0]
    points = {row["type"]: (row["size_bytes"] / 1e6, 100 * row["recall"]) for row in rows}
    pixels = {name: axes.transData.transform(point) for name, point in points.items()}
    for name in axes.texts:
        box = name.get_window_extent()
        away = {
            kind: math.hypot(max(box.x0 - x, 0, x - box.x1), max(box.y0 - y, 0, y - box.y1))
            for kind, (x, y) in pixels.items()
        }
        assert min(away, key=lambda kind: away[kind]) == name.get_text()


def test_same_plot_gives_the_same_file() -> None:
    assert loss_curve(Report(LOSSES), "ja").svg() == loss_curve(Report(LOSSES), "ja").svg()


def test_description_tells_the_figures() -> None:
    assert "3.00 → 0.16" in loss_curve(Report(LOSSES)).description
    assert "Q2_K 2.1 MB" in size_against_quality(QUANTIZATION).description
    assert "ベース: 0 %, 0 %" in recall_bars(comparison(), "ja").description


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(WorkshopError, match="No loss"):
        loss_curve(Report([]))
    with pytest.raises(WorkshopError, match="no rows"):
        size_against_quality({"rows": []})


def test_plot_is_saved_by_its_ending(tmp_path: Path) -> None:
    plot = loss_curve(Report(LOSSES))
    assert plot.save(tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<svg")
    assert plot.save(tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(WorkshopError, match=r"\.svg or \.png"):
        plot.save(tmp_path / "a.pdf")


# -- differences and labels --------------------------------------------------------------------


def test_diff_shows_what_went_and_what_came() -> None:
    shown = diff("送料は980円です。", "送料は500円です。")
    assert shown.text == "送料は[-98-]{+50+}0円です。"
    assert re.sub(r"<[^>]+>", "", shown.html) == "送料は98500円です。"
    assert "<del" in shown.html
    assert "<ins" in shown.html


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("", "a"),
        ("a", ""),
        ("same", "same"),
        ("abc", "xbz"),
        ("<i>", "<b>"),
        ("あいう", "あXう"),
    ],
)
def test_diff_keeps_both_texts(before: str, after: str) -> None:
    from html import unescape

    html = diff(before, after).html
    without = {
        "before": re.sub(r"<ins[^>]*>.*?</ins>", "", html, flags=re.S),
        "after": re.sub(r"<del[^>]*>.*?</del>", "", html, flags=re.S),
    }
    assert unescape(re.sub(r"<[^>]+>", "", without["before"])) == before
    assert unescape(re.sub(r"<[^>]+>", "", without["after"])) == after


def test_side_by_side_reads_as_text_and_as_html() -> None:
    bundle = side_by_side(comparison(), 1, "ja")._repr_mimebundle_()
    assert "ベース: 場合によります。" in bundle["text/plain"]
    assert "正答に必要な事実" in bundle["text/html"]


def test_both_languages_have_every_label() -> None:
    assert set(LABELS["en"]) == set(LABELS["ja"])
    assert all(text.strip() for words in LABELS.values() for text in words.values())
    assert label("all answers", "ja", n=60) == "全60問を見る"
    with pytest.raises(KeyError):
        label("no such label")


def test_display_loads_no_plotting_library_until_it_draws() -> None:
    import subprocess
    import sys

    code = (
        "import sys, workshop_helpers.display;"
        "print([m for m in ('torch', 'matplotlib', 'numpy', 'rich', 'yaml') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"

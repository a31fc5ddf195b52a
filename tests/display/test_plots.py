"""Plots show what was measured, in both languages, with glyphs and names that can be read."""

from __future__ import annotations

import base64
import math
from pathlib import Path

import pytest
from comparisons import answered
from matplotlib.text import Text
from measured import MEASURED, quantized, trained
from well_formed import parsed

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.display import loss_curve, recall_bars, size_against_quality
from workshop_helpers.display.colours import RIGHT, WRONG
from workshop_helpers.metrics.scoring import Question

COMPARISON = answered({"ベース": ["980円です。"]}, [Question("送料は？", facts=("500円",))])


@pytest.mark.parametrize("language", ["en", "ja"])  # the candidates' labels are Japanese in both
def test_plots_render_as_svg_and_png_with_all_glyphs(
    language: str, recwarn: pytest.WarningsRecorder
) -> None:
    for plot in (
        loss_curve({"10": trained(), "100": trained()}, language),
        size_against_quality(quantized(), language),
        recall_bars(COMPARISON, language),
    ):
        svg, bundle = plot.svg(), plot._repr_mimebundle_()
        assert parsed(svg).wrong == []
        assert "currentColor" in svg  # dark pages
        assert "<text" not in svg  # no font needed
        assert base64.b64decode(bundle["image/png"])[:8] == b"\x89PNG\r\n\x1a\n"
        assert bundle["text/plain"]
    assert [w for w in recwarn if "lyph" in str(w.message)] == []


def test_plots_leave_other_peoples_plots_alone() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    loss_curve(trained(), "ja").svg()
    assert dict(matplotlib.rcParams) == before


def test_each_type_is_named_beside_its_own_point() -> None:
    plot = size_against_quality(quantized())
    plot.png()  # draws, so that the names have their places
    axes = plot.figure.axes[0]
    points = {kind: (size / 1e6, 100 * recall) for kind, size, recall, _ in MEASURED}
    pixels = {name: axes.transData.transform(point) for name, point in points.items()}
    for name in axes.texts:
        box = name.get_window_extent()
        away = {
            kind: math.hypot(max(box.x0 - x, 0, x - box.x1), max(box.y0 - y, 0, y - box.y1))
            for kind, (x, y) in pixels.items()
        }
        assert min(away, key=lambda kind: away[kind]) == name.get_text()


def test_same_plot_gives_the_same_file() -> None:
    assert loss_curve(trained(), "ja").svg() == loss_curve(trained(), "ja").svg()


def test_description_tells_the_figures_in_the_language_of_the_result() -> None:
    assert loss_curve(trained()).description == "How the training loss falls (3.00 → 0.16)"
    curves = loss_curve({"10": trained(language="ja"), "x": trained()}).description
    assert curves == "学習損失の推移 (10行で学習: 3.00 → 0.16; x: 3.00 → 0.16)"
    unscored = quantized((*MEASURED[:3], ("Q2_K", 2_100_000, None, 0.21)), "ja")
    told = size_against_quality(unscored).description
    assert told.startswith("サイズと品質 (Q2_K 2.1 MB; Q4_K_M 3.8 MB, 93 %;")
    assert "ベース: 0 %, 100 %" in recall_bars(COMPARISON, "en").description


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(WorkshopError, match="No loss"):
        loss_curve(trained([]))
    with pytest.raises(WorkshopError, match="no rows"):
        size_against_quality(quantized(()))


def test_plot_is_saved_by_its_ending(tmp_path: Path) -> None:
    plot = loss_curve(trained())
    assert plot.save(tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<svg")
    assert plot.save(tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(WorkshopError, match=r"\.svg or \.png"):
        plot.save(tmp_path / "a.pdf")


def test_lines_and_bars_are_told_apart_without_colour() -> None:
    curves = loss_curve({"10": trained(), "100": trained(), "x": trained()}).figure.axes[0].lines
    assert len({(line.get_linestyle(), line.get_marker()) for line in curves}) == 3
    shown = dict.fromkeys(
        str(bar.get_hatch()) for bar in recall_bars(COMPARISON).figure.axes[0].patches
    )
    assert len(shown) == 2


def test_letters_are_read_from_the_back_row_and_right_and_wrong_by_everybody() -> None:
    from workshop_helpers.display.answers import MARKS

    plot = recall_bars(COMPARISON, "ja")
    axes = plot.figure.axes[0]
    texts = [*axes.get_xticklabels(), *axes.get_yticklabels(), *axes.texts, axes.title]
    smallest = min(text.get_fontsize() for text in texts) / 72  # inches
    assert smallest / plot.figure.get_figwidth() > 0.02
    assert (RIGHT, WRONG) == ("#0072B2", "#D55E00")
    assert RIGHT in MARKS["found"] and WRONG in MARKS["wrong"]


def test_names_are_drawn_as_text_whatever_they_hold(recwarn: pytest.WarningsRecorder) -> None:
    names = [
        "$x$", r"$\frac$", "costs $5 and $6", "_hidden", "{a} }{", "%s %d", "\\", "\x1b[31m\u202e",
        "n" * 5000, "two\nlines", "<b>&amp;", "\ud800",
    ]  # fmt: skip
    question = Question("送料は？", facts=("500円",))
    for plot in (
        loss_curve(dict.fromkeys(names, trained()), "en"),
        recall_bars(answered({name: ["980円です。"] for name in names}, [question]), "en"),
        size_against_quality(quantized(tuple((name, 9, 0.5, 0.1) for name in names)), "en"),
    ):
        svg = plot.svg()
        assert parsed(svg).wrong == [] and "\x1b" not in plot._repr_mimebundle_()["text/plain"]
        texts = plot.figure.findobj(Text)
        drawn = " ".join(text.get_text() for text in texts)
        for name in names[:7]:
            assert name in drawn
        assert "two lines" in drawn and "n" * 50 in drawn and "n" * 70 not in drawn
        assert not any(text.get_parse_math() for text in texts if "$" in text.get_text())
    assert [str(w.message) for w in recwarn if "lyph" in str(w.message)] == []

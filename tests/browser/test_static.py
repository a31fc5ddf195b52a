"""Recorded notebooks as a page without any kernel, by nbconvert: nothing is wider than a projector
or a phone, and each widget has its picture. Two are enough here, with the most tables and widgets;
tests/site looks at all of them in the same way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from lab import WIDTHS, screenshots

pytest.importorskip("nbconvert")

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
RECORDED = [
    path for folder in ("", "en") for path in sorted((NOTEBOOKS / folder).glob("0[35]_*.ipynb"))
]
# What is too wide for the page, outside of boxes that scroll for themselves.
TOO_WIDE = """() => {
    const page = document.documentElement;
    const found = [...document.querySelectorAll('main *')].filter(box => {
        if (box.getBoundingClientRect().right <= page.clientWidth + 1) return false;
        for (let above = box.parentElement; above; above = above.parentElement)
            if (getComputedStyle(above).overflowX !== 'visible') return false;
        return true;
    });
    return [page.scrollWidth - page.clientWidth, found.slice(0, 3).map(box => box.outerHTML)];
}"""


@pytest.mark.parametrize("path", RECORDED, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_recorded_notebook_reads_without_a_kernel(path, browser, tmp_path):
    from nbconvert import HTMLExporter

    notebook = nbformat.read(path, as_version=4)
    text, _ = HTMLExporter().from_notebook_node(notebook)
    page_file = tmp_path / "page.html"
    page_file.write_text(text, encoding="utf-8")
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(page_file.as_uri(), wait_until="domcontentloaded")
    language = "ja" if path.parent == NOTEBOOKS else "en"
    for size, (width, height) in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(
            path=screenshots() / f"static-{path.stem}-{language}-{width}.png", full_page=True
        )
        too_wide, culprits = page.evaluate(TOO_WIDE)
        assert too_wide <= 0, f"{too_wide} px too wide for a {size}: {culprits}"
    check_pictures(page, notebook)
    context.close()


def check_pictures(page: Any, notebook: Any) -> None:
    """All HTML outputs are there to see, and have a height."""
    shown = page.locator(".jp-RenderedHTMLCommon[data-mime-type='text/html']")
    wanted = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    ]
    assert shown.count() == len(wanted)
    heights = shown.evaluate_all("boxes => boxes.map(box => box.getBoundingClientRect().height)")
    assert all(height > 10 for height in heights)

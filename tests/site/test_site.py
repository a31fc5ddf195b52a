"""The built site in a real browser: each page in both languages, on a projector and a phone."""

from __future__ import annotations

from typing import Any

import pytest
from lab import WIDTHS

# Outputs and pictures that nobody would see.
UNSEEN = """() => [...document.querySelectorAll(
        '.bd-article .text_html, .bd-article .output.stream, .bd-article img, .bd-article math')]
    .filter(box => !box.closest('details:not([open])'))
    .filter(box => box.getBoundingClientRect().height < 8
        || (box.tagName === 'IMG' && !box.naturalWidth))
    .map(box => box.outerHTML.slice(0, 200))"""
# What is wider than the page, outside of boxes that scroll for themselves.
TOO_WIDE = """() => {
    const page = document.documentElement;
    const found = [...document.querySelectorAll('.bd-article *')].filter(box => {
        if (box.getBoundingClientRect().right <= page.clientWidth + 1) return false;
        for (let above = box.parentElement; above; above = above.parentElement)
            if (getComputedStyle(above).overflowX !== 'visible') return false;
        return true;
    });
    const culprits = found.slice(0, 3).map(box => box.outerHTML.slice(0, 200));
    return [page.scrollWidth - page.clientWidth, culprits];
}"""


@pytest.fixture
def page(browser: Any, address: str):
    """A page of the browser, and whatever it complains of or wants from another host."""
    context = browser.new_context()
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.faults = []

    def note(text: object) -> None:
        page.faults.append(f"{page.url}: {text}")

    def failed(request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # by going on to the next page
            note(f"{request.url} {request.failure}")

    def asked(request: Any) -> None:
        if not request.url.startswith((address, "data:")):
            note(f"wants {request.url}")

    page.on("pageerror", note)
    page.on("requestfailed", failed)
    page.on("request", asked)

    def said(line: Any) -> None:
        if line.type == "error" and not line.location["url"].endswith("/favicon.ico"):
            note(line.text)

    page.on("console", said)
    yield page
    context.close()


def test_the_site_is_ready_to_be_put_up(site):
    assert (site / ".nojekyll").is_file()
    assert not list(site.rglob("*.ipynb")), "the notebooks' sources are in the repository"
    assert (site / "index.html").is_file()


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_page_reads_on_a_projector_and_on_a_phone(language, builder, page, address):
    for name in builder.pages(language):
        page.goto(f"{address}/{language}/{name}.html")
        assert page.locator("html").get_attribute("lang") == language
        for size, (width, height) in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            too_wide, culprits = page.evaluate(TOO_WIDE)
            if too_wide > 0 or culprits:
                page.faults.append(f"{name} on a {size}: {too_wide} px too wide {culprits}")
            page.faults += [f"{name} on a {size}: {box}" for box in page.evaluate(UNSEEN)]
    assert page.faults == []


def test_the_decks_need_nothing_from_elsewhere(site, page, address):
    decks = sorted((site / "slides").glob("talk.*.html"))
    assert [deck.name for deck in decks] == ["talk.en.html", "talk.ja.html"]
    for deck in decks:
        page.goto(f"{address}/slides/{deck.name}")
        assert page.get_by_role("heading").count() >= 1
    assert page.faults == []


def test_the_language_switch_leads_to_the_twin_page(builder, site, page, address):
    assert builder.pages("ja").keys() == builder.pages("en").keys()
    for name in builder.pages("ja"):
        for language in ("ja", "en"):
            assert (site / language / f"{name}.html").is_file()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{address}/ja/notebooks/05_before_after.html")
    page.get_by_role("link", name="English").click()
    page.wait_for_url(f"{address}/en/notebooks/05_before_after.html")
    page.get_by_role("link", name="日本語").click()
    page.wait_for_url(f"{address}/ja/notebooks/05_before_after.html")
    page.goto(f"{address}/ja/search.html")
    page.get_by_role("link", name="English").click()
    page.wait_for_url(f"{address}/en/search.html")
    assert page.faults == []


# Words that Japanese text joins to their neighbours, one of a title, Latin letters among Japanese.
@pytest.mark.parametrize(
    ("language", "query", "wanted"),
    [
        ("ja", "量子化", "notebooks/07_quantization"),
        ("ja", "特異値", "notebooks/04_lora_training"),
        ("ja", "豆", "more/mame"),
        ("ja", "再現率", "results"),
        ("ja", "文字化け", "guides/troubleshooting"),
        ("ja", "学習データを用意する", "notebooks/03_training_data"),
        ("ja", "LoRA 特異値", "notebooks/04_lora_training"),
        ("ja", "pickle", "guides/troubleshooting"),
        ("en", "quantization", "notebooks/07_quantization"),
        ("en", "singular values", "notebooks/04_lora_training"),
        ("en", "pickle", "guides/troubleshooting"),
    ],
)
def test_the_search_finds(language, query, wanted, page, address):
    found = search(page, f"{address}/{language}", query)
    assert any(f"/{language}/{wanted}.html" in place for place in found), found
    assert page.faults == []


@pytest.mark.parametrize("query", ["率現再", "特異値 送料無料化計画"])
def test_the_search_in_japanese_wants_all_of_the_query(query, page, address):
    assert search(page, f"{address}/ja", query) == []


def search(page: Any, folder: str, query: str) -> list[str]:
    """The addresses that the page's own search finds."""
    page.goto(f"{folder}/search.html?q={query}")
    page.wait_for_function(  # while it searches, the title ends with moving dots
        "() => document.querySelector('#search-results h2') && !document.querySelector("
        "'#search-results h2 span')"
    )
    assert page.locator("#search-results p.search-summary").inner_text().strip()
    return page.locator("#search-results li a").evaluate_all("links => links.map(a => a.href)")


def test_it_opens_from_the_disk_without_a_server(browser, site):
    """As `make site` says. The words around a hit need a server, the hits do not."""
    context = browser.new_context(offline=True, locale="ja-JP")
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    page.wait_for_url("**/ja/index.html")
    assert page.get_by_role("heading", level=1).inner_text().startswith("10行")
    found = search(page, (site / "ja").as_uri(), "量子化")
    assert any(place.endswith("07_quantization.html") for place in found)
    context.close()


def test_what_is_folded_opens(page, address):
    page.goto(f"{address}/en/notebooks/04_lora_training.html")
    setup = page.locator("details.hide", has_text="find_spec").first
    notes = page.locator("details", has_text="Presenter notes").first
    for folded in (setup, notes):
        inside = folded.locator("pre, p, li").last
        assert not inside.is_visible()
        folded.locator("summary").first.click()
        assert inside.is_visible()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_outputs_can_be_read_in(mode, page, address):
    """The text of an output stands out from what is behind it."""
    page.add_init_script(f"localStorage.setItem('mode', '{mode}')")
    page.goto(f"{address}/en/notebooks/05_before_after.html")
    assert page.locator("html").get_attribute("data-theme") == mode
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 50
    weak = [text for contrast, text in contrasts if contrast < 3]
    assert weak == []


# The contrast (WCAG 2.2) of each piece of text in an output, with layers of colour laid over each
# other as the browser does.
CONTRASTS = """() => {
    const numbers = colour => {
        const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
        return [r, g, b, a];
    };
    const over = ([r, g, b, a], [R, G, B]) =>
        [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
    const light = rgb => {
        const [r, g, b] = rgb.map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = box => {
        if (!box) return [255, 255, 255];
        const layer = numbers(getComputedStyle(box).backgroundColor);
        return layer[3] === 1 ? layer.slice(0, 3) : over(layer, behind(box.parentElement));
    };
    return [...document.querySelectorAll('.cell_output *')]
        .filter(box => !box.closest('svg') && [...box.childNodes].some(
            node => node.nodeType === Node.TEXT_NODE && node.textContent.trim()))
        .map(box => {
            const ground = behind(box);
            const ink = over(numbers(getComputedStyle(box).color), ground);
            const [one, other] = [light(ink), light(ground)];
            const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
            return [contrast, box.textContent.trim().slice(0, 60)];
        });
}"""

"""Every page of both decks as the back row sees it: nothing runs over, nothing is too small to read
or missing, and a presenter can give the talk from the file alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import screenshots

BUILT = Path(__file__).resolve().parents[2] / "slides" / "built"
# px on a page of 1280 × 720
SMALLEST, SENTENCES, TABLES = 20, 28, 24

# What is wrong with the pages, as [page, fault, text]: all pages stand in the document.
FAULTS = """([smallest, sentences, tables]) => {
    const found = [];
    const inside = (r, b, by) => r.left >= b.left - by && r.right <= b.right + by
        && r.top >= b.top - by && r.bottom <= b.bottom + by;
    const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
        && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    document.querySelectorAll('svg[data-marpit-svg] section').forEach((section, place) => {
        const tell = (fault, text) => found.push([place + 1, fault, text.trim().slice(0, 60)]);
        const paper = section.getBoundingClientRect();
        // the strip of the labels: source, cell and, at its right end, the number of the page
        const strip = {...paper.toJSON(), top: paper.bottom - 58};
        const number = {...strip, left: paper.right - 112};
        const labels = [...section.querySelectorAll('.cell, .source')];
        const taken = [number, ...labels.map(label => label.getBoundingClientRect())];
        labels.forEach((label, n) => taken.forEach((other, m) => {
            if (m !== n + 1 && meet(label.getBoundingClientRect(), other))
                tell('two labels in one place', label.innerText);
        }));
        const walker = document.createTreeWalker(section, NodeFilter.SHOW_TEXT);
        for (let node; node = walker.nextNode();) {
            const parent = node.parentElement, style = getComputedStyle(parent);
            if (!node.data.trim() || style.display === 'none') continue;
            const size = parseFloat(style.fontSize);
            const label = parent.closest('.cell, .source');
            const dense = parent.closest('table, pre, code, sup, sub');
            const small = section.classList.contains('small');
            const least = label || (dense && small) ? smallest : dense ? tables : sentences;
            if (size < least) tell(`${size} px, less than ${least}`, node.data);
            const range = document.createRange();
            range.selectNodeContents(node);
            const box = parent.closest('td, th, pre, .note, .columns > div');
            for (const rect of range.getClientRects()) {
                if (!inside(rect, paper, -20)) tell('over the edge of the page', node.data);
                if (box && !inside(rect, box.getBoundingClientRect(), 2))
                    tell('over the edge of its box', node.data);
                if (!label && meet(rect, strip)) tell('runs into the labels', node.data);
            }
        }
        for (const box of section.querySelectorAll('pre, table, td, .note, .columns > div'))
            if (box.scrollWidth > box.clientWidth + 1) tell('wider than its box', box.innerText);
        for (const image of section.querySelectorAll('img')) {
            const rect = image.getBoundingClientRect();
            if (!image.complete || !image.naturalWidth) tell('not loaded', image.alt);
            if (!inside(rect, paper, -20)) tell('over the edge of the page', image.alt);
            if (meet(rect, strip)) tell('runs into the labels', image.alt);
        }
        const unfilled = /\\{\\{ *(cell|minutes|total|planned|result|size|machine|date)\\b.*/;
        if (unfilled.test(section.innerText))
            tell('not filled', section.innerText.match(unfilled)[0]);
    });
    return found;
}"""

# The smallest text of each drawing as it is shown, in px: a drawing is scaled.
DRAWINGS = """async () => {
    const images = [...document.querySelectorAll('section img[src^="data:image/svg"]')];
    return Promise.all(images.map(async image => {
        const holder = document.createElement('div');
        holder.innerHTML = await (await fetch(image.src)).text();
        document.body.append(holder);
        const svg = holder.querySelector('svg');
        const scale = image.getBoundingClientRect().width / svg.viewBox.baseVal.width;
        const sizes = [...svg.querySelectorAll('text, tspan')].filter(t => t.textContent.trim())
            .map(text => scale * parseFloat(getComputedStyle(text).fontSize));
        const page = image.closest('section').dataset.marpitPagination;
        holder.remove();
        return [page, Math.round(Math.min(...sizes) * 10) / 10];
    }));
}"""

# Which letters of a text no font has: they are drawn as the letter that does not exist is.
MISSING = """text => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 40;
    const pen = canvas.getContext('2d', {willReadFrequently: true});
    pen.font = `24px ${getComputedStyle(document.querySelector('section')).fontFamily}`;
    const drawn = letter => {
        pen.clearRect(0, 0, 40, 40);
        pen.fillText(letter, 4, 30);
        return pen.getImageData(0, 0, 40, 40).data.join();
    };
    const none = drawn('\\u{10FFFD}');
    return [...new Set(text)].filter(letter => /[^\\s\\p{Cc}\\p{Cf}]/u.test(letter)
        && drawn(letter) === none);
}"""


@pytest.fixture(params=["ja", "en"])
def deck(request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:
    """The built deck of a language, from its file and without a network."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.goto((BUILT / f"talk.{request.param}.html").as_uri())
    page.evaluate("document.fonts.ready")
    page.language = request.param
    yield page
    context.close()


def faults(page: Any) -> list[str]:
    found = page.evaluate(FAULTS, [SMALLEST, SENTENCES, TABLES])
    return [f"page {number}: {fault}: {text}" for number, fault, text in found]


def test_nothing_runs_over_or_is_too_small_or_unfilled(deck):
    found = faults(deck)
    assert found == [], "\n".join(found)


def test_the_text_of_the_drawings_can_be_read(deck):
    small = [(page, size) for page, size in deck.evaluate(DRAWINGS) if size < SMALLEST]
    assert small == []


def test_no_letter_is_missing(deck):
    text = deck.evaluate("document.body.textContent") + drawn_text()
    assert deck.evaluate(MISSING, text) == []
    assert deck.evaluate(MISSING, "A\U0010fffc豆") == ["\U0010fffc"]


def drawn_text() -> str:
    """The sources of the drawings."""
    folder = BUILT.parent / "diagrams"
    return "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.mmd")))


def test_the_checks_notice_each_fault(deck):
    """What is wrong is put into the first page, one after the other."""
    wrong = {
        "<p style='white-space: nowrap'>" + "豆" * 60 + "</p>": "over the edge of the page",
        "<p style='margin-top: 640px'>x</p>": "over the edge of the page",
        "<p style='font-size: 18px'>x</p>": "18 px, less than 28",
        "<pre><code>" + "x" * 200 + "</code></pre>": "wider than its box",
        "<p style='position: absolute; bottom: 30px; right: 60px'>xxxx</p>": "runs into the labels",
        "<p>{{result learning x | share}}</p>": "not filled",
        "<img alt='x' src='none.png' width=20 height=20>": "not loaded",
    }
    first = deck.locator("section").first
    for html, fault in wrong.items():
        first.evaluate("(section, html) => section.insertAdjacentHTML('beforeend', html)", html)
        assert any(fault in one for one in faults(deck)), (fault, faults(deck))
        first.evaluate("section => section.lastElementChild.remove()")


def test_every_page_is_shown(deck):
    """Screenshots of all pages, for people to look at."""
    deck.add_style_tag(content=".bespoke-marp-osc { display: none !important }")
    count = deck.locator("svg[data-marpit-svg]").count()
    for number in range(1, count + 1):
        deck.evaluate(f"location.hash = '#{number}'")
        active = deck.locator(".bespoke-marp-active section")
        assert active.get_attribute("data-marpit-pagination") == str(number)
        deck.screenshot(path=screenshots() / f"slides-{deck.language}-{number:02}.png")


def test_the_presenter_view_works_from_the_file(deck):
    deck.bring_to_front()
    with deck.context.expect_page() as opened:
        deck.keyboard.press("p")
    presenter = opened.value
    presenter.wait_for_load_state()
    presenter.get_by_text("1 / ").wait_for()
    presenter.keyboard.press("ArrowRight")
    deck.wait_for_url("**#2")
    notes = (BUILT / f"notes.{deck.language}.md").read_text(encoding="utf-8")
    said = notes.split("## 2. ")[1].split("\n\n")[1].splitlines()[0]
    assert said in presenter.locator("body").inner_text()

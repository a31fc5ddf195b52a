"""Take the README's pictures of three slides from the built decks: docs/images/slide-N.LANG.png.

    python -m slides.pictures

built/built.json says of which deck they are; those of an unchanged deck are left alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

from workshop_helpers.core.errors import WorkshopError

from .build import BUILT, KINDS, LANGUAGES, browser_path, known, write_known
from .fill import ROOT

PAGES = (14, 22, 23)  # the whole way, what was learned, what was forgotten
FOLDER = ROOT / "docs" / "images"
# Without the buttons that show where the mouse is.
BUTTONS = ".bespoke-marp-osc { display: none !important }"


def files(language: str) -> list[Path]:
    """The pictures of a language."""
    return [FOLDER / f"slide-{n}.{language}.png" for n in range(1, len(PAGES) + 1)]


def stale(language: str) -> bool:
    """Are the pictures of another deck than the built one, or not there?"""
    of = known(BUILT).get(language, {})
    wanted = of.get("files", {}).get("html")
    return of.get("pictures") != wanted or not all(path.is_file() for path in files(language))


def take(language: str) -> None:
    """Take the pictures of a language. Raises WorkshopError where nothing was built."""
    from playwright.sync_api import sync_playwright

    deck = BUILT / KINDS["html"].format(language)
    if not deck.is_file():
        raise WorkshopError(f"{deck} is not there: make slides")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(deck.as_uri())
        page.add_style_tag(content=BUTTONS)
        for number, target in zip(PAGES, files(language), strict=True):
            page.evaluate(f"location.hash = '#{number}'")
            shown = f".bespoke-marp-active section[data-marpit-pagination='{number}']"
            page.locator(shown).wait_for()
            page.screenshot(path=target)
        browser.close()
    of_all = known(BUILT)
    of_all[language]["pictures"] = of_all[language]["files"]["html"]
    write_known(BUILT, of_all)


def main() -> int:
    """Take the pictures that are out of date; 1 where that fails."""
    for language in LANGUAGES:
        try:
            if stale(language):
                take(language)
                print(", ".join(path.relative_to(ROOT).as_posix() for path in files(language)))
        except WorkshopError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

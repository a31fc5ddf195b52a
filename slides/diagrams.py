"""Draw the diagrams beforehand: diagrams/NAME.LANG.mmd → diagrams/NAME.LANG.svg, by mermaid.

    python -m slides.diagrams [--check]

Mermaid is one script (slides/node_modules/mermaid), run in the Chromium that the tests use. An SVG
ends with the hash of its source and of the settings, so that a test without Node can tell when a
diagram was changed and not drawn again. --check says so (exit code 1), and draws nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from workshop_helpers.core.errors import WorkshopError

from .build import HERE, browser_path

FOLDER = HERE / "diagrams"
SCRIPT = HERE / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
FONTS = '"Noto Sans CJK JP", "Noto Sans JP", "Hiragino Sans", "Yu Gothic", Arial, sans-serif'
# htmlLabels: HTML in an SVG is not shown where the SVG is a picture. The font: a box is as wide as
# its text in the font that it was drawn with.
SETTINGS: dict[str, Any] = {
    "startOnLoad": False,
    "htmlLabels": False,
    "deterministicIds": True,
    "theme": "base",
    "look": "classic",
    "fontFamily": FONTS,
    # mermaid places the words on an arrow as if they were of 16px: a third of a line too low
    "themeCSS": ".edgeLabel text { transform: translateY(-7px) } .edgeLabel rect { opacity: 1 }",
    "themeVariables": {
        "fontFamily": FONTS,
        "fontSize": "22px",
        "primaryColor": "#e5f1f8",
        "primaryBorderColor": "#0072b2",
        "primaryTextColor": "#1f2328",
        "secondaryColor": "#fff6e0",
        "tertiaryColor": "#f3f6f9",
        "lineColor": "#57606a",
        "edgeLabelBackground": "#ffffff",
    },
    "flowchart": {
        "htmlLabels": False,
        "curve": "basis",
        "padding": 12,
        "nodeSpacing": 30,
        "rankSpacing": 36,
        "useMaxWidth": False,
        "wrappingWidth": 500,
        "subGraphTitleMargin": {"top": 8, "bottom": 8},
    },
}


def sources() -> list[Path]:
    """The diagrams' sources."""
    return sorted(FOLDER.glob("*.mmd"))


def mark(source: Path) -> str:
    """What ends the SVG of a source: a hash of it, and of the settings."""
    parts = source.read_text(encoding="utf-8") + json.dumps(SETTINGS, sort_keys=True)
    return f"<!-- drawn of {hashlib.sha256(parts.encode()).hexdigest()} -->"


def stale(source: Path) -> bool:
    """Was the source changed since its SVG was drawn?"""
    svg = source.with_suffix(".svg")
    return not svg.is_file() or not svg.read_text("utf-8").rstrip().endswith(mark(source))


def draw(paths: list[Path]) -> None:
    """Draw the SVGs of these sources. Raises WorkshopError."""
    from playwright.sync_api import Error, sync_playwright

    if not SCRIPT.is_file():
        raise WorkshopError("Mermaid is not there: run `make diagrams`, which installs it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        page = browser.new_page()
        page.set_content("<!doctype html><html lang='ja'><body></body></html>")
        page.add_script_tag(path=SCRIPT)
        page.evaluate("settings => mermaid.initialize(settings)", SETTINGS)
        for path in paths:
            name = re.sub(r"\W", "-", path.stem)
            try:
                svg = page.evaluate(
                    "async ([name, text]) => (await mermaid.render(name, text)).svg",
                    [name, path.read_text(encoding="utf-8")],
                )
            except Error as error:
                raise WorkshopError(f"slides/diagrams/{path.name}: {error.message}") from error
            target = path.with_suffix(".svg")
            target.write_text(f"{svg}\n{mark(path)}\n", encoding="utf-8", newline="\n")
            print(f"slides/diagrams/{target.name}: drawn")
        browser.close()


def main(argv: list[str] | None = None) -> int:
    """Draw or check the diagrams; 1 when --check finds one out of date or drawing fails."""
    parser = argparse.ArgumentParser(
        prog="python -m slides.diagrams",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="draw nothing")
    args = parser.parse_args(argv)
    late = [path for path in sources() if stale(path)]
    if late and not args.check:
        try:
            draw(late)
        except WorkshopError as error:
            print(error, file=sys.stderr)
            return 1
    elif late:
        names = ", ".join(path.name for path in late)
        print(f"Not drawn again: {names}. Run: make diagrams", file=sys.stderr)
    return int(args.check and bool(late))


if __name__ == "__main__":
    sys.exit(main())

"""Build the decks: HTML, PDF and notes of each language, from nothing but files of the clone.

    python -m slides.build [--language ja] [--out DIR] [--modules DIR] [--check]

The decks are filled (fill.py) and given to Marp, which `npm install` puts into slides/node_modules.
built/built.json says of which sources the built files are, so that a test without Node can tell
when they are not. A deck whose sources have not changed is left alone: a PDF is never the same
twice. --check says what is out of date (exit code 1), and builds nothing.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from workshop_helpers.core.errors import WorkshopError

from .fill import ROOT, fill, numbered

HERE = ROOT / "slides"
BUILT = HERE / "built"
LANGUAGES = ("ja", "en")
KINDS = {"html": "talk.{}.html", "pdf": "talk.{}.pdf", "notes": "notes.{}.md"}
# How Chromium is called; Marp itself looks for Chrome and Edge, which are in fixed places.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
IMAGE = re.compile(r'(?P<before>src="|url\(&quot;|url\("?)(?P<path>(?:diagrams|images)/[\w.-]+)')
MIME = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg"}


def source(language: str) -> Path:
    """The deck of a language ("ja" or "en")."""
    return HERE / f"talk.{language}.md"


def filled(language: str) -> str:
    """The deck with its placeholders filled. Raises WorkshopError where that is not possible."""
    path = source(language)
    return fill(path.read_text(encoding="utf-8"), language, f"slides/{path.name}")


def images(text: str) -> list[Path]:
    """The pictures of a filled deck. Raises WorkshopError where one is not there."""
    found = sorted({HERE / path for path in re.findall(r"\(((?:diagrams|images)/[\w.-]+)\)", text)})
    for path in found:
        if not path.is_file():
            hint = "`make diagrams` draws the diagrams" if path.suffix == ".svg" else "add it"
            raise WorkshopError(f"{path.relative_to(ROOT)} is not there: {hint}.")
    return found


def fingerprint(text: str) -> str:
    """A hash of all that a built deck is made of; `text` is the filled deck."""
    parts = [text.encode()]
    for path in (HERE / "theme.css", HERE / ".marprc.yml", HERE / "package.json", *images(text)):
        # as text: a checkout on Windows may have other line ends
        text_file = path.suffix not in (".png", ".jpg")
        parts.append(path.read_text("utf-8").encode() if text_file else path.read_bytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def stale(language: str, out: Path = BUILT) -> str | None:
    """Why the built files of a language are not those of its sources, or None."""
    was = known(out).get(language)
    if was is None:
        return "it was never built"
    for kind, name in KINDS.items():
        path = out / name.format(language)
        if not path.is_file():
            return f"{path.name} is not there"
        if hashlib.sha256(path.read_bytes()).hexdigest() != was["files"][kind]:
            return f"{path.name} is not the file that was built"
    return None if was["sources"] == fingerprint(filled(language)) else "its sources changed"


def known(out: Path) -> dict[str, Any]:
    """What built.json in `out` says of each language: hashes of its sources and its files."""
    path = out / "built.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def write_known(out: Path, of_all: dict[str, Any]) -> None:
    """Write built.json."""
    text = json.dumps(of_all, indent=2, sort_keys=True) + "\n"
    (out / "built.json").write_text(text, encoding="utf-8", newline="\n")


def build(language: str, out: Path = BUILT, modules: Path = HERE / "node_modules") -> None:
    """Write the HTML, the PDF and the notes of a language into `out`: all of them, or none.

    `modules` is the node_modules that has Marp. Raises WorkshopError.
    """
    text = filled(language)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="slides-") as temporary:
        work = Path(temporary)
        for path in (HERE / "theme.css", HERE / ".marprc.yml", *images(text)):
            target = work / path.relative_to(HERE)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
        (work / "talk.md").write_text(text, encoding="utf-8", newline="\n")
        _marp(work, modules, "talk.html")
        _marp(work, modules, "talk.pdf", "--allow-local-files")
        _marp(work, modules, "notes.txt", "--notes")
        html = embedded((work / "talk.html").read_text(encoding="utf-8"), work)
        notes = notes_page(text, (work / "notes.txt").read_text(encoding="utf-8"))
        contents = {
            "html": html.encode(),
            "pdf": (work / "talk.pdf").read_bytes(),
            "notes": notes.encode(),
        }
    for kind, name in KINDS.items():
        (out / name.format(language)).write_bytes(contents[kind])
    of_all = known(out)
    of_all[language] = {
        "sources": fingerprint(text),
        "files": {kind: hashlib.sha256(made).hexdigest() for kind, made in contents.items()},
    }
    write_known(out, of_all)


def _marp(work: Path, modules: Path, target: str, *options: str) -> None:
    """Let Marp make `target` of talk.md."""
    program = modules / "@marp-team" / "marp-cli" / "marp-cli.js"
    node = shutil.which("node")
    if node is None or not program.is_file():
        raise WorkshopError(
            "The decks need Node 18 or newer and Marp: install Node (Debian/Ubuntu: apt install "
            "nodejs npm) and run `make slides`, which installs Marp into slides/node_modules. "
            "The built decks in slides/built/ need neither."
        )
    environment = {**os.environ, "CHROME_NO_SANDBOX": "1"}  # root in a container has no sandbox
    if browser := browser_path():
        environment["CHROME_PATH"] = browser
    run = subprocess.run(
        [node, str(program), "--no-stdin", *options, "talk.md", "-o", target],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if run.returncode or not (work / target).is_file():
        raise WorkshopError(f"Marp made no {target}: {run.stderr.strip() or run.stdout.strip()}")


def browser_path() -> str | None:
    """The Chromium to use, where it has one of its usual names or CHROME_PATH names it."""
    return os.environ.get("CHROME_PATH") or next(filter(None, map(shutil.which, BROWSERS)), None)


def embedded(html: str, folder: Path) -> str:
    """A page with the pictures of `folder` inside it, so that it is one file."""

    def data(match: re.Match[str]) -> str:
        path = folder / match["path"]
        content = base64.b64encode(path.read_bytes()).decode()
        return f"{match['before']}data:{MIME[path.suffix]};base64,{content}"

    return IMAGE.sub(data, html)


def titles(text: str) -> list[str]:
    """The heading of each slide of a filled deck, with the cell that is shown there."""
    found: dict[int, list[str]] = {}
    for slide, _, line in numbered(text):
        words = found.setdefault(slide, [])
        if re.match(r"#{1,2} ", line) and not words:
            words.append(line.lstrip("#").strip())
        words += re.findall(r'<p class="cell">(.*?)</p>', line)
    return ["  ".join(words) for slide, words in found.items() if slide > 0]


def notes_page(text: str, notes: str) -> str:
    """Marp's notes of a filled deck as Markdown, each under the number and heading of its slide."""
    headings, said = titles(text), notes.rstrip("\n").split("\n\n---\n\n")
    if len(headings) != len(said):
        raise WorkshopError(f"Marp has {len(said)} notes for {len(headings)} slides.")
    pages = enumerate(zip(headings, said, strict=True), 1)
    return "\n".join(f"## {n}. {heading}\n\n{note.strip()}\n" for n, (heading, note) in pages)


def main(argv: list[str] | None = None) -> int:
    """Build or check the decks; 1 when --check finds one out of date or a build fails."""
    parser = argparse.ArgumentParser(
        prog="python -m slides.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--language", choices=LANGUAGES, help="only this one")
    parser.add_argument("--out", type=Path, default=BUILT, help="default: slides/built")
    parser.add_argument(
        "--modules", type=Path, default=HERE / "node_modules", help=argparse.SUPPRESS
    )
    parser.add_argument("--check", action="store_true", help="build nothing")
    args = parser.parse_args(argv)
    late = False
    for language in [args.language] if args.language else LANGUAGES:
        try:
            reason = stale(language, args.out)
            if reason and args.check:
                print(f"talk.{language}: {reason}. Run: make slides", file=sys.stderr)
                late = True
            elif reason:
                build(language, args.out.resolve(), args.modules.resolve())
                print(f"{args.out / KINDS['html'].format(language)}: built, as {reason}")
            else:
                print(f"{args.out / KINDS['html'].format(language)}: up to date")
        except WorkshopError as error:
            print(error, file=sys.stderr)
            return 1
    return int(late)


if __name__ == "__main__":
    sys.exit(main())

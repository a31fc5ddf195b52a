"""Build the course's site: the notebooks with their outputs, the guides, the slides, what was
measured; a static folder in both languages that needs no server and no network.

    python site/build.py [--out runs/site]

The pages keep their places in the repository, where their links work on GitHub. For Sphinx they are
copied, a language at a time, under the names of `pages`, and their links are put right on the way.
A link that leads nowhere fails the build, before Sphinx (`staged_link`), in it (warnings are
errors) or after it (`faults`).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OUT = ROOT / "runs" / "site"
LANGUAGES = ("ja", "en")
SLIDES = ROOT / "slides" / "built"
NOTES = {"ja": "発表者ノート", "en": "Speaker notes"}
CARD = "card.json"  # says that a folder is this site's, and may be replaced

# What has one text for both languages: a page in each build, so that every page has its twin.
SHARED = {
    "more/shop": "data/shop/README.md",
    "more/tech_support": "data/tech_support/README.md",
    "more/mame": "data/mame/README.md",
    "more/pretraining": "pretraining/README.md",
    "more/slides": "slides/README.md",
    "more/contributing": "CONTRIBUTING.md",
    "more/changelog": "CHANGELOG.md",
}

_CODE_BLOCK = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)
_PYTHON_WITH_SHELL = re.compile(r"^```python(?=\n(?:.*\n)*?[!%])")
_PICTURE_FROM_ELSEWHERE = re.compile(r"!\[([^\]]*)\]\(https?://[^)\s]+\)")  # the badges
_CODE_OR_LINK = re.compile(
    r"""`[^`\n]*`|(?P<before>\]\(|<img\ src=")(?P<link>[^()"\s]+)(?P<after>[)"])""", re.VERBOSE
)
_OWN_ANCHOR = re.compile(r'^(#+ .*?) *<a id="([^"]+)"></a>$', re.MULTILINE)


class BrokenLink(Exception):
    """A link in a page's source that leads nowhere."""


def pages(language: str) -> dict[str, Path]:
    """The pages of the site in a language: name (as in its address) → file in the repository."""
    ja = language == "ja"
    found = {
        "index": HERE / f"index.{language}.md",
        "start": ROOT / ("README.ja.md" if ja else "README.md"),
        "results": ROOT / "results" / ("README.ja.md" if ja else "README.md"),
        "results-beyond": ROOT / "results" / "advanced" / ("README.ja.md" if ja else "README.md"),
    }
    for kind in ("notebooks", "solutions", "advanced"):
        folder = ROOT / "notebooks" / ("" if kind == "notebooks" else kind) / ("" if ja else "en")
        for path in sorted(folder.glob("*.ipynb")):
            found[f"{kind}/{path.stem}"] = path
    for path in sorted((ROOT / "docs" / language).glob("*.md")):
        found[f"guides/{path.stem}"] = path
    if SLIDES.is_dir():
        found["slides"] = HERE / f"slides.{language}.md"
        found["notes"] = SLIDES / f"notes.{language}.md"
    return found | {name: ROOT / path for name, path in SHARED.items()}


@dataclass
class Stage:
    """The sources of one language, copied into `folder` as Sphinx shall see them."""

    language: str
    folder: Path

    @cached_property
    def names(self) -> dict[Path, str]:
        """File in the repository → name of its page in this language."""
        return {path: name for name, path in pages(self.language).items()}

    @cached_property
    def names_elsewhere(self) -> dict[Path, str]:
        """File in the repository → address of its page below the site, in the other language."""
        return {
            path: f"{other}/{name}.html"
            for other in LANGUAGES
            if other != self.language
            for name, path in pages(other).items()
        }

    def fill(self) -> None:
        for path, name in self.names.items():
            target = self.folder / f"{name}{path.suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".ipynb":
                text = self.notebook(text, path, target)
            else:
                text = self.prose(text, path, target)
            if name == "index" and not SLIDES.is_dir():
                text = text.replace("\nslides\nnotes\n", "\n")
            if name == "notes":  # what to say, to show, to skip: each has its line
                text = re.sub(r"(?<=\S)\n(?=\S)", "\\\\\n", text)
                text = f"# {NOTES[self.language]}\n\n{text}"
            target.write_text(text, encoding="utf-8")

    def notebook(self, text: str, path: Path, target: Path) -> str:
        """A notebook with its links put right and its set-up cell folded away."""
        notebook = json.loads(text)
        for cell in notebook["cells"]:
            tags = cell["metadata"].get("tags", [])
            if cell["cell_type"] == "markdown":
                cell["source"] = self.prose("".join(cell["source"]), path, target)
            elif "setup" in tags:
                tags.append("hide-input")
        return json.dumps(notebook, ensure_ascii=False)

    def prose(self, text: str, path: Path, target: Path) -> str:
        """Markdown with its links put right. Code blocks stay as they are; those for a notebook
        (`!command`) say so.
        """
        parts = _CODE_BLOCK.split(text)
        parts[1::2] = [_PYTHON_WITH_SHELL.sub("```ipython3", block) for block in parts[1::2]]
        for i in range(0, len(parts), 2):
            part = _PICTURE_FROM_ELSEWHERE.sub(r"\1", parts[i])
            part = _CODE_OR_LINK.sub(lambda found: self._staged(found, path, target), part)
            parts[i] = _OWN_ANCHOR.sub(r"(\2)=\n\1", part)
        return "".join(parts)

    def _staged(self, found: re.Match[str], path: Path, target: Path) -> str:
        if not found["link"]:
            return found[0]
        return found["before"] + self.staged_link(found["link"], path, target) + found["after"]

    def staged_link(self, link: str, path: Path, target: Path) -> str:
        """Where `link` of the file `path` leads in the copy `target`; BrokenLink if nowhere."""
        address, _, anchor = link.partition("#")
        if not address or urlsplit(link).scheme:
            return link
        wanted = (path.parent / unquote(address)).resolve()
        if not wanted.exists() or ROOT not in wanted.parents:
            raise BrokenLink(f"{path.relative_to(ROOT)}: {link} leads nowhere")
        if wanted.is_dir():
            wanted = self._page_of_folder(wanted)
        above = "../" * len(target.parent.relative_to(self.folder).parts)
        tail = f"#{anchor}" if anchor else ""
        if wanted in self.names:
            if anchor and f'id="{anchor}"' in wanted.read_text(encoding="utf-8"):
                return f"#{anchor}"
            return above + self.names[wanted] + wanted.suffix + tail
        if wanted in self.names_elsewhere:
            return f"{'site-at' if tail else 'site'}:../{above}{self.names_elsewhere[wanted]}{tail}"
        if SLIDES in wanted.parents:
            return f"site:../{above}slides/{wanted.relative_to(SLIDES).as_posix()}"
        inside = wanted.relative_to(ROOT).as_posix()
        if wanted.is_dir():
            return f"{repository()}/tree/main/{inside}"
        if wanted.suffix == ".md":
            raise BrokenLink(f"{path.relative_to(ROOT)}: {link} is no page: add it to SHARED")
        copy = self.folder / "files" / inside
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(wanted, copy)
        return f"{above}files/{inside}"

    def _page_of_folder(self, folder: Path) -> Path:
        """The page that shows a folder, or the folder itself."""
        if folder == SLIDES:
            return HERE / f"slides.{self.language}.md"
        notebooks, docs = ROOT / "notebooks", ROOT / "docs"
        if folder in (notebooks, notebooks / "en", docs, docs / "en", docs / "ja"):
            return HERE / f"index.{self.language}.md"
        if folder.parent.name == "solutions" or folder.name == "solutions":
            return next(p for p in self.names if self.names[p].startswith("solutions/"))
        return next((p for n in ("README.md",) if (p := folder / n) in self.names), folder)


def repository() -> str:
    """The address of the course in pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'(?m)^Repository = "([^"]+)"$', text)
    assert found is not None
    return found[1]


# --- what was built, looked at ------------------------------------------------------------------

# What a browser fetches by itself, and what a reader may follow.
_LOADS = {
    "img": "src", "script": "src", "iframe": "src", "source": "src", "video": "src",
    "object": "data", "link": "href",
}  # fmt: skip
_FETCHED_RELS = {
    "stylesheet",
    "icon",
    "shortcut",
    "preload",
    "modulepreload",
    "prefetch",
    "manifest",
}
_CSS_ADDRESS = re.compile(r"""(?:@import\s+|url\()\s*['"]?\s*((?:https?:)?//[^'")\s]+)""")


@dataclass
class Page(HTMLParser):
    """A built page: its ids, the addresses it loads and those it links to."""

    path: Path
    ids: set[str] = field(default_factory=set)
    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        text = self.path.read_text(encoding="utf-8")
        self.loads += _CSS_ADDRESS.findall(text)
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        elif tag in _LOADS and found.get(_LOADS[tag]):
            by_itself = tag != "link" or set(found.get("rel", "").split()) & _FETCHED_RELS
            (self.loads if by_itself else self.links).append(found[_LOADS[tag]])
        self.loads += [p.split()[0] for p in found.get("srcset", "").split(",") if p.strip()]


def faults(site: Path) -> Iterator[str]:
    """What is wrong with a built site: links and pictures that lead nowhere, and whatever would be
    fetched from another host.
    """
    files = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    found = {path: Page(path) for path in files}
    for path, page in found.items():
        name = path.relative_to(site)
        for address in page.loads:
            parts = urlsplit(address)
            if parts.netloc or parts.scheme in ("http", "https"):
                yield f"{name} loads {address} from elsewhere"
            elif parts.scheme != "data" and not _target(site, path, parts.path).is_file():
                yield f"{name} loads {address}, which is not there"
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
                continue
            target = _target(site, path, parts.path)
            if not target.is_file():
                yield f"{name} links to {address}, which is not there"
            elif (
                parts.fragment
                and target in found
                and unquote(parts.fragment) not in found[target].ids
            ):
                yield f"{name} links to {address}, which has no such place"
    for path in sorted(site.rglob("*.css")):
        for address in _CSS_ADDRESS.findall(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(site)} loads {address} from elsewhere"


def _target(site: Path, page: Path, address: str) -> Path:
    """The file that `address` means on `page`."""
    target = (page.parent / unquote(address)).resolve() if address else page
    if target.is_dir():
        target /= "index.html"
    return target if site in target.parents else site / "outside the site"


# --- building -----------------------------------------------------------------------------------


def build(out: Path) -> list[str]:
    """Build the site into `out`, whole or not at all; gives what is wrong, and then `out` stays as
    it was.
    """
    from workshop_helpers.core.artifacts import atomic_directory, refuse_foreign_folder

    refuse_foreign_folder(out, {"kind": "site"})  # before the work is done
    with tempfile.TemporaryDirectory() as work:
        runs = []
        for language in LANGUAGES:
            stage = Stage(language, Path(work, language))
            try:
                stage.fill()
            except BrokenLink as broken:
                return [str(broken)]
            runs.append(_sphinx(language, stage.folder, Path(work, f"{language}-built", "html")))
        told = [run.communicate()[0] for run in runs]  # both at once, on two cores
        if any(run.returncode for run in runs):
            return [text.replace(work + os.sep, "") for text in told if text.strip()]
        site = Path(work, "site").resolve()
        site.mkdir()
        for language in LANGUAGES:  # beside its pages Sphinx leaves what nobody needs
            Path(work, f"{language}-built", "html").rename(site / language)
        shutil.copyfile(HERE / "choose.html", site / "index.html")
        (site / ".nojekyll").touch()  # else GitHub Pages drops the folders that begin with _
        (site / CARD).write_text('{"kind": "site"}\n', encoding="utf-8")
        if SLIDES.is_dir():
            shutil.copytree(SLIDES, site / "slides")
        if found := list(faults(site)):
            return found
        with atomic_directory(out) as temporary:
            shutil.copytree(site, temporary, dirs_exist_ok=True)
    return []


def _sphinx(language: str, source: Path, out: Path) -> subprocess.Popen[str]:
    """Sphinx at work on one language; it says nothing unless something is wrong."""
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-n", "-W", "--keep-going"]
    command += ["-c", str(HERE), "-D", f"language={language}", str(source), str(out)]
    command += ["-d", f"{source}-doctrees"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )


def main(arguments: list[str] | None = None) -> int:
    from workshop_helpers.core.errors import WorkshopError

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT, help="default: runs/site")
    out = parser.parse_args(arguments).out.resolve()
    try:
        found = build(out)
    except WorkshopError as error:
        found = [str(error)]
    if found:
        print("\n".join(found), file=sys.stderr)
        return 1
    print(f"Open {(out / 'index.html').as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

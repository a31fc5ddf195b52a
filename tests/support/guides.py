"""Reads the READMEs and the guides in docs/ as the tests want them: headings, code, links and what
is quoted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("en", "ja")
README = {"en": "README.md", "ja": "README.ja.md"}
NOT_REPRODUCED = {
    "en": "not reproduced by the project",
    "ja": "このプロジェクトでは再現していません",
}
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_ID = re.compile(r'<a id="([^"]+)"></a>')


def guides(language: str) -> list[str]:
    """Names of the guides, such as "colab"."""
    return sorted(path.stem for path in (ROOT / "docs" / language).glob("*.md"))


def texts() -> list[Path]:
    """Every page that a reader may open: the READMEs and the guides."""
    return [ROOT / name for name in README.values()] + sorted((ROOT / "docs").rglob("*.md"))


@cache
def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, content) of each fenced block."""
    return _FENCE.findall(text)


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", text)


def spans(text: str) -> list[str]:
    """What stands between single back ticks in the prose, on one line each."""
    return [" ".join(span.split()) for span in _SPAN.findall(prose(text))]


def headings(text: str) -> list[tuple[int, str]]:
    """(level, title) of each heading."""
    found = re.findall(r"^(#+) (.+)$", prose(text), re.MULTILINE)
    return [(len(marks), title) for marks, title in found]


def anchors(text: str) -> set[str]:
    """What a link can name after #: the slug that GitHub makes of each heading, and ids that stand
    in the text.
    """
    slugs = set()
    for _, title in headings(text):
        plain = re.sub(r"<[^>]+>", "", title).strip().lower()
        slugs.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return slugs | set(_ID.findall(text))


def commands(block: str) -> list[str]:
    """The command lines of a block of shell, PowerShell or notebook: continued lines joined,
    comments taken away.
    """
    lines = re.sub(r"[\\`]\n\s*", " ", block).splitlines()
    bare = [re.split(r"(?:^|\s+)#", line, maxsplit=1)[0].strip().lstrip("!") for line in lines]
    return [line for line in bare if line]


def workshop_words(command: str) -> list[str] | None:
    """The words after `workshop`, or None for another command. A quoted text is one word."""
    found = re.match(r"(?:\S*[/\\])?workshop(?:\s+(.*))?$", command)
    if found is None:
        return None
    return [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', found[1] or "")]


# --- Troubleshooting ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One entry of the troubleshooting page: its id, the messages that it quotes (… stands for what
    varies), whether it is marked as not reproduced, and its text.
    """

    id: str
    messages: tuple[str, ...]
    marked: bool
    text: str


@cache
def entries(language: str) -> dict[str, Entry]:
    """The entries of docs/LANGUAGE/troubleshooting.md, in their order, by their ids."""
    text = read(ROOT / "docs" / language / "troubleshooting.md")
    found: dict[str, Entry] = {}
    for part in re.split(r"^(?=#{2,3} )", text, flags=re.MULTILINE):
        if not part.startswith("### "):
            continue
        named = _ID.findall(part.partition("\n")[0])
        assert len(named) == 1, f"an entry's heading has one id: {part[:80]}"
        assert named[0] not in found, f"two entries are called {named[0]}"
        messages = tuple(body.strip() for kind, body in blocks(part) if kind == "text")
        marked = NOT_REPRODUCED[language] in " ".join(part.split())
        found[named[0]] = Entry(named[0], messages, marked, part)
    return found


def says(message: str, said: str) -> bool:
    """Whether a quoted message stands in what was said; … is any text, and line ends count as
    spaces.
    """
    pieces = [re.escape(" ".join(piece.split())) for piece in message.split("…")]
    return re.search(".+?".join(pieces), " ".join(said.split())) is not None

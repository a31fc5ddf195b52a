"""What changed from one answer to another, in pieces that can be read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from html import escape

from .answers import MARKS
from .html import Html

# A number, a Latin word, a run of kanji or of katakana; else a single character. A number or a word
# that changed in one place is another one.
_TOKEN = re.compile(
    r"\d+(?:[.,:．，：]\d+)*|[A-Za-zÀ-ɏ]+(?:['’-][A-Za-zÀ-ɏ]+)*|[\u3005\u3400-\u9fff]+"
    r"|[\u30a1-\u30fa\u30fc]+|.",
    re.S,
)
# An equal stretch between two changes is kept if it weighs so much, or as much as the changes
# beside it; less than that share of equal text is none.
_ENOUGH, _SHARE = 5, 0.2

_Change = tuple[bool, list[str], list[str]]  # whether equal; the tokens before and after


def diff(before: str, after: str) -> Html:
    """What changed from one text to the other, by words and phrases, as <del> and <ins>.

    Equal stretches that are too short to be read between two changes are taken into these. Where
    hardly anything is equal, the texts stand whole, one below the other.
    """
    changes = _readable(_changes(_TOKEN.findall(before), _TOKEN.findall(after)))
    equal = sum(_weight(old) for same, old, _ in changes if same)
    if before and after and equal < _SHARE * max(map(_weight, _both(changes))):
        return _one_below_the_other(before, after)
    out, text = [], []
    for same, old_tokens, new_tokens in changes:
        old, new = "".join(old_tokens), "".join(new_tokens)
        if same:
            out.append(escape(old))
            text.append(old)
            continue
        out += [f'<del style="{MARKS["del"]}">{escape(old)}</del>'] if old else []
        out += [f'<ins style="{MARKS["ins"]}">{escape(new)}</ins>'] if new else []
        text += [f"[-{old}-]"] if old else []
        text += [f"{{+{new}+}}"] if new else []
    body = "".join(out)
    return Html(
        f'<div style="white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.7">{body}</div>',
        "".join(text),
    )


def _one_below_the_other(before: str, after: str) -> Html:
    lines = "".join(
        f'<div style="{MARKS[f"{tag}-line"]}"><{tag} style="text-decoration:none">'
        f"{escape(text)}</{tag}></div>"
        for tag, text in (("del", before), ("ins", after))
    )
    style = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.7"
    return Html(f'<div style="{style}">{lines}</div>', f"[-{before}-]\n{{+{after}+}}")


def _changes(before: list[str], after: list[str]) -> list[_Change]:
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    return [
        (kind == "equal", before[a0:a1], after[b0:b1])
        for kind, a0, a1, b0, b1 in matcher.get_opcodes()
    ]


def _readable(changes: list[_Change]) -> list[_Change]:
    """The same changes, with the lightest unreadable stretch taken into its neighbours, until there
    is none.
    """
    while True:
        light = [
            (_weight(old), place)
            for place, (same, old, _) in enumerate(changes)
            if same and len(changes) > 1 and not _stays(changes, place)
        ]
        if not light:
            return changes
        place = min(light)[1]
        around = changes[max(place - 1, 0) : place + 2]
        changes = [
            *changes[: max(place - 1, 0)],
            (False, *_both(around)),
            *changes[place + 2 :],
        ]


def _stays(changes: list[_Change], place: int) -> bool:
    """Whether the equal stretch there can be read: at an end of the text one word or two characters
    are enough, between two changes it needs more.
    """
    weight = _weight(changes[place][1])
    if place in (0, len(changes) - 1):
        return weight >= 2
    beside = [max(map(_weight, changes[p][1:])) for p in (place - 1, place + 1)]
    return weight >= 2 and weight >= min(_ENOUGH, *beside)


def _both(changes: Iterable[_Change]) -> tuple[list[str], list[str]]:
    """The tokens before and after of all these changes."""
    found: tuple[list[str], list[str]] = ([], [])
    for _, old, new in changes:
        found[0].extend(old)
        found[1].extend(new)
    return found


def _weight(tokens: list[str]) -> int:
    """How much there is to read: a number or a Latin word weighs 2, a Japanese character 1."""
    return sum(
        2 if token[0].isascii() else len(token) for token in tokens if re.match(r"\w", token)
    )

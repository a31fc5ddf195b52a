"""Faults of rows: a wording with its values, and the rule that is broken."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import WorkshopError
from ...core.wordings import Wording

MOST_FAULTS = 10
_EXCERPT = 80
# Control tokens of the course's chat templates. In a row's text they would end the turn early.
SPECIAL_TOKEN = re.compile(
    r"<\|[A-Za-z0-9_]{2,40}\|>|<(?:start|end)_of_turn>|</s>|<(?:bos|eos)>|\[/?INST\]|<</?SYS>>"
)
# Different names for the same field, which difflib cannot match.
_SYNONYMS = [
    set(names.split())
    for names in (
        "question instruction prompt query input user 質問 問い合わせ 指示",
        "answer output completion response reply result assistant 回答 答え 応答",
        "messages conversations conversation turns dialog dialogue chat 会話",
        "role from speaker author",
        "content value text message parts",
    )
]
_LISTS = {"messages", "conversations", "contents"}  # fields that are lists of turns

Fields = Mapping[str, Any]  # a row or a turn, as read from a file


@dataclass(frozen=True)
class Fault:
    """A row that could not be read.

    rule: its stable name ("invalid-json", "missing-field", "wrong-role", "wrong-order",
    "empty-question", "empty-answer", "encoding", "invalid-csv", "unreadable", "row-too-large");
    line: from 1; message: what is wrong; fix: what to do; excerpt: the faulty part of the file.
    `str()` gives all of it in English.
    """

    rule: str
    file: str
    line: int
    message: Wording
    fix: Wording
    excerpt: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message} {self.fix}"


class RowFault(ValueError):
    """A fault of one row: its `message`, how to `fix` it, and the `rule` it breaks.

    code: an entry of core/wordings/formats.yaml, filled with `values`. The default for the rule is
    the part before the first dot, for the fix the entry `code`.fix. `str()` gives it in English.
    """

    def __init__(
        self, code: str, /, *, rule: str | None = None, fix: Wording | None = None, **values: Any
    ) -> None:
        super().__init__(code)
        self.rule = rule or code.partition(".")[0]
        self.message = word(code, **values)
        self.fix = fix or word(f"{code}.fix", **values)

    def __str__(self) -> str:
        return f"{self.message} {self.fix}"

    def at(self, file: str, line: int, excerpt: str = "") -> Fault:
        """This fault with its place in a file."""
        return Fault(self.rule, file, line, self.message, self.fix, _shorten(excerpt))


def word(name: str, /, **values: Any) -> Wording:
    """An entry of formats.yaml."""
    return Wording(f"formats.{name}", values)


def quoted(names: Iterable[str]) -> list[Wording]:
    """Field names, each in the quotation marks of the language."""
    return [word("field", name=_shorten(name, 40)) for name in names]


def _shorten(text: str, limit: int = _EXCERPT) -> str:
    """The text on one line, cut with "…" if it is longer than the limit."""
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit and len(text) <= 4 * limit else line[: limit - 1] + "…"


def raise_faults(
    path: Path, faults: Sequence[object], *, count: int | None = None, also: Sequence[str] = ()
) -> None:
    """Raise a WorkshopError that lists at most ten faults of a file; do nothing without faults.

    count: the total, if not all were kept; also: lines to add below the list.
    """
    if not faults:
        return
    shown = [str(fault) for fault in faults[:MOST_FAULTS]]
    more = (count or len(faults)) - len(shown)
    if more:
        shown.append(f"… and {more} more faults in {path}.")
    raise WorkshopError("\n".join([*shown, *also]))


def nothing(value: object) -> bool:
    """Whether a value stands for no value: null, NaN (which pandas writes for it), or empty; also
    if that is JSON in a table's cell.
    """
    return value is None or value != value or value in ("", [], {}, "[]", "{}")


def kind(value: object) -> Wording:
    """The JSON type of a value: object, list, text, number, true/false or null."""
    if value != value:
        return word("kind.null")
    names = {dict: "object", list: "list", str: "text", bool: "true/false", type(None): "null"}
    return word("kind." + names.get(type(value), "number"))


def field_text(row: Fields, name: str, *, known: Sequence[str], rule: str = "empty-field") -> str:
    """The text of a required field; RowFault if it is missing, empty or not text.

    known: names that are not misspellings; rule: the rule for an empty text.
    """
    if name not in row:
        raise missing(row, name, known)
    value = row[name]
    if not isinstance(value, str):
        wrong = rule if value is None or value != value else None
        raise RowFault("missing-field.no-text", rule=wrong, field=name, kind=kind(value))
    if not value.strip():
        raise RowFault("empty-field", rule=rule, field=name)
    return value


def missing(row: Fields, name: str, known: Sequence[str]) -> RowFault:
    """The fault of a missing field; it names a misspelt field or a synonym if there is one."""
    sort: Any = list if name in _LISTS else str | list if name == "parts" else str
    others = [
        key for key, value in row.items() if key not in known and isinstance(value, sort)
    ]  # one of another kind is not meant
    near = difflib.get_close_matches(name, others, n=1, cutoff=0.6)
    near = near or [key for key in others if _same(name, key)]
    if near:
        return RowFault("missing-field.misspelt", field=name, other=near[0])
    have = quoted(map(str, list(row)[:20])) or word("none")
    return RowFault("missing-field.absent", field=name, names=have)


def likeness(name: str, key: str) -> float:
    """How likely `key` means the field `name` (0 to 1): equal, a synonym or similar spelling."""
    if name == key:
        return 1.0
    spelt = difflib.SequenceMatcher(None, name, key[:100]).ratio()
    return 0.6 if _same(name, key) else 0.6 * spelt


def _same(name: str, key: str) -> bool:
    return any(name in names and key.strip().lower() in names for names in _SYNONYMS)


# What tools write for "no value", in lower case without brackets.
_STAND_INS = "noinput none nan null nil n/a na undefined なし 無し 特になし 該当なし"


def optional_text(row: Fields, name: str) -> str | None:
    """The text of a field that may be missing or empty; RowFault if it is not text, or a word that
    stands for no text ("<noinput>", "nan", "N/A").
    """
    value = row.get(name)
    if nothing(value) or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        raise RowFault("missing-field.no-text", field=name, kind=kind(value))
    if (
        len(value) < 20
        and re.sub(r"[\s<>()\[\]{}_.-]+", "", value.casefold()) in _STAND_INS.split()
    ):
        raise RowFault("missing-field.stand-in", field=name, text=value.strip())
    return value


def check_text(text: str) -> None:
    """Raise RowFault for a text with control tokens or half characters."""
    # Every token contains one of these two; checking for them first is much faster.
    token = SPECIAL_TOKEN.search(text) if "<" in text or "[" in text else None
    if token:
        raise RowFault("special-token", token=token[0])
    check_characters(text)


def check_characters(text: str) -> None:
    """Raise RowFault for half of a surrogate pair, which UTF-8 cannot store."""
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowFault("encoding.half-character") from error

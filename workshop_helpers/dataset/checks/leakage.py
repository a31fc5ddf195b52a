"""Test questions in the training data: equal, nearly equal, or paraphrased.

Only questions are compared, since different questions may have the same answer. A paraphrase has
the same content words in another order, or is nearly equal without polite phrases.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import WorkshopError
from ..formats import Conversation, open_rows
from .findings import Finding, Place
from .row import CheckedRow, Places, SetCheck
from .similarity import Similar, plain

_STOP_WORDS = """
a an the is are am was were be been do does did can could will would shall should may might
must i me my you your we us our it its this that these those to of in on at for from by with
about and or so if as please thanks thank hello hi hey there tell know let want like just
any some have has had get got s m re ve ll t d
"""
_STOP = frozenset(_STOP_WORDS.split())
_COURTESY = re.compile(
    r"お?(?:教え|おしえ)て"
    r"(?:ください|下さい|いただけますか|もらえますか|ほしい(?:です)?|くれますか)?(?:ませんか)?"
    r"|(?:お願い(?:し|いたし|致し)ます|お願いします|すみません(?:が)?|すいません|こんにちは"
    r"|ありがとう(?:ございます)?)"
    r"|(?:でしょう|です|ます|ません|ました|でした|ください|下さい|いただけ|もらえ|できます|可能)"
    r"(?:か|が|けど|けれど)?|について|ですが|のですが|んですが|知りたい|聞きたい|確認したい"
    r"|(?<![一-龥])[おご](?=[一-龥])"
)
_RUN = re.compile(r"[一-龥々]+|[ァ-ヴー]+|[a-z0-9]+|いつ|いくら|どこ|だれ|誰|どう|なぜ|どれ|どの")
_LATIN = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class HeldOut:
    """A question of a validation or test file, and its place."""

    place: Place
    question: str


def read_held_out(path: str | Path) -> Iterator[HeldOut]:
    """The questions of a file that must not be trained on.

    The file contains rows of any known format, or questions (JSON Lines with `question` and no
    answer, as for `workshop verify`). Raises WorkshopError for an unreadable file.
    """

    path = Path(path)
    if _is_questions_file(path):
        with open(path, encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    row = json.loads(line)
                except (json.JSONDecodeError, RecursionError):
                    continue
                if isinstance(row, dict) and isinstance(row.get("question"), str):
                    yield HeldOut(Place(str(path), number), row["question"])
        return
    with open_rows(path) as rows:
        for row in rows:
            if isinstance(row, Conversation):
                yield HeldOut(Place(str(path), row.line or 0), asked(row))


def _is_questions_file(path: Path) -> bool:
    if path.suffix.lower() not in (".jsonl", ".ndjson"):
        return False
    try:
        with open(path, encoding="utf-8-sig") as lines:
            first = json.loads(next((line for line in lines if line.strip()), "null"))
    except FileNotFoundError as error:
        raise WorkshopError(f"There is no file {path}.") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        return False
    return isinstance(first, dict) and "question" in first and "answer" not in first


def asked(conversation: Conversation) -> str:
    """The user turns of a row."""
    messages = conversation.messages
    if len(messages) == 2:
        return messages[0].content
    return "\n".join([m.content for m in messages if m.role == "user"])


def content(text: str) -> str:
    """A question in the `plain` form, without polite phrases and stop words."""
    text = plain(text)
    if text.isascii():
        return " ".join(_stem(word) for word in text.split() if word not in _STOP)
    return _COURTESY.sub("", text).replace(" ", "")


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def content_words(text: str) -> tuple[str, ...]:
    """The content words of a question, sorted, so that their order does not matter.

    English: without stop words and endings. Japanese: runs of kanji, katakana, Latin letters, and
    question words. Empty for fewer than three, which are a topic and not a question.
    """
    text = content(text)
    words = _LATIN.findall(text) if text.isascii() else _RUN.findall(text)
    return tuple(sorted(words)) if len(words) >= 3 else ()


class Leakage(SetCheck):
    """`leakage`: training rows whose question is in a held-out file.

    near: also find nearly equal questions (needs numpy), not only equal ones and the same
    words in another order. An equal or nearly equal question is an error, a paraphrase a warning.
    Memory depends only on the held-out questions.
    """

    NEAR = 0.8
    LIKE = 0.7

    def __init__(self, places: Places, held_out: Iterable[HeldOut], *, near: bool = True) -> None:
        super().__init__(places)
        self._equal: dict[str, Place] = {}
        self._words: dict[tuple[str, ...], Place] = {}
        self._held: list[Place] = []
        self._near = Similar(self.NEAR) if near else None
        self._like = Similar(self.LIKE) if near else None
        self.questions = 0
        for held in held_out:
            self.questions += 1
            key = plain(held.question)
            if not key or key in self._equal:
                continue
            self._equal[key] = held.place
            words = content_words(held.question)
            if words:
                self._words.setdefault(words, held.place)
            if self._near is not None and self._like is not None:
                self._held.append(held.place)
                self._near.add(held.question)
                self._like.add(content(held.question))

    def summary(self) -> dict[str, Any]:
        """The number of held-out questions."""
        return {"held_out": self.questions}

    def add(self, row: CheckedRow) -> Iterable[Finding]:
        question = asked(row.conversation)
        found = self._leak(question)
        if found is None:
            return ()
        code, severity, held, share = found
        values = {"excerpt": question, "severity": severity, "share": share}
        return [row.finding("leakage", code, held, **values)]

    def _leak(self, question: str) -> tuple[str, str, Place, float] | None:
        """The strongest match of a question: wording, severity, place, similarity."""
        place = self._equal.get(plain(question))
        if place is not None:
            return "leak-equal", "error", place, 1.0
        near = self._near.nearest(question) if self._near is not None else None
        if near is not None:
            return "leak-near", "error", self._held[near[0]], near[1]
        words = content_words(question)
        place = self._words.get(words) if words else None
        if place is not None:
            return "leak-words", "warning", place, 1.0
        kept = content(question) if self._like is not None else ""
        like = self._like.nearest(kept) if self._like is not None and len(kept) >= 6 else None
        return ("leak-courtesies", "warning", self._held[like[0]], like[1]) if like else None

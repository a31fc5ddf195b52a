"""Detectors of names: with a title or label, in a signature, or in an introduction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

from ..spans import Span, matches_near, stars, text_before

_LISTS = ConfigParser()
_LISTS.read(Path(__file__).with_name("known_names.ini"), encoding="utf-8")
_KNOWN = {name: frozenset(words.split()) for name, words in _LISTS["names"].items()}

_WORD = r"(?:[OD]['’]|Ma?c)?[A-Z][a-z]+(?:['’-](?!s\b)[A-Z]?[a-z]+)?|[A-Z]\."
_PEOPLE = rf"(?P<name>(?:{_WORD})(?: (?:{_WORD})){{0,2}})(?![A-Za-z*…])"
_TITLED = re.compile(rf"(?<![A-Za-z])(?:Mr|Mrs|Ms|Miss|Dr)\.? {_PEOPLE}")
_HOUSE = re.compile(r"\d [A-Z][a-z]+ $")
_DEAR = re.compile(rf"\bDear {_PEOPLE}(?=\s*[,:!\n]|\s*$)")
_MY_NAME = re.compile(
    rf"\b(?i:my|the|full|last|first) ?name is (?:{_PEOPLE}|(?P<small>[a-z]+)(?P<second> [a-z]+)?)"
)
_NAME_LABEL = re.compile(
    r"(?m)\b(?P<label>(?i:full name|customer name|contact name|recipient(?:'s)? name"
    rf"|cardholder name|name)): {_PEOPLE}"
)
_SIGNED = re.compile(
    r"(?i:regards|sincerely|thanks|thank you|yours(?: truly| faithfully)?|cheers|best wishes|best"
    rf"|respectfully),\n\s*{_PEOPLE}[^\S\n]*(?:\n|$)"
)


def english_names(text: str, speaker: str | None) -> Iterator[Span]:
    """English names, except "My name is …" of an assistant or system turn."""
    for found in _TITLED.finditer(text):
        # "12 Maple Dr. Springfield" is a street.
        if not found[0].startswith("Dr") or not _HOUSE.search(text_before(found)):
            yield from _person(found, "note")  # of a story, a public figure, a member of staff
    for found in _DEAR.finditer(text):
        if not re.match(r"(?:Mr|Mrs|Ms|Miss|Dr)\b", found["name"]):
            yield from _person(found)
    if speaker not in ("assistant", "system"):
        for found in _MY_NAME.finditer(text):
            if found["name"]:
                yield from _person(found)
            elif found["small"] in _KNOWN["given_names"]:
                masked = stars(found["small"], keep_first=True)
                yield Span(*found.span("small"), "name", "note", masked)
    for pattern in (_NAME_LABEL, _SIGNED):
        for found in pattern.finditer(text):
            first = found["name"].split()[0].lower()
            label = found.groupdict().get("label", "")
            if first in _KNOWN["given_names"] or (label and label.lower() != "name"):
                # An assistant signs for a firm, or ends a letter that it was asked to write.
                written = pattern is _SIGNED and speaker == "assistant"
                yield from _person(found, "note" if written else None)


def _person(found: re.Match[str], severity: str | None = None) -> Iterator[Span]:
    words = found["name"].lower().split()
    if _KNOWN["no_names"].intersection(words) or words in (["john", "doe"], ["jane", "doe"]):
        return
    # A family name or a given name alone does not identify a person.
    severity = severity or ("warning" if len(words) > 1 else "note")
    yield Span(*found.span("name"), "name", severity, stars(found["name"], keep_first=True))


_KANJI = "一-龥々"
_SURNAME = "|".join(sorted(_KNOWN["surnames"], key=lambda name: (-len(name), name)))
_ROLES = tuple(_KNOWN["katakana_roles"])
_GIVEN = rf"[{_KANJI}]{{1,3}}|(?![はがをにのともへやで])[ぁ-ん]{{2,4}}|[ァ-ヴー]{{2,5}}"
# Words directly before a name.
_BEFORE = "".join(
    rf"|(?<={word})" for word in (
        "担当", "担当者", "弊社", "当社", "御社", "会員", "社員", "店員", "先輩", "後輩", "同僚",
        "本日", "先日", "昨日", "株式会社", "有限会社",
    )
)  # fmt: skip
_FIRST = "".join(sorted({name[0] for name in _KNOWN["surnames"]}))
_START = rf"(?=[{_FIRST}])(?:(?<![{_KANJI}*]){_BEFORE})"
_TITLE = "様(?![々子式相態])|氏(?![名族神])|殿(?!堂)"
_ANY_TITLE = re.compile("様|氏|さん|殿|君")
_NAME = rf"(?P<name>(?P<surname>{_SURNAME})(?: ?(?P<given>{_GIVEN}))??)"
_CALLED = re.compile(rf"{_START}{_NAME} ?(?P<title>{_TITLE}|さん|君(?!主))")
_CALLED_APART = re.compile(
    rf"(?<![{_KANJI}ァ-ヴー])(?P<name>[{_KANJI}]{{1,3}} (?P<given>{_GIVEN})) ?(?P<title>{_TITLE})"
)
_CALLED_KATAKANA = re.compile(
    r"(?<![ァ-ヴー*・])(?P<name>[ァ-ヴー]{2,12}(?P<more>(?:[・=][ァ-ヴー]{2,12}){0,3}))"
    rf" ?(?P<title>{_TITLE}|さん)"
)
_LABELLED = re.compile(
    r"(?:氏名|名前|宛名|名義人|名義|契約者名?|担当者名?|担当|お客様名|ご本人様?)"
    rf" ?[:は] ?(?=[{_FIRST}]){_NAME}"
    r"(?=です|と申し|といいます|と言います|\s*$|\s*[\n、。,」(])",
    re.MULTILINE,
)
_SELF = re.compile("と(?:申し|言います)")
_INTRODUCED = re.compile(
    rf"(?:^|[、。「\n](?:私、)?|私は|[はの])(?=[{_FIRST}]){_NAME}(?=と(?:申し|言います))",
    re.MULTILINE,
)


def japanese_names(text: str) -> Iterator[Span]:
    """Japanese names, in kanji, kana and katakana; a note for uncertain ones."""
    for found in matches_near(_CALLED, _ANY_TITLE, text, 12, 2):
        given = found["given"] or ""
        if not _is_firm(given):
            # A family name alone does not identify a person; with 様 or a given name it does.
            yield _name_span(found, "warning" if given or found["title"] == "様" else "note")
    for found in matches_near(_CALLED_APART, _ANY_TITLE, text, 12, 2):
        if not _is_firm(found["given"]):
            yield _name_span(found, "note")
    for found in matches_near(_CALLED_KATAKANA, _ANY_TITLE, text, 30, 2):
        whole = bool(found["more"])
        if not found["name"].endswith(_ROLES) and (whole or found["title"] != "さん"):
            yield _name_span(found, "note")
    for found in (*_LABELLED.finditer(text), *matches_near(_INTRODUCED, _SELF, text, 14, 3)):
        if not _is_firm(found["given"] or ""):
            yield _name_span(found, "warning")


def family_name(name: str) -> str:
    """The family name of a Japanese name: up to a space, or the longest known one at its start."""
    known = (name[:size] for size in range(len(name), 0, -1))
    apart = re.split("[ \u3000]", name)
    return apart[0] if len(apart) > 1 else next((n for n in known if n in _KNOWN["surnames"]), name)


def _is_firm(given: str) -> bool:
    """Whether it is not a given name but the end of a company, place or group name."""
    firm = {given, given[-2:]} & _KNOWN["firm_endings"]
    return bool(given) and (given[-1] in _KNOWN["no_name_endings"] or bool(firm))


def _name_span(found: re.Match[str], severity: str) -> Span:
    name = found["name"]
    masked = stars(name) if len(name) == 1 else name[0] + stars(name[1:])
    return Span(*found.span("name"), "name", severity, masked)

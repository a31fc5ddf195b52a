"""The table of wordings: texts for people, by code and values, in each language.

The table is a set of YAML files beside this module, one per subject: "checks.too-short" is the
entry `too-short` of checks.yaml, a mapping of languages to texts. Nothing parses whole sentences.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "ja")


@dataclass(frozen=True)
class Wording:
    """What is said: `code` names the entry, `values` fill its fields. `str()` is English."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def said(self, language: str = "en") -> str:
        return say(self.code, language, **self.values)

    def __str__(self) -> str:
        return self.said()


def say(code: str, language: str = "en", /, **values: Any) -> str:
    """The text of `code` in `language` ("en" or "ja"), with `values` in its fields.

    Fields are those of `str.format`, and `{n:=row|rows}`, which is the first word if n is 1,
    else the second. A Wording as a value is given in the same language; a list is joined by
    ", " or "、". KeyError for an unknown code.
    """
    subject, _, name = code.partition(".")
    return _Formatter(language).vformat(_table(subject)[name][language], (), values)


@cache
def _table(subject: str) -> dict[str, dict[str, str]]:
    import yaml

    text = Path(__file__).with_name(f"{subject}.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times quicker
    table: dict[str, dict[str, str]] = yaml.load(text, Loader=loader)
    return table


def entries(subject: str) -> dict[str, dict[str, str]]:
    """All entries of a subject, by name."""
    return dict(_table(subject))


class _Formatter(string.Formatter):
    def __init__(self, language: str) -> None:
        self.language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec.startswith("="):
            one, many = format_spec[1:].split("|")
            return one if value == 1 else many
        if isinstance(value, Wording):
            value = value.said(self.language)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            comma = "、" if self.language == "ja" else ", "
            value = comma.join(self.format_field(item, "") for item in value)
        return str(super().format_field(value, format_spec))

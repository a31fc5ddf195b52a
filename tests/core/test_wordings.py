"""The table of wordings: every entry can be said in both languages, with the same fields."""

from __future__ import annotations

import string
from pathlib import Path

import pytest

from workshop_helpers.core import wordings
from workshop_helpers.core.wordings import LANGUAGES, Wording, entries, say

# The Japanese has another form of the same value: a name of its own, a sentence without its 。
OTHER_FORMS = {"line-of": {"name"}, "other-encoding": {"name"}, "see": {"short"}}
SUBJECTS = sorted(path.stem for path in Path(wordings.__file__).parent.glob("*.yaml"))


def fields(text: str) -> set[str]:
    return {name.partition(".")[0] for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_each_entry_has_both_languages_and_the_same_fields(subject: str) -> None:
    for name, texts in entries(subject).items():
        assert set(texts) == set(LANGUAGES) and all(texts.values()), name
        assert fields(texts["ja"]) <= fields(texts["en"]) | OTHER_FORMS.get(name, set()), name


def test_numbers_lists_and_nested_wordings(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {
        "rows": {"en": "{n:,} {n:=row|rows}: {names}", "ja": "{n:,}行：{names}"},
        "kind": {"en": "a key", "ja": "鍵"},
    }
    monkeypatch.setattr(wordings, "_table", lambda subject: table)
    kinds = [Wording("x.kind"), "b"]
    assert say("x.rows", n=1, names="a") == "1 row: a"
    assert str(Wording("x.rows", {"n": 1200, "names": kinds})) == "1,200 rows: a key, b"
    assert say("x.rows", "ja", n=2, names=kinds) == "2行：鍵、b"
    with pytest.raises(KeyError):
        say("x.nothing")

"""What a row says about itself beside its texts: which of two answers is the good one, that an
answer is rejected or not to be learned, that it is about pictures or calls tools.

Such a row reads well and means something else: it is refused by name, or `chosen` takes what is
good of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .columns import Columns, find_columns
from .faults import Fields, RowFault, nothing, quoted

Marks = tuple[tuple[str, str], ...]  # fields that are marks, each with its kind

_WORDS = {
    "good": "chosen preferred winning winner win accepted better",
    "bad": "rejected reject dispreferred nonpreferred unpreferred losing loser lose worse",
    "answer": "answer response output completion reply conversation candidate ref",
    "text": "full answers responses outputs message messages completions text conversations content"
    " turn turns sample trajectory",
    "no": "false no 0 bad rejected reject undesirable dispreferred thumbsdown down dislike disliked"
    " downvote wrong incorrect 👎",
    "yes": "true yes 1",
}
_GOOD, _BAD, _ANSWERS, _TEXTS, _NO, _YES = ({*words.split()} for words in _WORDS.values())
_TEXTS |= _ANSWERS
_PAIR = re.compile(r"(.*?)[_\s-]?([a-d]|[0-3]|[jkwl])")
# Kinds of marks by the name in lower case, without spaces, "_" and "-". "label" and "weight" say no
# by a false or 0, "not-label" and "mask" by a true; a "score" does below 0 only.
_KINDS = {
    "label": "label labels ktotag ktolabel desirable isdesirable ischosen ispreferred isgood good"
    " accepted isaccepted approved isapproved thumbsup upvoted liked feedback humanfeedback vote"
    " correct iscorrect",
    "not-label": "isrejected isbad bad undesirable isundesirable thumbsdown downvoted disliked",
    "score": "score reward rating preference preferencescore",
    "weight": "weight lossweight sampleweight exampleweight train totrain istrain trainable"
    " trainon learn learnable loss lossmask lossscale computeloss",
    "mask": "mask masked ismasked notrain noloss ignoreloss skiploss",
    "media": "image images video videos audio audios",
    "tools": "tools functions toolcalls functioncall functioncalls",
    "spans": "traindetail",
    "list": "completions responses outputs candidates generations replies",
}
_KIND = {name: kind for kind, names in _KINDS.items() for name in names.split()}
_TAG = re.compile(r"<\|?(?:image|video|audio)\|?>")


def marks_of(names: tuple[str, ...]) -> Marks:
    """The marks among the fields of a row."""
    found = [(name, kind) for name in names if (kind := _kind(name))]
    if any(kind == "rejected" for _, kind in found):
        # Alone, "preferred" or "better" may be anything; beside a rejected text it is the other.
        found += [(name, "chosen") for name in names if name.lower() in _GOOD - {"chosen"}]
    stems: dict[str, list[str]] = {}
    for name in names:
        if (pair := _PAIR.fullmatch(name.lower())) and set(_words(pair[1])) & _ANSWERS:
            stems.setdefault(pair[1], []).append(name)
    found += [(name, "candidate") for same in stems.values() if len(same) > 1 for name in same]
    return tuple(found)


def _kind(name: str) -> str | None:
    words = _words(name)
    if words[0] in ("non", "not"):
        words = ["rejected" if word in _GOOD else word for word in words[1:]]
    for kind, side, bare in (("rejected", _BAD, _BAD - {"lose"}), ("chosen", _GOOD, {"chosen"})):
        rest = [word for word in words if word not in side]
        if (
            len(rest) < len(words)
            and all(word in _TEXTS for word in rest)
            and (rest or words[0] in bare)
        ):
            return kind
    return _KIND.get("".join(words))


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) or [""]


def refuse(row: Fields, marks: Marks, own: tuple[str, ...] = ()) -> None:
    """Raise RowFault where a mark says that the answer is not one to learn, or that text is not
    all of the row.

    own: fields that are named as the question and the answer, which may be one of a pair.
    """
    pair = [name for names in _sides(row, marks).values() for name in names]
    if pair and not any(kind == "chosen" and name in own for name, kind in marks):
        raise RowFault("preference.pair", names=quoted(pair))
    several = [name for name, kind in marks if kind == "candidate" and _content(row[name])]
    if len(several) > 1 and not set(several) & set(own):
        raise RowFault("preference.several", names=quoted(several))
    for name, kind in marks:
        value = row[name]
        if name in own:
            continue
        if kind == "list" and isinstance(value, list) and len(value) > 1:
            raise RowFault("preference.several", names=quoted([name]))
        if _says_no(value, kind):
            raise RowFault("preference.label", field=name, value=_shown(value))
        if kind == "weight" and (weight := _weight(name, value)) not in (None, 1):
            code = "not-learned.part" if weight else "not-learned"
            raise RowFault(code, field=name, value=_shown(value))
        if (kind == "mask" and _flag(value)) or (kind == "spans" and _content(value)):
            raise RowFault("not-learned", field=name, value=_shown(value))


def refuse_more(fields: Fields, marks: Marks, texts: Iterable[str]) -> None:
    """Raise RowFault for a row, or a turn, that is about files or lists tools, though its `texts`
    read well without.
    """
    for name, kind in marks:
        value = fields[name]
        if not _content(value):
            continue
        # A table's "image" may be a link beside the row, and its "tools" a screwdriver.
        if kind == "media" and (not isinstance(value, str) or any(map(_TAG.search, texts))):
            raise RowFault("missing-field.media", field=name)
        listed = not isinstance(value, str) or re.match(r"\s*[\[{]\s*[^\]}\s]", value)
        if kind == "tools" and listed:
            raise RowFault("wrong-role.tools", field=name)


def chosen(row: Fields, columns: Columns | None = None) -> Fields | None:
    """The row with its good answer alone, as any other row; None for one marked as rejected.

    columns: how its question and answer are called, if that was said. Raises RowFault for a row
    that does not say which answer is good.
    """
    marks = marks_of(tuple(row))
    sides = _sides(row, marks)
    labels = [pair for pair in marks if not (sides["chosen"] and pair[1] in sides)]
    if any(_says_no(row[name], kind) for name, kind in labels):
        return None
    if not any(sides.values()):
        return row
    rest = {name: row[name] for name in row if name not in (*sides["chosen"], *sides["rejected"])}
    if not sides["chosen"]:
        if any(
            _last_text(row[name]) in map(_last_text, rest.values()) for name in sides["rejected"]
        ):
            raise RowFault("preference.same", names=quoted(sides["rejected"]))
        return rest
    return _with_answer(rest, row[sides["chosen"][0]], columns)


def _sides(row: Fields, marks: Marks) -> dict[str, list[str]]:
    """The fields that hold a good and a bad answer."""
    sides: dict[str, list[str]] = {"chosen": [], "rejected": []}
    for name, kind in marks:
        if kind in sides and _content(row[name]):
            sides[kind].append(name)
    if not sides["chosen"]:  # then a table's "rejected" may say whether the answer is
        sides["rejected"] = [name for name in sides["rejected"] if not _is_true_or_false(row[name])]
    return sides


def _is_true_or_false(value: Any) -> bool:
    return isinstance(value, str) and value.lower() in ("true", "false")


def _with_answer(rest: dict[str, Any], value: Any, columns: Columns | None) -> Fields:
    if columns is not None:
        return {**rest, columns.answer: value}
    value = value["messages"] if isinstance(value, dict) and "messages" in value else value
    turns = [value] if isinstance(value, dict) else value
    before = next((n for n in ("messages", "conversations", "prompt") if _turns(rest.get(n))), None)
    if isinstance(rest.get("input"), dict) and _turns(rest["input"].get("messages")):
        before, rest = "messages", {**rest.pop("input"), **rest}
    if before is not None:
        earlier = rest.pop(before)
        if before == "prompt":
            rest.pop("completion", None)
        if isinstance(value, str):
            theirs = "from" in earlier[0]
            turns = [{"from": "gpt", "value": value} if theirs else
                     {"role": "assistant", "content": value}]  # fmt: skip
        both = turns if turns[: len(earlier)] == earlier else [*earlier, *turns]
        return {**rest, ("conversations" if "from" in earlier[0] else "messages"): both}
    if _turns(turns) and len(turns) > 1:
        return {**rest, ("conversations" if "from" in turns[0] else "messages"): turns}
    if _turns(turns):
        value = turns[0].get("content", turns[0].get("value"))
    names = {"instruction": "output", "input": "output", "prompt": "completion"}
    answer = next((theirs for own, theirs in names.items() if own in rest), "answer")
    if own := find_columns(tuple(rest)):
        answer = own.answer
    return {**rest, answer: value}


def _last_text(value: Any) -> Any:
    """The text of a field, or of the last of its turns."""
    last = value[-1] if isinstance(value, list) and value else value
    return last.get("content", last.get("value")) if isinstance(last, dict) else last


def _turns(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _content(value: Any) -> bool:
    """Whether a field holds something: a text, a list, an object."""
    return isinstance(value, str | list | dict | bytes) and not nothing(value)


def _says_no(value: Any, kind: str) -> bool:
    flag = _flag(value)
    if kind in ("chosen", "rejected") and isinstance(value, str):
        # Only in a table a text is a mark here; "no" may be an answer.
        flag = flag if _is_true_or_false(value) else None
    if kind in ("not-label", "rejected"):
        return flag is True
    if kind in ("label", "chosen"):
        return flag is False
    return kind == "score" and flag is False and (value is False or value not in (0, "0", "0.0"))


def _flag(value: Any) -> bool | None:
    """Whether a mark says yes or no; None for a value that says neither."""
    if isinstance(value, str):
        text = re.sub(r"[\s_-]+", "", value.casefold()) if len(value) < 20 else ""
        if text in _NO or text in _YES:
            return text in _YES
        value = _number(value)
    if isinstance(value, bool | int | float):
        return False if value <= 0 else True if value == 1 else None
    return None


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?\d{1,9}(?:\.\d{1,9})?", text.strip()) else None


def _weight(name: str, value: Any) -> float | None:
    """How much of a text is to be learned (1: all), or None for a field that does not say it."""
    if isinstance(value, str):
        flag = _flag(value)
        value = _number(value) if flag is None else flag
    if not isinstance(value, bool | int | float) or value != value:
        return None
    if name.lower() == "loss" and not isinstance(value, bool) and value > 0:
        return None  # measured, not asked for
    return float(value)


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)[:40]

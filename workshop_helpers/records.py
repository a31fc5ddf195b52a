"""A Conversation, and every file format it is read from.

A training file is JSON Lines: one object a line, in UTF-8. Three shapes are known and told apart by
their fields; each has one reader in `FORMATS`, so that a further format is one more function.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .workspace import WorkshopError

ROLES = ("system", "user", "assistant")
MOST_FAULTS = 10
# Control tokens of the templates the course meets. In a row's text they would end the turn early.
SPECIAL_TOKEN = re.compile(
    r"<\|[A-Za-z0-9_]{2,40}\|>|<(?:start|end)_of_turn>|</s>|<(?:bos|eos)>|\[/?INST\]|<</?SYS>>"
)


@dataclass(frozen=True)
class Message:
    """One turn: `role` is "system", "user" or "assistant"; `content` is its text."""

    role: str
    content: str


@dataclass(frozen=True)
class Conversation:
    """Turns that end with the assistant's answer, and where they were read (`file`, `line` from 1)."""

    messages: tuple[Message, ...]
    file: str | None = None
    line: int | None = None

    @property
    def question(self) -> str:
        """The last user turn before the final answer."""
        return next(m.content for m in reversed(self.messages[:-1]) if m.role == "user")

    @property
    def answer(self) -> str:
        """The final assistant turn: the text that is learned."""
        return self.messages[-1].content

    @property
    def system(self) -> str | None:
        """The system prompt, or None."""
        first = self.messages[0]
        return first.content if first.role == "system" else None

    def prompt_messages(self) -> list[dict[str, str]]:
        """All turns but the final answer, as chat templates take them."""
        return [{"role": m.role, "content": m.content} for m in self.messages[:-1]]

    def to_messages(self) -> list[dict[str, str]]:
        """All turns, as chat templates take them."""
        return [{"role": m.role, "content": m.content} for m in self.messages]


class RowFault(ValueError):
    """What is wrong with one row, in words for its author."""


Row = Mapping[str, Any]


def read_conversations(path: str | Path, *, limit: int | None = None) -> list[Conversation]:
    """Read a JSON Lines file of training rows, in file order.

    Known shapes, told apart row by row: Alpaca (`instruction`, optional `input` and `system`,
    `output`), `messages` (a list of role and content), `prompt` and `completion` (text or messages).

    limit: keep the first so many conversations; the whole file is checked all the same.
    Raises WorkshopError that lists up to ten faults with file and line: malformed JSON, a missing
    or empty field, a wrong encoding, an empty file, equal rows, a template's control tokens in a text.
    """
    if limit is not None and limit < 1:
        raise WorkshopError(f"limit is {limit}; ask for at least one row.")
    path = Path(path)
    faults: list[str] = []
    conversations: list[Conversation] = []
    first_seen: dict[tuple[Message, ...], int] = {}
    usual: str | None = None
    for line, row in json_lines(path, faults):
        name = detect_format(row)
        usual = usual or name
        try:
            messages = FORMATS[name or usual or _nearest_format(row)].read(row)
            _check(messages)
        except RowFault as fault:
            faults.append(f"{path}:{line}: {fault}")
            continue
        if messages in first_seen:
            faults.append(
                f"{path}:{line}: the same row as line {first_seen[messages]}. Delete one of the two."
            )
            continue
        first_seen[messages] = line
        conversations.append(Conversation(messages, str(path), line))
    raise_faults(path, faults)
    if not conversations:
        raise WorkshopError(f"{path} holds no rows. Write one JSON object a line.")
    return conversations[:limit]


# -- lines of JSON -----------------------------------------------------------------------------


def json_lines(path: Path, faults: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) for each filled line of a JSON Lines file.

    A line that is no JSON object is added to `faults` (as "file:line: what and what to do") and
    passed over. Raises WorkshopError for a file that cannot be read as UTF-8 text at all.
    """
    text = _text(path)
    if text.lstrip().startswith("[") and _is_json_list(text):
        raise WorkshopError(
            f"{path} is one JSON list, not JSON Lines. Write each object of the list on a line of "
            "its own, without the outer brackets and the commas between."
        )
    # Only "\n" ends a line: str.splitlines would also cut at U+2028, which JSON allows in a text.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            hint = _json_hint(line, error)
            faults.append(f"{path}:{number}: not valid JSON at column {error.colno}: {hint}")
            continue
        except RecursionError:
            faults.append(f"{path}:{number}: nested too deeply to be a row.")
            continue
        if not isinstance(row, dict):
            faults.append(
                f"{path}:{number}: a {_kind(row)} where an object with named fields "
                'such as {"instruction": …, "output": …} belongs.'
            )
            continue
        yield number, row


def raise_faults(path: Path, faults: list[str]) -> None:
    """Raise one WorkshopError that lists the faults of a file, ten at most; nothing if there are none."""
    if not faults:
        return
    shown = faults[:MOST_FAULTS]
    if len(faults) > MOST_FAULTS:
        shown.append(f"… and {len(faults) - MOST_FAULTS} more faults in {path}.")
    raise WorkshopError("\n".join(shown))


def field_text(row: Row, name: str, *, known: tuple[str, ...]) -> str:
    """The text of a field that must be there and filled; RowFault says what is wrong with it."""
    if name not in row:
        raise RowFault(missing_field(row, name, known))
    value = row[name]
    if not isinstance(value, str):
        raise RowFault(f'"{name}" is a {_kind(value)}; it must be a text in quotation marks.')
    if not value.strip():
        raise RowFault(f'"{name}" is empty. Fill it in or delete the row.')
    return value


def missing_field(row: Row, name: str, known: tuple[str, ...]) -> str:
    """The sentence for a missing field, with the misspelt name when there is one."""
    others = [key for key in row if key not in known]
    near = difflib.get_close_matches(name, others, n=1, cutoff=0.6)
    if near:
        return f'no field "{name}"; "{near[0]}" looks like it: rename it to "{name}".'
    have = ", ".join(f'"{key}"' for key in row) or "none"
    return f'no field "{name}" (the row has: {have}).'


def check_text(text: str) -> None:
    """Raise RowFault for a text that would break a prompt: control tokens, half characters."""
    token = SPECIAL_TOKEN.search(text)
    if token:
        raise RowFault(
            f'the control token "{token[0]}" stands in a text. The chat template adds such tokens '
            "itself: write the plain text only."
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise RowFault(
            "a text holds half of a character (a lone \\ud8xx). Write the character itself."
        )


def _text(path: Path) -> str:
    if path.is_dir():
        raise WorkshopError(f"{path} is a folder; a .jsonl file belongs here.")
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        beside = [p.name for p in path.parent.glob("*.jsonl")] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.5)
        hint = f" Did you mean {path.parent / near[0]}?" if near else ""
        raise WorkshopError(f"There is no file {path}.{hint}") from error
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not raw.strip():
        raise WorkshopError(f"{path} is empty. Write one JSON object a line.")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise WorkshopError(f"{path}:1: the file is UTF-16, not UTF-8. Save it again as UTF-8.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise WorkshopError(
            f"{path}:{line}: not UTF-8 (byte 0x{raw[error.start]:02x}){_likely_encoding(raw)}. "
            "Save the file again as UTF-8."
        ) from error


def _likely_encoding(raw: bytes) -> str:
    for encoding, name in (("cp932", "Shift_JIS"), ("euc_jp", "EUC-JP")):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if re.search(r"[\u3041-\u30f6]", text):
            return f"; it looks like {name}"
    return ""


def _is_json_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except (json.JSONDecodeError, RecursionError):
        return False


def _json_hint(line: str, error: json.JSONDecodeError) -> str:
    stripped = line.strip()
    if "property name enclosed in double quotes" in error.msg and "'" in line:
        return 'names and texts need double quotation marks ("), not single ones.'
    if stripped.endswith(","):
        return "take away the comma at the end of the line."
    if "Unterminated string" in error.msg or not stripped.endswith("}"):
        return "the object does not end on this line. Keep each row on one line; write \\n for a line break."
    if re.search("[“”]", line):
        return 'curly quotation marks; JSON needs straight ones (").'
    if "Invalid control character" in error.msg:
        return "a tab or another control character in a text; write \\t or a space."
    return f"{error.msg}."


def _kind(value: object) -> str:
    names = {dict: "object", list: "list", str: "text", bool: "true/false", type(None): "null"}
    return names.get(type(value), "number")


# -- the formats -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Format:
    """One shape of row: the fields that give it away, all fields it knows, and its reader."""

    signs: tuple[str, ...]
    known: tuple[str, ...]
    read: Callable[[Row], tuple[Message, ...]]


def _read_alpaca(row: Row) -> tuple[Message, ...]:
    known = FORMATS["alpaca"].known
    question = field_text(row, "instruction", known=known)
    extra = row.get("input")
    if extra is not None and not isinstance(extra, str):
        raise RowFault(f'"input" is a {_kind(extra)}; it must be a text in quotation marks.')
    if extra and extra.strip():
        question = f"{question}\n\n{extra}"
    answer = field_text(row, "output", known=known)
    return (*_optional_system(row), Message("user", question), Message("assistant", answer))


def _read_messages(row: Row) -> tuple[Message, ...]:
    return _turns(row.get("messages"), "messages")


def _read_prompt_completion(row: Row) -> tuple[Message, ...]:
    known = FORMATS["prompt/completion"].known
    sides: list[Message] = []
    for name, role in (("prompt", "user"), ("completion", "assistant")):
        if isinstance(row.get(name), list):
            sides += _turns(row[name], name)
        else:
            sides.append(Message(role, field_text(row, name, known=known)))
    return tuple(sides)


def _optional_system(row: Row) -> tuple[Message, ...]:
    if row.get("system") in (None, ""):
        return ()
    return (Message("system", field_text(row, "system", known=("system",))),)


def _turns(value: object, name: str) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise RowFault(f'"{name}" must be a list of turns with "role" and "content".')
    turns = []
    for number, turn in enumerate(value, start=1):
        if not isinstance(turn, dict):
            raise RowFault(f'turn {number} of "{name}" is a {_kind(turn)}, not an object.')
        try:
            role = field_text(turn, "role", known=("role", "content"))
            content = field_text(turn, "content", known=("role", "content"))
        except RowFault as fault:
            raise RowFault(f'turn {number} of "{name}": {fault}') from fault
        if role not in ROLES:
            near = difflib.get_close_matches(role.lower(), ROLES, n=1, cutoff=0.5)
            aliases = {
                "human": "user",
                "gpt": "assistant",
                "bot": "assistant",
                "model": "assistant",
            }
            wanted = aliases.get(role.lower()) or (near[0] if near else " or ".join(ROLES))
            raise RowFault(f'turn {number} of "{name}" has the role "{role}"; write "{wanted}".')
        turns.append(Message(role, content))
    return tuple(turns)


FORMATS: dict[str, Format] = {
    "messages": Format(("messages",), ("messages",), _read_messages),
    "prompt/completion": Format(
        ("prompt", "completion"), ("prompt", "completion"), _read_prompt_completion
    ),
    "alpaca": Format(
        ("instruction", "output"), ("instruction", "input", "output", "system"), _read_alpaca
    ),
}


def detect_format(row: Row) -> str | None:
    """The name of the format whose fields the row has all of, or None."""
    return next((name for name, f in FORMATS.items() if all(key in row for key in f.signs)), None)


def _nearest_format(row: Row) -> str:
    def likeness(name: str) -> float:
        scores = [
            max((difflib.SequenceMatcher(None, sign, key).ratio() for key in row), default=0.0)
            for sign in FORMATS[name].signs
        ]
        return sum(scores) / len(scores)

    # Alpaca last among equals would never be named: it is what the course's own files use.
    return max(FORMATS, key=lambda name: (likeness(name), name == "alpaca"))


def _check(messages: tuple[Message, ...]) -> None:
    if messages[-1].role != "assistant":
        raise RowFault("the last turn is not the assistant's; there is no answer to learn.")
    if not any(m.role == "user" for m in messages[:-1]):
        raise RowFault("no user turn stands before the answer.")
    if any(m.role == "system" for m in messages[1:]):
        raise RowFault("a system turn may only stand first.")
    for message in messages:
        check_text(message.content)

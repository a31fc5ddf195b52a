"""Is a row a conversation at all: who speaks, in which order, and whether anything is said."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .findings import RULES, Finding, Place, finding, shorten

if TYPE_CHECKING:
    from ..formats import Conversation, Fault

_ROLES = ("system", "user", "assistant")


def from_fault(fault: Fault) -> Finding:
    """What a reader found wrong with a row or a file, as a finding of the same rule."""
    known = RULES.get(fault.rule)
    return Finding(
        fault.rule,
        known.severity if known else "error",
        fault.file,
        fault.line,
        str(fault.message),
        str(fault.fix),
        shorten(fault.excerpt),
        known.why if known else "",
    )


def check_structure(conversation: Conversation) -> Iterable[Finding]:
    """`wrong-role`, `wrong-order`, `empty-question` and `empty-answer` of one row."""
    messages = conversation.messages
    turns = messages[1:] if messages and messages[0].role == "system" else messages
    if len(turns) == 2:  # most rows are this
        question, answer = turns
        if (
            question.role == "user"
            and answer.role == "assistant"
            and not (question.content.isspace() or answer.content.isspace())
            and question.content
            and answer.content
        ):
            return ()
    return list(_faults(conversation, tuple([message.role for message in messages])))


def _faults(conversation: Conversation, roles: tuple[str, ...]) -> Iterable[Finding]:
    for role in roles:
        if role not in _ROLES:
            yield finding("wrong-role", conversation, f'The role "{role}" is not known.')
            return
    order = _order(roles)
    if order:
        yield finding("wrong-order", conversation, order, excerpt=" → ".join(roles))
    for number, message in enumerate(conversation.messages, start=1):
        if message.content.strip() or message.role == "system":
            continue
        if message.role == "user":
            yield finding("empty-question", conversation, f"The user's turn {number} is empty.")
        else:
            yield finding("empty-answer", conversation, f"The assistant's turn {number} is empty.")


def _order(roles: tuple[str, ...]) -> str | None:
    if "system" in roles[1:]:
        return "A system turn stands behind other turns."
    spoken = [role for role in roles if role != "system"]
    if "assistant" not in spoken:
        return "No assistant's turn: there is no answer to learn."
    if spoken[0] != "user":
        return "The first turn is the assistant's: nobody has asked."
    if spoken[-1] != "assistant":
        return "The last turn is the user's: the answer is missing."
    for number, (one, next_one) in enumerate(itertools.pairwise(spoken), start=1):
        if one == next_one:
            return f"Two turns of the {one} follow each other (turns {number} and {number + 1})."
    return None


def no_rows(file: str) -> Finding:
    """A file that holds no row at all."""
    return finding("empty-file", Place(file, 1), "The file holds no rows.")


def other_encoding(file: str, encoding: str) -> Finding:
    """A file that was read well, but in an encoding that other tools will not guess."""
    words = f"The file is in {encoding}, not in UTF-8; it was read as that."
    fix = "`workshop data convert` writes it in UTF-8."
    return finding("encoding", Place(file, 1), words, severity="note", fix=fix)

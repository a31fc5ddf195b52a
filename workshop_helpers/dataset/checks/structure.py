"""The structure of a row: roles, their order, and empty turns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from ..formats import Conversation
from .findings import Finding, finding

_ROLES = ("system", "user", "assistant")


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
            yield finding("wrong-role", conversation, "unknown-role", role=role)
            return
    order, values = _order(roles)
    if order:
        yield finding("wrong-order", conversation, order, excerpt=" → ".join(roles), **values)
    for number, message in enumerate(conversation.messages, start=1):
        if message.content.strip() or message.role == "system":
            continue
        rule = "empty-question" if message.role == "user" else "empty-answer"
        yield finding(rule, conversation, rule, n=number)


def _order(roles: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    if "system" in roles[1:]:
        return "late-system", {}
    spoken = [role for role in roles if role != "system"]
    if "assistant" not in spoken:
        return "no-answer", {}
    if spoken[0] != "user":
        return "no-question", {}
    if spoken[-1] != "assistant":
        return "unanswered", {}
    for number, (one, next_one) in enumerate(itertools.pairwise(spoken), start=1):
        if one == next_one:
            return "role-twice", {"role": one, "n": number, "next": number + 1}
    return "", {}

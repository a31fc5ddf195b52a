"""Where two lists of token ids part, for the message of a test that fails."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any


def token_diff(
    tokenizer: Any, wanted: Sequence[int], got: Sequence[int], *, around: int = 3
) -> str:
    """Where two lists of token ids part, in lines of `-id piece` (wanted) and `+id piece` (got); ""
    if nowhere.
    """
    lines: list[str] = []
    matcher = difflib.SequenceMatcher(None, list(wanted), list(got), autojunk=False)
    for group in matcher.get_grouped_opcodes(around):
        lines.append(f"@ token {group[0][1]}")
        for kind, a, b, c, d in group:
            if kind == "equal":
                lines += [f"  {_named(tokenizer, i)}" for i in wanted[a:b]]
            else:
                lines += [f"- {_named(tokenizer, i)}" for i in wanted[a:b]]
                lines += [f"+ {_named(tokenizer, i)}" for i in got[c:d]]
    return "\n".join(lines)


def _named(tokenizer: Any, number: int) -> str:
    return f"{number} {tokenizer.convert_ids_to_tokens([number])[0]!r}"

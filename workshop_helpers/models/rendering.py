"""Chat templates rendered as transformers does, where they do no harm: a template is a program that
came with the model. It runs in jinja2's sandbox, in a child process that is given up after seconds
and may take so much memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

from ..core.child import Child
from ..core.errors import WorkshopError

SECONDS = 10.0  # a template takes milliseconds
_MEMORY = 2**31  # bytes
_lock = Lock()
_child: Child | None = None


class Refused(WorkshopError):
    """A chat template does not take these messages, or is faulty."""


def render(
    template: str, messages: Sequence[Mapping[str, Any]], *, answered: bool = False, **named: Any
) -> str:
    """The text that a chat `template` makes of `messages`, open for an answer unless `answered`.

    Without tools, and without thinking where a model thinks. `named`: further variables, such as
    `bos_token`. Raises Refused, with the template's reason, where it takes no such messages, and
    another WorkshopError where it does not end.
    """
    return render_all(template, [messages], answered=answered, **named)[0]


def render_all(
    template: str,
    conversations: Sequence[Sequence[Mapping[str, Any]]],
    *,
    answered: bool = False,
    **named: Any,
) -> list[str]:
    """`render` for each of some conversations, many times as fast as one by one. Raises the first
    one's error.
    """
    values = {
        "add_generation_prompt": not answered,
        "enable_thinking": False,
        "tools": None,
        "documents": None,
        **named,
    }
    given = [
        [{k: v for k, v in m.items() if v is not None} for m in messages]
        for messages in conversations
    ]
    child = _renderer()
    try:
        told = {"template": template, "conversations": given, "values": values}
        return list(child.call("render", seconds=SECONDS, **told))
    except WorkshopError as error:
        if child.ended:
            child.close()
            raise
        roles = ", ".join(str(message.get("role")) for message in conversations[0])
        raise Refused(f"The chat template refuses these messages ({roles}): {error}") from error


def _renderer() -> Child:
    global _child
    with _lock:
        if _child is None or _child.closed:
            made = "models.rendering:Renderer"
            _child = Child(made, "these messages", who="The chat template")
        return _child


class Renderer:
    """jinja2 as transformers sets it up (`_compile_jinja_template`), in the child process."""

    def __init__(self) -> None:
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        with suppress(ImportError, OSError, ValueError):  # Windows has no such limit
            import resource

            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        self._environment = ImmutableSandboxedEnvironment(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[_generation(), "jinja2.ext.loopcontrols"],
            cache_size=8,
        )
        self._environment.filters["tojson"] = _tojson
        self._environment.globals |= {"raise_exception": _refuse, "strftime_now": _now}
        self._compiled: dict[str, Any] = {}

    def render(self, template: str, conversations: list[Any], values: dict[str, Any]) -> list[str]:
        if template not in self._compiled:
            self._compiled = {template: self._environment.from_string(template)}
        made = self._compiled[template].render
        return [str(made(messages=messages, **values)) for messages in conversations]


def _generation() -> type:
    from jinja2.ext import Extension

    class Generation(Extension):
        """`{% generation %}` marks answers for training; what stands inside is written."""

        tags = {"generation"}  # noqa: RUF012  (jinja2 has it so)

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    return Generation


def _tojson(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)  # jinja2's own escapes HTML


def _refuse(message: str) -> None:
    raise WorkshopError(str(message))


def _now(form: str) -> str:
    from datetime import datetime

    return datetime.now().strftime(form)

"""A chat: messages and answers, the text a template makes of them, and what ends an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..core.errors import WorkshopError, first_line
from .rendering import Refused, render, render_all

Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Answer:
    """One answer: `text`, without the token that ends it.

    `tokens` and `prompt_tokens`: how many were generated (the end not counted) and read. `seconds`:
    the time this answer took, of answers in one batch its share of the batch's time;
    `prompt_seconds`: of these, for reading, where the runtime knows it. `stopped`: the model ended
    the answer itself; False when the token limit did. `token_ids`: what was generated, where the
    runtime knows it.
    """

    text: str
    tokens: int
    prompt_tokens: int
    seconds: float = 0.0
    stopped: bool = True
    token_ids: tuple[int, ...] | None = None
    prompt_seconds: float = 0.0


@dataclass(frozen=True)
class Sampling:
    """Each token is drawn from softmax(logits / `temperature`), repeatably by `seed`."""

    temperature: float
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise WorkshopError(f"The temperature is {self.temperature}; it must be above 0.")


def conversation(question: str, system: str | None = None) -> list[dict[str, str]]:
    """The messages of one question, after a system text. WorkshopError for an empty question."""
    if not question.strip():
        raise WorkshopError("The question is empty.")
    first = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": question}]


def chat_prompt(tokenizer: Any, messages: Messages, *, answer: bool = False) -> str:
    """The text the model sees for these messages, by its own template, ready for an answer.

    `answer=True` says that the messages end with the assistant's answer already. A thinking model's
    template is rendered without thinking. Raises WorkshopError when the template refuses the
    messages, and when it does not end.
    """
    return render(_template(tokenizer), messages, answered=answer, **tokenizer.special_tokens_map)


def chat_prompts(
    tokenizer: Any, conversations: Sequence[Messages], *, answer: bool = False
) -> list[str | Refused]:
    """`chat_prompt` of each conversation, or its refusal. Many times as fast as one by one."""
    template, named = _template(tokenizer), tokenizer.special_tokens_map
    with suppress(WorkshopError):  # of one of them, or all together take too long
        return [*render_all(template, conversations, answered=answer, **named)]
    found: list[str | Refused] = []
    for messages in conversations:
        try:
            found.append(render(template, messages, answered=answer, **named))
        except Refused as error:
            found.append(error)
    return found


def _template(tokenizer: Any) -> str:
    try:
        return str(tokenizer.get_chat_template())
    except ValueError as error:  # none, or several without one for talking
        raise WorkshopError(f"The tokenizer has no chat template: {first_line(error)}") from error


def stop_token_ids(tokenizer: Any, model_or_config: Any = None) -> list[int]:
    """Every token that ends an answer, the tokenizer's EOS first.

    Collected from the tokenizer, the model's configuration and generation defaults, and the
    template itself: the special token it puts right after an assistant's answer. A stop token that
    a template names but the vocabulary does not contain is not a token, so it is left out.
    """
    config = getattr(model_or_config, "config", model_or_config)
    text = getattr(config, "text_config", None)
    defaults = getattr(model_or_config, "generation_config", None)
    values = [tokenizer.eos_token_id, _template_end(tokenizer)]
    values += [getattr(source, "eos_token_id", None) for source in (config, text, defaults)]
    tokens = (t for v in values for t in (v if isinstance(v, list | tuple) else [v]))
    known = (t for t in tokens if isinstance(t, int) and 0 <= t < len(tokenizer))
    return list(dict.fromkeys(known))


def stop_text(tokenizer: Any) -> str | None:
    """The template's end of an answer if it is not a single token, else None.

    A ChatML template on a model without `<|im_end|>` in its vocabulary is such a case: the model
    writes the marker in pieces, and only its text can be watched for.
    """
    tail = _template_tail(tokenizer)
    return tail.split()[0] if tail and _template_end(tokenizer) is None else None


def _template_end(tokenizer: Any) -> int | None:
    # Only tokens kept whole by the tokenizer end a turn; a word of running text does not.
    whole = {t.content: i for i, t in tokenizer.added_tokens_decoder.items()}
    tail = _template_tail(tokenizer)
    fitting = [content for content in whole if content.strip() and tail.startswith(content)]
    return whole[max(fitting, key=len)] if fitting else None


def _template_tail(tokenizer: Any) -> str:
    """What the template writes after an assistant's last answer, white space aside."""
    marker = "zqx"
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": marker}]
    try:
        return chat_prompt(tokenizer, messages, answer=True).rpartition(marker)[2].strip()
    except Refused:
        return ""

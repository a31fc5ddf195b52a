"""What the model really sees of a training file: each row rendered, cut into tokens, marked where
loss is counted.

The tokens and their marks are not worked out here. The trainer of `training` prepares the rows,
with the recipe's own arguments; this module only shows what came out, and what `max_length` took
away.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError
from ..core.outside import shown
from ..core.wordings import LANGUAGES, say
from ..dataset.formats import Conversation, Fault, open_rows
from ..models.chat import chat_prompt
from ..models.load import load_tokenizer, model_folder, pick_device, quiet_libraries
from ..models.resolve import ModelRef, resolve
from ..training.recipe import LoraRecipe
from ..training.rows import examples
from ..training.trainer import course_trainer, trainer_arguments
from .html import Html
from .tokens import (
    KINDS,
    SHADES,
    STYLES,
    Token,
    rich_tokens,
    row_tokens,
    token_boxes,
    token_text,
)


@dataclass(frozen=True)
class PreviewedRow:
    """A row as the model sees it.

    `text`: the rendered template, all of it. `tokens`: all of them, each with its id, whether it
    carries loss and whether it is `cut` by `max_length`. `dropped`: the trainer leaves the row out,
    since no answer token is left.
    """

    conversation: Conversation
    number: int
    text: str
    tokens: tuple[Token, ...]
    max_length: int
    dropped: bool

    @property
    def seen(self) -> int:
        """Tokens that go through the model."""
        return 0 if self.dropped else sum(not token.cut for token in self.tokens)

    @property
    def learned(self) -> int:
        """Tokens that carry loss."""
        return 0 if self.dropped else sum(token.loss and not token.cut for token in self.tokens)

    @property
    def cut(self) -> tuple[Token, ...]:
        """What `max_length` takes away."""
        return tuple(token for token in self.tokens if token.cut)

    def remarks(self, language: str = "en") -> list[str]:
        """What the reader should know about the row, in sentences; none where it fits."""
        cut, length = self.cut, self.max_length
        unseen = dict.fromkeys(self.conversation.thoughts)
        remarks = [say("display.row-unseen", language, name=name) for name in unseen]
        if not cut:
            return remarks
        if self.dropped:
            return [*remarks, say("display.row-dropped", language, length=length)]
        remarks += [say("display.row-truncated", language, cut=len(cut), length=length)]
        # After the end token a template may add a line break, which does not matter.
        if any(token.text.strip() for token in cut):
            remarks.append(say("display.row-end", language))
        return remarks

    def heading(self, language: str = "en") -> str:
        """Where the row stands and how long it is."""
        row, where = self.conversation, say("display.row", language, number=self.number)
        if row.file is not None and row.line is not None:
            where = say("display.row-of", language, file=Path(row.file).name, line=row.line)
        tokens = len(self.tokens)
        return f"{where} · {say('display.row-tokens', language, tokens=tokens, loss=self.learned)}"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {
            "file": self.conversation.file,
            "line": self.conversation.line,
            "text": self.text,
            "tokens": [asdict(token) for token in self.tokens],
            "seen": self.seen,
            "learned": self.learned,
            "max_length": self.max_length,
            "dropped": self.dropped,
        }


def previewed(
    tokenizer: Any, conversation: Conversation, number: int, max_length: int
) -> PreviewedRow:
    """A row cut at `max_length` as the trainer does it, without asking the trainer: at once."""
    tokens = row_tokens(tokenizer, conversation)
    cut = tuple(replace(token, cut=at >= max_length) for at, token in enumerate(tokens))
    text = chat_prompt(tokenizer, conversation.to_messages(), answer=True)
    dropped = not any(token.loss and not token.cut for token in cut)
    return PreviewedRow(conversation, number, text, cut, max_length, dropped)


class Preview(list[PreviewedRow]):
    """The previewed rows; shows itself in a notebook, and in colours when rich prints it.

    `model`: its name. `faults`: rows that cannot be read and stand among or before those shown.
    """

    def __init__(
        self,
        rows: Iterable[PreviewedRow],
        *,
        model: str,
        max_length: int,
        language: str = "en",
        faults: Sequence[Fault] = (),
    ) -> None:
        super().__init__(rows)
        self.model = model
        self.max_length = max_length
        self.language = language
        self.faults = list(faults)

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        legend = Text()
        for kind in KINDS:
            legend.append(f" {say(f'display.{kind}', self.language)} ", style=SHADES[kind][0])
            legend.append("  ")
        parts: list[Any] = [Text(shown(self.title)), legend, Text()]
        for row in self:
            parts += [
                Text(shown(row.heading(self.language)), style="bold"),
                rich_tokens(row.tokens),
            ]
            parts += [Text(f"⚠ {remark}", style="yellow") for remark in row.remarks(self.language)]
            parts.append(Text())
        if self.faults:
            first, *faults = self.told_faults()
            parts += [Text(first, style="yellow"), *(Text(f"  {shown(one)}") for one in faults)]
        return Group(*parts)

    @property
    def title(self) -> str:
        """Which model sees the rows, and how much of them."""
        return say("display.seen-by", self.language, model=self.model, length=self.max_length)

    def told_faults(self) -> list[str]:
        """How many rows cannot be read, and the first of them."""
        told = say("display.row-faults", self.language, count=len(self.faults))
        return [told, *map(str, self.faults[:3])]

    def html(self) -> Html:
        """The rows as boxes, for a notebook or a page; as text: those with loss between ⟦ and ⟧."""
        legend = "".join(
            f'<span style="{STYLES[kind]};border-radius:3px;padding:.1em .4em;'
            f'margin-right:.6em">{escape(say(f"display.{kind}", self.language))}</span>'
            for kind in KINDS
        )
        out, text = [f"<p>{escape(self.title)} &ensp; {legend}</p>"], [self.title]
        for row in self:
            boxes, heading = token_boxes(row.tokens), row.heading(self.language)
            remarks = [f"⚠ {remark}" for remark in row.remarks(self.language)]
            out += [f"<h4>{escape(heading)}</h4>{boxes.html}", *map(_warning, remarks)]
            text += [shown(heading), boxes.text, *remarks]
        if self.faults:
            out.append(_warning("\n".join(self.told_faults())))
            text += map(shown, self.told_faults())
        return Html("".join(out), "\n".join(text))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.html()._repr_mimebundle_()


def preview(
    path: str | Path | Sequence[Conversation],
    *,
    model: str | Path | ModelRef = "mame",
    rows: int = 3,
    max_length: int | None = None,
    language: str = "en",
    **reading: Any,
) -> Preview:
    """The first `rows` readable rows of a training file (or of conversations) as the model will see
    them.

    `max_length`: tokens of prompt and answer together; None takes the model's recipe, and never
    more than the model's own window. `language`: of the labels, "en" or "ja". `reading`: for
    `open_rows`.

    Raises WorkshopError for a file without a readable row, for a model that cannot be trained, for
    an invalid `rows` or `max_length`, and when the model's template refuses a row.
    """
    if rows < 1:
        raise WorkshopError(f"rows is {rows}; ask for at least one row.")
    if max_length is not None and max_length < 8:
        raise WorkshopError(f"max_length is {max_length}; it must be at least 8, as in training.")
    if language not in LANGUAGES:
        raise WorkshopError(
            f'There are no labels in "{language}"; choose from {", ".join(LANGUAGES)}.'
        )
    conversations, faults = _first_rows(path, rows, reading)
    ref = resolve(model)
    if ref.kind not in ("catalogue", "folder"):
        raise WorkshopError(
            f"{ref.name} cannot be trained, so there is nothing to preview. Give a catalogue name "
            "or a model folder."
        )
    tokenizer = load_tokenizer(ref)
    length = _length(ref, max_length)
    # Report the template's refusal before the trainer fails.
    texts = [chat_prompt(tokenizer, c.to_messages(), answer=True) for c in conversations]
    whole = prepared(ref, tokenizer, conversations, None)
    kept = prepared(ref, tokenizer, conversations, length)
    found = []
    for place, (conversation, text) in enumerate(zip(conversations, texts, strict=True)):
        ids, labels = whole.get(place, ([], []))
        within = len(kept[place][0]) if place in kept else min(length, len(ids))
        tokens = tuple(
            Token(id, token_text(tokenizer, id), label != -100, at >= within)
            for at, (id, label) in enumerate(zip(ids, labels, strict=True))
        )
        found.append(PreviewedRow(conversation, place + 1, text, tokens, length, place not in kept))
    return Preview(found, model=ref.name, max_length=length, language=language, faults=faults)


def prepared(
    ref: ModelRef, tokenizer: Any, conversations: Sequence[Conversation], max_length: int | None
) -> dict[int, tuple[list[int], list[int]]]:
    """What training feeds to the model: place of the row → its token ids and labels (-100: no
    loss). A row that the trainer drops is missing; `max_length=None` cuts nothing.
    """
    recipe = LoraRecipe.for_model(ref)
    with quiet_libraries():
        from datasets import Dataset
        from transformers import Qwen2Config, Qwen2ForCausalLM

        trainer_class = course_trainer(recipe)
    # Rows are prepared when a trainer is made, which needs a model, though no weight is looked at.
    size = {"vocab_size": 8, "hidden_size": 8, "intermediate_size": 8, "max_position_embeddings": 8}
    ones = dict.fromkeys(("num_hidden_layers", "num_attention_heads", "num_key_value_heads"), 1)
    stub = Qwen2ForCausalLM(Qwen2Config(**size, **ones))
    rows = [{**row, "place": place} for place, row in enumerate(examples(conversations))]
    device = pick_device("cpu", ref)
    with tempfile.TemporaryDirectory() as work, quiet_libraries():
        arguments = trainer_arguments(Path(work), recipe, device, max_length or 8, False)
        arguments.max_length = max_length
        data = Dataset.from_list(rows)
        made = trainer_class(
            model=stub, args=arguments, train_dataset=data, processing_class=tokenizer
        )
        return {
            row["place"]: (list(row["input_ids"]), list(row["labels"]))
            for row in made.train_dataset
        }


def _first_rows(
    path: str | Path | Sequence[Conversation], rows: int, reading: dict[str, Any]
) -> tuple[list[Conversation], list[Fault]]:
    """That many readable rows, and the faults among and before them."""
    found: list[Conversation] = []
    faults: list[Fault] = []
    if not isinstance(path, str | Path):
        found = list(path)[:rows]
    else:
        with open_rows(path, **reading) as reader:
            for item in reader:
                if isinstance(item, Fault):
                    faults.append(item)
                else:
                    found.append(item)
                    if len(found) == rows:
                        break
    if not found:
        told = f" The first fault: {faults[0]}" if faults else ""
        where = path if isinstance(path, str | Path) else "The list"
        raise WorkshopError(f"{where} holds no row that can be read.{told}")
    return found, faults


def _length(ref: ModelRef, max_length: int | None) -> int:
    """As in training: the recipe's length, and never more than the model has positions."""
    with quiet_libraries():
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(
            model_folder(ref), local_files_only=True, trust_remote_code=False
        )
    window = getattr(config.get_text_config(), "max_position_embeddings", None)
    wanted = max_length or LoraRecipe.for_model(ref).max_length
    return min(wanted, window or wanted)


def _warning(text: str) -> str:
    return f'<p style="color:#b35900">{escape(text).replace(chr(10), "<br>")}</p>'

"""Prompted models: the same weights, with a system text and examples before every question.

This is what a Modelfile can do, and all that it can do. Nothing is learned: the examples are read
again with every question, and what stands neither in them nor in the system text the model does not
know.
"""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...core.cards import warn_outdated
from ...core.errors import WorkshopError
from ...dataset.formats import Conversation, Message, read_conversations
from ...gguf.header import read_gguf
from ...models.resolve import ModelRef, resolve
from .modelfile import Modelfile, Value
from .template import chat_format

# The longest answer in tokens: a model that misses its end token must stop somewhere.
NUM_PREDICT = 512
# Examples are chosen among this many rows; comparing each with each then takes a second.
MOST_ROWS = 1000

# The catalogue's models in Ollama's library, quantized, with Ollama's own template. gemma3-270m is
# not there: what the library calls gemma3:270m is its instruction-tuned sister.
LIBRARY = {
    "tinyllama-1.1b": "tinyllama:1.1b",
    "gemma3-1b": "gemma3:1b",
    "llama3.2-1b": "llama3.2:1b",
    "llama3.2-3b": "llama3.2:3b",
    "qwen2.5-0.5b": "qwen2.5:0.5b",
    "qwen2.5-1.5b": "qwen2.5:1.5b",
    "qwen2.5-3b": "qwen2.5:3b",
    "qwen3-0.6b": "qwen3:0.6b",
    "smollm2": "smollm2:135m",
}


def prompted(
    model: str | Path | ModelRef,
    *,
    system: str | None = None,
    data: str | Path | Sequence[Conversation] | None = None,
    shots: int = 0,
    temperature: float | None = None,
    top_p: float | None = None,
    folder: str | Path | None = None,
) -> Modelfile:
    """The Modelfile of a prompted model: `model`'s weights, unchanged, behind a system text and
    `shots` examples.

    model: a `.gguf` file (TEMPLATE, stop texts and `num_predict` are written for it), `ollama:NAME`
    or a catalogue name (FROM names the model in Ollama, whose own template stays). data: rows to
    choose the examples from. folder: where the Modelfile is to lie; FROM's path counts from there.
    Raises WorkshopError for a model that is not a GGUF yet, and for rows that cannot be read or are
    too few.
    """
    ref = resolve(model)
    warn_outdated(ref.path)
    folder = Path(folder) if folder is not None else None
    base, template, stop = _weights(ref, folder)
    parameters: dict[str, Value | None] = {
        "num_predict": NUM_PREDICT,
        "stop": stop or None,
        "temperature": temperature,
        "top_p": top_p,
    }
    messages: list[Message] = []
    if shots:
        if data is None:
            raise WorkshopError("Examples are chosen from rows: name a file of them (--from-data).")
        rows = read_conversations(data) if isinstance(data, str | Path) else list(data)
        for row in choose_examples(rows, shots):
            messages += [m for m in row.messages if m.role != "system"]
    if ref.kind == "gguf" and ref.path is not None and read_gguf(ref.path).composes:
        # Ollama hands the texts on as they are, where the model's own tokenizer would compose them
        system = None if system is None else unicodedata.normalize("NFC", system)
        messages = [Message(m.role, unicodedata.normalize("NFC", m.content)) for m in messages]
    return Modelfile(
        base=base,
        system=system,
        template=template,
        parameters={name: value for name, value in parameters.items() if value is not None},
        messages=tuple(messages),
        folder=folder,
    )


def _weights(ref: ModelRef, folder: Path | None) -> tuple[str, str | None, tuple[str, ...]]:
    """FROM, TEMPLATE and stop texts for a model."""
    if ref.kind == "gguf":
        assert ref.path is not None
        found = chat_format(ref)
        return _from_path(ref.path, folder), found.template, found.stop
    if ref.kind == "ollama":
        return ref.name.removeprefix("ollama:"), None, ()
    if ref.kind == "catalogue" and ref.name in LIBRARY:
        return LIBRARY[ref.name], None, ()
    source, merging = ref.name if ref.kind == "catalogue" else ref.path, ""
    if ref.kind == "adapter":
        source, merging = "merged", f"`workshop merge {ref.path} --out merged`, then "
    raise WorkshopError(
        f"{ref.name} is not a GGUF yet, and Ollama runs nothing else. Make one: {merging}`workshop "
        f"gguf {source} --out model.gguf`; then name model.gguf here."
    )


def _from_path(path: Path, folder: Path | None) -> str:
    absolute = Path(os.path.abspath(path.expanduser()))
    try:
        found = os.path.relpath(absolute, folder or Path.cwd()).replace(os.sep, "/")
    except ValueError:  # another drive of Windows
        return str(absolute)
    return found if found.startswith("../") else f"./{found}"


def choose_examples(rows: Sequence[Conversation], count: int) -> list[Conversation]:
    """`count` rows that together stand for all, the most typical first; the same rows always.

    Rows are compared by the pieces of three characters in question and answer, which works in any
    language; each next row is the one that brings all rows nearest to some chosen one (greedy
    facility location), so examples spread over the topics in proportion to them, and a stray row is
    not taken for a topic. Raises WorkshopError for fewer rows.
    """
    rows = rows[:MOST_ROWS]
    if not 1 <= count <= len(rows):
        raise WorkshopError(f"{count} examples cannot be chosen from {len(rows)} rows.")
    pieces = [_pieces(row) for row in rows]
    frequency = Counter(piece for row in pieces for piece in row)
    # words in every row (a greeting, "how much is") say nothing about its topic
    weight = {piece: math.log(len(rows) / n) for piece, n in frequency.items()}
    length = [math.sqrt(sum(weight[p] ** 2 for p in row)) or 1.0 for row in pieces]

    def likeness(a: int, b: int) -> float:
        return sum(weight[p] ** 2 for p in pieces[a] & pieces[b]) / (length[a] * length[b])

    like = [[0.0] * len(rows) for _ in rows]
    for a in range(len(rows)):
        for b in range(a, len(rows)):
            like[a][b] = like[b][a] = likeness(a, b)
    nearest = [0.0] * len(rows)
    chosen: list[int] = []
    for _ in range(count):
        gains = {
            at: sum(max(0.0, new - old) for new, old in zip(like[at], nearest, strict=True))
            for at in range(len(rows))
            if at not in chosen
        }
        best = max(gains, key=gains.__getitem__)
        chosen.append(best)
        nearest = [max(old, new) for old, new in zip(nearest, like[best], strict=True)]
    return [rows[at] for at in chosen]


def _pieces(row: Conversation) -> frozenset[str]:
    text = re.sub(r"\s+", " ", f"{row.question} {row.answer}").casefold()
    return frozenset(text[i : i + 3] for i in range(max(1, len(text) - 2)))

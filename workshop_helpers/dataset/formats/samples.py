"""One row in every format that the course reads: what it looks like in the file."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from ...core.showing import Shown
from .conversation import Conversation
from .files import open_rows
from .writing import write_conversations

# What people call it → its file, and the format that is asked for (None: the file's own).
SAMPLES = {
    "Alpaca": ("rows.jsonl", "alpaca"),
    "messages": ("rows.jsonl", "messages"),
    "ShareGPT": ("rows.jsonl", "sharegpt"),
    "prompt/completion": ("rows.jsonl", "prompt/completion"),
    "Gemini": ("rows.jsonl", "gemini"),
    "CSV": ("rows.csv", None),
    "text": ("rows.txt", None),
}


@dataclass(frozen=True)
class RowFormats(Shown):
    """A row as each format writes it (`written`: the text of the file) and what is read back from
    there (`read`), by the format's name. Shown in `language`.
    """

    row: Conversation
    written: dict[str, str]
    read: dict[str, Conversation]
    language: str = "en"


def row_in_formats(row: Conversation, language: str = "en") -> RowFormats:
    """Write `row` to a file of every format, and read each file again, as any file: the format is
    found out.

    Raises WorkshopError for a row that a format cannot hold, such as one of several turns.
    """
    written, read = {}, {}
    plain = Conversation(row.messages)  # without its other fields, which some formats write too
    with tempfile.TemporaryDirectory() as folder:
        for name, (file, format) in SAMPLES.items():
            path = Path(folder, file)
            write_conversations([plain], path, format=format)
            written[name] = path.read_text(encoding="utf-8-sig").strip()
            with open_rows(path) as reader:
                (found,) = reader
            assert isinstance(found, Conversation)
            read[name] = Conversation(found.messages)
    return RowFormats(plain, written, read, language)

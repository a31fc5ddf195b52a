"""The size and balance of a training set, and the estimated cost of training on it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...core.artifacts import data_path
from ...core.errors import WorkshopError
from ...core.jsonio import read_json
from ...core.wordings import Wording
from ...models.resolve import ModelRef
from ..formats import read_conversations
from .findings import Finding, Place, finding, word
from .row import Places, Rows, SetCheck

# Guide values in rows; below the first there is no visible effect. See the rule `too-few`.
AIMS = {"try": 50, "useful": 200, "good": 1000}
UNEVEN = 5  # ratio of rows between the largest and a small topic
MOST_TOPICS = 1_000
DEFAULT_EPOCHS = 5  # LoraRecipe's default; this room cannot import it
_ROWS = 100  # in the recorded training


def enough(rows: int, aim: str | None, file: str) -> list[Finding]:
    """`too-few` for the aim; without an aim, a warning below 50 rows and a note below 200.

    Raises WorkshopError for an aim other than "try", "useful" and "good".
    """
    if aim is not None and aim not in AIMS:
        raise WorkshopError(f'There is no aim "{aim}"; choose from {", ".join(AIMS)}.')
    wanted = AIMS[aim or "useful"]
    if rows >= wanted:
        return []
    code, severity = "rows-to-see", "note"
    if aim is not None:
        code, severity = "aim-wants", "warning"
    elif rows < AIMS["try"]:
        code, severity, wanted = "few-rows", "warning", AIMS["try"]
    values: dict[str, Any] = {"severity": severity, "rows": rows, "aim": aim, "wanted": wanted}
    return [finding("too-few", Place(file, 1), code, **values)]


class Topics(SetCheck):
    """`unbalanced`: rows per topic, if rows have one. Memory: at most 1,000 topics."""

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self.counted: dict[str, int] = {}
        self._first: dict[str, int] = {}

    def take(self, rows: Rows) -> Iterable[Finding]:
        for place in rows.special:
            topic = topic_of(rows.conversations[place].extra)
            if topic in self.counted:
                self.counted[topic] += 1
            elif topic and len(self.counted) < MOST_TOPICS:
                self.counted[topic] = 1
                self._first[topic] = rows.numbers[place]
        return ()

    def summary(self) -> dict[str, Any]:
        """The number of rows per topic."""
        return {"topics": self.counted}

    def finish(self) -> list[Finding]:
        if not 2 <= len(self.counted) < MOST_TOPICS:
            return []
        usual = max(self.counted, key=self.counted.__getitem__)
        most = self.counted[usual]
        found = []
        for topic, rows in self.counted.items():
            if rows * UNEVEN < most:
                places = self._first[topic], self._first[usual]
                values = {"topic": topic, "rows": rows, "usual": usual, "most": most}
                values["excerpt"] = topic
                found.append(self.finding("unbalanced", "topics-differ", *places, **values))
        return found


def topic_of(extra: Any) -> str:
    """The topic or category in a row's other fields, or ""."""
    topic = extra.get("topic") or extra.get("category") if extra else None
    return topic if isinstance(topic, str) else ""


def estimate(
    tokens: int,
    ref: ModelRef,
    *,
    tokens_per_second: float | None = None,
    price_per_hour: float | None = None,
    tokenizer: Any = None,
) -> dict[str, Any]:
    """The estimated time and cost of LoRA training: tokens · epochs / speed, and hours · price.

    The epochs are those of the model's recipe. The default speed is the one measured for this model
    in `results/speed.json`; `source` names its machine, since others are faster or slower.
    `seconds` and `cost` are None if no speed or no price is known.
    """
    recipe = ref.origin.recipe if ref.origin else {}
    epochs = float(recipe.get("epochs", DEFAULT_EPOCHS))
    source = word("given-speed")
    if tokens_per_second is None:
        tokens_per_second, source = measured_speed(ref, epochs, tokenizer)
    seconds = cost = None
    if tokens_per_second:
        took = tokens * epochs / tokens_per_second
        seconds = round(took, 1)
        cost = None if price_per_hour is None else round(took / 3600 * price_per_hour, 4)
    return {
        "tokens": tokens,
        "epochs": epochs,
        "tokens_per_second": tokens_per_second,
        "seconds": seconds,
        "cost": cost,
        "source": source,
    }


def measured_speed(ref: ModelRef, epochs: float, tokenizer: Any) -> tuple[float | None, Wording]:
    """Tokens per second of the recorded training of this model on 100 shop rows, and its source.

    The time is that of the whole command. (None, reason) without a record.
    """
    record = Path(__file__).resolve().parents[3] / "results" / "speed.json"
    try:
        found = read_json(record)
        seconds = {la: found["lora"]["rows_100"][la]["median"] for la in ("en", "ja")}
        if found["model"]["name"] != ref.name:
            return None, word("no-speed-of-model", model=ref.name)
        machine = {key: found["machine"][key] for key in ("cpu", "cores")}
    except (WorkshopError, KeyError, TypeError):
        return None, word("no-speed")
    from ...models.chat import chat_prompt
    from ...models.load import load_tokenizer

    tokenizer = tokenizer or load_tokenizer(ref)
    tokens = 0
    for language in seconds:
        rows = read_conversations(data_path("shop", f"train.{language}.jsonl"), limit=_ROWS)
        texts = [chat_prompt(tokenizer, row.to_messages(), answer=True) for row in rows]
        encoded = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        tokens += sum(len(ids) for ids in encoded)
    speed = tokens * epochs / sum(seconds.values())
    source = word("measured-speed", model=ref.name, rows=_ROWS, **machine)
    return round(speed, 1), source

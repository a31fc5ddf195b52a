"""Is it enough, is it balanced, and what will it cost to train on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.artifacts import data_path
from ...core.errors import WorkshopError
from ...core.jsonio import read_json
from ...models.resolve import ModelRef
from .findings import Finding, Place, finding
from .places import Places

if TYPE_CHECKING:
    from .row import Row

# Guide values, rows: below the first nothing is seen; see the rule `too-few`.
AIMS = {"try": 50, "useful": 200, "good": 1000}
UNEVEN = 5  # times as many rows in the greatest topic as in the least
MOST_TOPICS = 1_000


def enough(rows: int, aim: str | None, file: str) -> list[Finding]:
    """`too-few` for the aim ("try", "useful", "good"); without one: a warning below 50 rows, a note
    below 200.

    Raises WorkshopError for an aim that is none.
    """
    place = Place(file, 1)
    if aim is not None:
        if aim not in AIMS:
            raise WorkshopError(f'There is no aim "{aim}"; choose from {", ".join(AIMS)}.')
        if rows >= AIMS[aim]:
            return []
        words = f'{rows:,} rows; the aim "{aim}" wants about {AIMS[aim]:,}.'
        return [finding("too-few", place, words)]
    if rows >= AIMS["useful"]:
        return []
    if rows < AIMS["try"]:
        return [finding("too-few", place, f"{rows:,} rows; about 50 are needed to see an effect.")]
    words = f"{rows:,} rows: enough to see an effect; about 200 are needed to be useful."
    return [finding("too-few", place, words, severity="note")]


class Topics:
    """`unbalanced`: rows of each topic, where rows have a field `topic`. Memory: at most 1,000
    topics.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self.counted: dict[str, int] = {}
        self._first: dict[str, int] = {}

    def add(self, row: Row) -> Iterable[Finding]:
        """Take a row."""
        extra = row.conversation.extra
        if not extra:
            return ()
        topic = extra.get("topic") or extra.get("category")
        if isinstance(topic, str) and topic:
            if topic in self.counted:
                self.counted[topic] += 1
            elif len(self.counted) < MOST_TOPICS:
                self.counted[topic] = 1
                self._first[topic] = row.number
        return ()

    def finish(self) -> list[Finding]:
        """One finding for each topic with less than a fifth of the greatest topic's rows."""
        if len(self.counted) < 2 or len(self.counted) >= MOST_TOPICS:
            return []
        most = max(self.counted, key=self.counted.__getitem__)
        return [
            finding(
                "unbalanced",
                self._places[self._first[topic]],
                f'{rows:,} rows on "{topic}", {self.counted[most]:,} on "{most}".',
                excerpt=topic,
                other=self._places[self._first[most]],
            )
            for topic, rows in self.counted.items()
            if rows * UNEVEN < self.counted[most]
        ]


# -- what training will take -------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """What training on the rows will take. seconds, cost: None where no speed, or no price, is
    known; source: where the speed comes from, or why there is none.
    """

    tokens: int
    epochs: float
    tokens_per_second: float | None
    seconds: float | None
    cost: float | None
    source: str


def estimate(
    tokens: int,
    ref: ModelRef,
    *,
    tokens_per_second: float | None = None,
    price_per_hour: float | None = None,
    tokenizer: Any = None,
) -> Estimate:
    """Seconds and cost of a LoRA training: tokens · epochs / speed, and hours · price.

    The epochs are the model's recipe's. The speed is the given one, else the one that
    `results/speed.json` holds for this model; its machine is named, since another one is faster or
    slower. The price has the currency it is given in.
    """
    recipe = ref.origin.recipe if ref.origin else {}
    epochs = float(recipe.get("epochs", DEFAULT_EPOCHS))
    source = "the speed that was given"
    if tokens_per_second is None:
        tokens_per_second, source = measured_speed(ref, epochs, tokenizer)
    seconds = tokens * epochs / tokens_per_second if tokens_per_second else None
    cost = None
    if seconds is not None and price_per_hour is not None:
        cost = round(seconds / 3600 * price_per_hour, 4)
    rounded = round(seconds, 1) if seconds is not None else None
    return Estimate(tokens, epochs, tokens_per_second, rounded, cost, source)


DEFAULT_EPOCHS = 5  # as LoraRecipe's, which stands above this module
_ROWS = 100


def measured_speed(ref: ModelRef, epochs: float, tokenizer: Any) -> tuple[float | None, str]:
    """Tokens a second of the recorded training of this model on 100 rows of the shop, and where
    that was.

    The time is of the whole command, so small sets are not promised more than was seen. (None, why)
    without a record.
    """
    record = Path(__file__).resolve().parents[3] / "results" / "speed.json"
    unknown = "give a speed with --tokens-per-second, or train on ten rows and see"
    try:
        found = read_json(record)
        seconds = {la: found["lora"]["rows_100"][la]["median"] for la in ("en", "ja")}
        if found["model"]["name"] != ref.name:
            return None, f"no speed is measured for {ref.name}; {unknown}"
        cpu = f"{found['machine']['cpu']}, {found['machine']['cores']} cores"
    except (WorkshopError, KeyError, TypeError):
        return None, f"no measured speed is at hand; {unknown}"
    from ...models.chat import chat_prompt
    from ...models.load import load_tokenizer
    from ..formats import read_conversations

    tokenizer = tokenizer or load_tokenizer(ref)
    tokens = 0
    for language in seconds:
        rows = read_conversations(data_path("shop", f"train.{language}.jsonl"), limit=_ROWS)
        texts = [chat_prompt(tokenizer, row.to_messages(), answer=True) for row in rows]
        encoded = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        tokens += sum(len(ids) for ids in encoded)
    speed = tokens * epochs / sum(seconds.values())
    return round(speed, 1), f"results/speed.json: {ref.name}, 100 rows, on {cpu}"

"""A model that writes, as synthesis needs one; `runtimes.writers` makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ...models.chat import Answer, Messages


class Writer(Protocol):
    """A model that is opened by `with`, and then answers requests.

    `name`: the model's. `inputs`: what its texts depend on, for the card. `batch`: how many tries a
    `write` is given; `parallel`: how many of these may run at a time. `can_ask`: whether the model
    writes questions, not only answers.
    """

    name: str
    inputs: Mapping[str, Any]
    batch: int
    parallel: int
    can_ask: bool

    def __enter__(self) -> Writer: ...

    def __exit__(self, *exception: object) -> None: ...

    def write(
        self, requests: Sequence[Messages], *, temperature: float | None, max_tokens: int, seed: int
    ) -> list[Answer]:
        """An answer to each request. `temperature`: None leaves it to the model."""
        ...

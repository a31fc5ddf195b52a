"""Small sets of training rows."""

from __future__ import annotations

from workshop_helpers.dataset.formats import Conversation, Message
from workshop_helpers.training.recipe import LoraRecipe


def talk(question: str, answer: str) -> Conversation:
    return Conversation((Message("user", question), Message("assistant", answer)))


def rows(count: int) -> list[Conversation]:
    return [
        talk(f"How much is parcel {i}?", f"Parcel {i} costs ${i}.99. 送料は{i}00円です。")
        for i in range(count)
    ]


LONG = LoraRecipe(epochs=9, batch_size=4, learning_rate=1e-3, dropout=0.1)

"""What a model keeps of the tokens it has read: keys and values, a row for each conversation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

_ROOM = 64  # tokens


class RoomyLayer(DynamicLayer):
    """Keys and values of one layer (rows, heads, tokens, width), with room behind them for the next
    tokens. Transformers' own copies all of them at every step.
    """

    _whole: tuple[Any, Any] | None = None

    def update(self, key_states: Any, value_states: Any, *args: Any, **how: Any) -> tuple[Any, Any]:
        before = self.get_seq_length()
        after = before + key_states.shape[-2]
        if self._whole is None or after > self._whole[0].shape[-2]:
            pairs = ((key_states, self.keys), (value_states, self.values))
            self._whole = tuple(_with_room(*pair, before, after) for pair in pairs)
            self.dtype, self.device = key_states.dtype, key_states.device
            self.is_initialized = True
        for whole, new in zip(self._whole, (key_states, value_states), strict=True):
            whole[..., before:after, :] = new
        self._show(after)
        return self.keys, self.values

    def _show(self, length: int) -> None:
        assert self._whole is not None
        self.keys, self.values = (whole[..., :length, :] for whole in self._whole)

    def _change_rows(self, change: Callable[[Any], Any]) -> None:
        assert self._whole is not None
        length = self.get_seq_length()
        self._whole = (change(self._whole[0]), change(self._whole[1]))
        self._show(length)

    def batch_select_indices(self, indices: Any) -> None:
        self._change_rows(lambda whole: whole[indices])

    def batch_repeat_interleave(self, repeats: int) -> None:
        self._change_rows(lambda whole: whole.repeat_interleave(repeats, dim=0))


def _with_room(new: Any, old: Any, before: int, after: int) -> Any:
    whole = new.new_empty(*new.shape[:-2], after + _ROOM, new.shape[-1])
    if before:
        whole[..., :before, :] = old
    return whole


def roomy_cache(config: Any) -> DynamicCache:
    """An empty cache for a model of that configuration. Layers that keep a window only, or another
    state, are transformers' own.
    """
    cache = DynamicCache(config=config)
    cache.layers = [
        RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers
    ]
    return cache


def token_bytes(config: Any, width: int) -> int:
    """Bytes that one token takes in the cache, at `width` bytes a figure: layers × heads of keys
    and values × (key + value). 0 for a model without attention.
    """
    heads = getattr(config, "num_attention_heads", None) or 0
    pairs = getattr(config, "num_key_value_heads", None) or heads
    length = getattr(config, "head_dim", None) or config.hidden_size // max(1, heads)
    return int(config.num_hidden_layers * pairs * length) * 2 * width

"""What a model keeps of the tokens it has read: keys and values, a row for each conversation."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

_ROOM = 64  # tokens


@lru_cache(maxsize=1)
def roomy_layer() -> Any:
    """The class for keys and values of one layer (rows, heads, tokens, width), with room behind
    them for the next tokens. Transformers' own copies all of them at every step.
    """
    from transformers.cache_utils import DynamicLayer

    class RoomyLayer(DynamicLayer):
        whole: tuple[Any, ...] | None = None

        def update(self, key_states: Any, value_states: Any, *args: Any, **how: Any) -> Any:
            before = self.get_seq_length()
            after = before + key_states.shape[-2]
            if self.whole is None or after > self.whole[0].shape[-2]:
                pairs = ((key_states, self.keys), (value_states, self.values))
                self.whole = tuple(_with_room(*pair, before, after) for pair in pairs)
                self.dtype, self.device = key_states.dtype, key_states.device
                self.is_initialized = True
            for whole, new in zip(self.whole, (key_states, value_states), strict=True):
                whole[..., before:after, :] = new
            self.show(after)
            return self.keys, self.values

        def show(self, length: int) -> None:
            assert self.whole is not None
            self.keys, self.values = (whole[..., :length, :] for whole in self.whole)

        def change_rows(self, change: Callable[[Any], Any]) -> None:
            assert self.whole is not None
            length = self.get_seq_length()
            self.whole = tuple(change(whole) for whole in self.whole)
            self.show(length)

        def batch_select_indices(self, indices: Any) -> None:
            self.change_rows(lambda whole: whole[indices])

        def batch_repeat_interleave(self, repeats: int) -> None:
            self.change_rows(lambda whole: whole.repeat_interleave(repeats, dim=0))

    return RoomyLayer


def _with_room(new: Any, old: Any, before: int, after: int) -> Any:
    whole = new.new_empty(*new.shape[:-2], after + _ROOM, new.shape[-1])
    if before:
        whole[..., :before, :] = old
    return whole


def roomy_cache(config: Any) -> Any:
    """An empty cache for a model of that configuration. Layers that keep a window only, or another
    state, are transformers' own.
    """
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    cache = DynamicCache(config=config)
    layer = roomy_layer()
    cache.layers = [layer() if type(one) is DynamicLayer else one for one in cache.layers]
    return cache


def token_bytes(config: Any, width: int) -> int:
    """Bytes that one token takes in the cache, at `width` bytes a figure: layers × heads of keys
    and values × (key + value). 0 for a model without attention.
    """
    heads = getattr(config, "num_attention_heads", None) or 0
    pairs = getattr(config, "num_key_value_heads", None) or heads
    length = getattr(config, "head_dim", None) or config.hidden_size // max(1, heads)
    return int(config.num_hidden_layers * pairs * length) * 2 * width

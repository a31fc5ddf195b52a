"""What a training will take, estimated before it runs: memory by terms, time and money by tokens.

Estimates, with the formulas written out; only a training itself measures. What they leave out:
Python, the libraries and their kernels, memory that was freed and is kept, and the matrix of
attention scores, which neither SDPA nor flash attention stores.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError, foreign
from ..core.jsonio import read_json
from ..models.files import count_weights
from ..models.load import model_folder
from ..models.resolve import ModelRef, resolve
from .recipe import LoraRecipe

METHODS = ("full", "lora", "qlora")
# NF4 with its scales quantized too: 4 bits, and 0.127 bits of scales a weight (Dettmers et al.
# 2023, arXiv:2305.14314, section 3).
_NF4_BYTES = 4.127 / 8
_MLP = ("down_proj", "gate_proj", "up_proj")


@dataclass(frozen=True)
class Shape:
    """Of a model's form, what decides the memory: how many weights and `layers`, the widths of a
    token (`hidden`), of the MLP (`intermediate`) and of the keys (`key_value`), and how many tokens
    it knows (`vocabulary`).
    """

    parameters: int
    layers: int
    hidden: int
    intermediate: int
    key_value: int
    vocabulary: int

    @classmethod
    def typical(cls, parameters: float) -> Shape:
        """Of a decoder with so many parameters: 12 · layers · hidden² of them, hidden 128 times the
        layers, the MLP 8/3 as wide, a quarter as many heads for keys and values, 128,000 tokens.
        """
        hidden = (parameters * 128 / 12) ** (1 / 3)
        layers = max(1, round(hidden / 128))
        return cls(
            round(parameters),
            layers,
            round(hidden),
            round(hidden * 8 / 3),
            round(hidden / 4),
            128_000,
        )

    @classmethod
    def of(cls, model: str | Path | ModelRef) -> Shape:
        """Of a model whose files are there. Raises WorkshopError where they are not."""
        folder = model_folder(resolve(model))
        config: dict[str, Any] = read_json(folder / "config.json", dict)
        with foreign(folder / "config.json"):
            config = config.get("text_config") or config
            heads = int(config["num_attention_heads"])
            width = int(config.get("head_dim") or config["hidden_size"] // heads)
            return cls(
                count_weights(folder),
                int(config["num_hidden_layers"]),
                int(config["hidden_size"]),
                int(config["intermediate_size"]),
                width * int(config.get("num_key_value_heads", heads)),
                int(config["vocab_size"]),
            )

    def adapter_parameters(self, rank: int, modules: tuple[str, ...] | None = None) -> int:
        """Weights of a LoRA adapter: rank · (in + out) for each adapted matrix (None: all)."""
        h, i, kv = self.hidden, self.intermediate, self.key_value
        widths = {"q_proj": 2 * h, "o_proj": 2 * h, "k_proj": h + kv, "v_proj": h + kv}
        widths |= dict.fromkeys(_MLP, h + i)
        return self.layers * rank * sum(widths.get(name, 0) for name in modules or widths)


def activation_bytes(
    tokens: int, layers: int, hidden: int, vocabulary: int, width: int, recomputed: bool = False
) -> float:
    """What the forward pass keeps for the backward one, for `tokens` of a batch.

    A layer keeps about 34 · hidden bytes a token in 16-bit values (`width` 2) without the attention
    matrix (Korthikanti et al. 2022, arXiv:2205.05198, section 4.1). `recomputed` (checkpointing):
    of each layer its input, and one whole layer. The logits are held in fp32 three times.
    """
    layer = 17 * width * hidden
    kept = layers * width * hidden + layer if recomputed else layers * layer
    return float(tokens * (kept + 3 * 4 * vocabulary))


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes of each term of a training, and the number of weights that are `trainable`."""

    weights: float
    adapter: float
    gradients: float
    optimizer: float
    activations: float
    trainable: int

    @property
    def terms(self) -> dict[str, float]:
        """The terms by name, in bytes."""
        names = ("weights", "adapter", "gradients", "optimizer", "activations")
        return {name: getattr(self, name) for name in names}

    @property
    def total(self) -> float:
        """Their sum in bytes."""
        return sum(self.terms.values())


def estimate_memory(
    shape: Shape,
    method: str = "lora",
    *,
    rank: int = 16,
    modules: tuple[str, ...] | None = None,
    batch: int = 4,
    length: int = 512,
    width: int = 2,
    checkpointing: bool = False,
) -> MemoryEstimate:
    """Bytes that a training with AdamW holds at its peak.

    `method`: "full" keeps fp32 weights, their gradients and two moments; "lora" keeps the weights
    in `width` bytes and trains an fp32 adapter of `rank` for `modules` (None: every linear layer);
    "qlora" keeps all but the embedding in 4 bits. `batch` rows of `length` tokens.
    Raises WorkshopError for another method.
    """
    if method not in METHODS:
        raise WorkshopError(
            f"{method!r} is no method of training; choose from {', '.join(METHODS)}."
        )
    adapter = 0 if method == "full" else shape.adapter_parameters(rank, modules)
    trainable = adapter or shape.parameters
    embedding = min(shape.parameters, shape.vocabulary * shape.hidden)
    weights = {
        "full": 4.0 * shape.parameters,
        "lora": float(width * shape.parameters),
        "qlora": width * embedding + _NF4_BYTES * (shape.parameters - embedding),
    }[method]
    activations = activation_bytes(
        batch * length, shape.layers, shape.hidden, shape.vocabulary, width, checkpointing
    )
    return MemoryEstimate(
        weights, 4.0 * adapter, 4.0 * trainable, 8.0 * trainable, activations, trainable
    )


def estimate_recipe(
    model: str | Path | ModelRef, recipe: LoraRecipe, length: int
) -> MemoryEstimate:
    """The estimate for a model whose files are there, by a recipe, with rows of `length` tokens."""
    return estimate_memory(
        Shape.of(model),
        rank=recipe.rank,
        modules=recipe.adapted,
        batch=recipe.batch_size,
        length=length,
    )


@dataclass(frozen=True)
class CostEstimate:
    """Tokens that go through the model, the seconds they take, and what these cost in the currency
    of the price.
    """

    tokens: float
    seconds: float
    price: float


def estimate_cost(
    rows: int, tokens_a_row: float, epochs: float, tokens_a_second: float, price_an_hour: float
) -> CostEstimate:
    """rows · tokens · epochs at a speed and a price that the reader knows.

    Raises WorkshopError for a speed that is not above 0, and for a price below 0.
    """
    if not tokens_a_second > 0 or not price_an_hour >= 0:
        raise WorkshopError(
            "Tokens per second must be above 0, and the price per hour at least 0: measure the "
            "speed on your machine, and look the price up where you rent."
        )
    tokens = rows * tokens_a_row * epochs
    seconds = tokens / tokens_a_second
    return CostEstimate(tokens, seconds, seconds / 3600 * price_an_hour)

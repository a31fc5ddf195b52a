"""What a training will take, estimated before it runs: memory by terms, time and money by tokens.

Estimates, with the formulas written out; only a training itself measures. What they leave out:
Python, the libraries and their kernels, memory that was freed and is kept, and the matrix of
attention scores, which neither SDPA nor flash attention stores.
"""

from __future__ import annotations

import re
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
    it knows (`vocabulary`); `tied`: the output head is the embedding's matrix.
    """

    parameters: int
    layers: int
    hidden: int
    intermediate: int
    key_value: int
    vocabulary: int
    tied: bool = True

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
                bool(config.get("tie_word_embeddings", True)),
            )

    def adapter_parameters(self, rank: int, modules: tuple[str, ...] | None = None) -> int:
        """Weights of a LoRA adapter: rank · (in + out) for each adapted matrix (None: all)."""
        h, i, kv = self.hidden, self.intermediate, self.key_value
        widths = {"q_proj": 2 * h, "o_proj": 2 * h, "k_proj": h + kv, "v_proj": h + kv}
        widths |= dict.fromkeys(_MLP, h + i)
        return self.layers * rank * sum(widths.get(name, 0) for name in modules or widths)


# What a layer keeps of each token, in widths of the model: the inputs of the linear layers, of the
# two norms and of attention. Full training also keeps what the norms' weights need; where the MLP
# alone learns, nothing goes back through the projections of attention.
_KEPT = {"full": 8, "lora": 6, "mlp": 5}


def activation_bytes(
    tokens: int, shape: Shape, width: int, *, kept: int = _KEPT["lora"], recomputed: bool = False
) -> float:
    """What the layers' forward pass keeps for the backward one, for `tokens` of a batch, `width`
    bytes a number.

    Of each token a layer of the Llama kind keeps 4 · intermediate (gate, its SiLU, up, their
    product), `kept` · hidden, and keys and values; no attention matrix. For the usual proportions
    that is 17 · hidden numbers, or 34 · hidden bytes in 16 bits, as Korthikanti et al. 2022
    (arXiv:2205.05198, section 4.1) count for another architecture. `recomputed` (checkpointing): of
    each layer its input, and one whole layer.
    """
    layer = width * (4 * shape.intermediate + kept * shape.hidden + 2 * shape.key_value)
    inputs = width * shape.hidden
    return float(tokens * (shape.layers * inputs + layer if recomputed else shape.layers * layer))


def logits_bytes(tokens: int, vocabulary: int) -> float:
    """The logits of `tokens`, in fp32, three times: as they are, their logarithms, the gradient."""
    return 3.0 * 4 * tokens * vocabulary


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes of each term of a training, and the number of weights that are `trainable`. The
    activations are those of the layers; `recomputed` is the part of them that is made again, a
    layer at a time.
    """

    weights: float
    adapter: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    trainable: int
    recomputed: float = 0.0

    @property
    def terms(self) -> dict[str, float]:
        """The terms by name, in bytes."""
        names = ("weights", "adapter", "gradients", "optimizer", "activations", "logits")
        return {name: getattr(self, name) for name in names}

    @property
    def total(self) -> float:
        """Their sum in bytes."""
        return sum(self.terms.values())

    @property
    def peak(self) -> float:
        """What is held at once: gradients come as the activations go, a layer at a time, and a
        layer is computed again when the logits have gone.
        """
        never_both = min(self.recomputed, self.logits)
        passing = max(self.gradients, self.activations + self.logits - never_both)
        return self.weights + self.adapter + self.optimizer + passing


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
    answers: int | None = None,
) -> MemoryEstimate:
    """Bytes of each term of a training with AdamW.

    `method`: "full" keeps fp32 weights, their gradients and two moments; "lora" keeps the weights
    in `width` bytes and trains an fp32 adapter of `rank` for `modules` (None: every linear layer);
    "qlora" keeps all but the embedding and the head in 4 bits. `batch` rows of `length` tokens, of
    which `answers` (None: all) get logits.
    Raises WorkshopError for another method.
    """
    if method not in METHODS:
        raise WorkshopError(
            f"{method!r} is no method of training; choose from {', '.join(METHODS)}."
        )
    adapter = 0 if method == "full" else shape.adapter_parameters(rank, modules)
    trainable = adapter or shape.parameters
    whole = shape.vocabulary * shape.hidden * (1 if shape.tied else 2)
    embedding = min(shape.parameters, whole)
    weights = {
        "full": 4.0 * shape.parameters,
        "lora": float(width * shape.parameters),
        "qlora": width * embedding + _NF4_BYTES * (shape.parameters - embedding),
    }[method]
    only_mlp = method != "full" and modules is not None and set(modules) <= set(_MLP)
    kept = _KEPT["full" if method == "full" else "mlp" if only_mlp else "lora"]
    activations = activation_bytes(
        batch * length, shape, width, kept=kept, recomputed=checkpointing
    )
    logits = logits_bytes(batch * (length if answers is None else answers), shape.vocabulary)
    inputs = batch * length * shape.layers * width * shape.hidden
    again = activations - inputs if checkpointing else 0.0
    learned = 4.0 * trainable
    return MemoryEstimate(
        weights, 4.0 * adapter, learned, 2 * learned, activations, logits, trainable, again
    )


def largest_batch(shape: Shape, memory_bytes: float, method: str = "lora", **how: Any) -> int:
    """How many rows a step may have so that the peak stays within `memory_bytes`; 0 where not even
    one may. `how`: as `estimate_memory` takes it, without the batch.
    """

    def fits(batch: int) -> bool:
        return estimate_memory(shape, method, batch=batch, **how).peak <= memory_bytes

    if not fits(1):
        return 0
    most = 1
    while fits(2 * most):
        most *= 2
        if most > 2**20:
            break
    step = most
    while step := step // 2:
        if fits(most + step):
            most += step
    return most


def estimate_recipe(
    model: str | Path | ModelRef, recipe: LoraRecipe, length: int, width: int = 2
) -> MemoryEstimate:
    """The estimate for a model whose files are there, by a recipe, with rows of `length` tokens, in
    numbers of `width` bytes.
    """
    return estimate_memory(
        Shape.of(model),
        rank=recipe.rank,
        modules=recipe.adapted,
        batch=recipe.batch_size,
        length=length,
        width=width,
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


# Operations for each weight and token: 2 forward, 2 for what goes back through the layers, 2 for
# the weights' own gradients, which frozen weights do not need.
OPERATIONS = {"full": 6, "lora": 4, "qlora": 4}
# Of a GPU's operations a second, what trainings reach: 34 % and 41 % in two published runs, see
# chapter 17.
REACHED = 0.35


def tokens_a_second(
    parameters: float, method: str, tflops: float, reached: float = REACHED
) -> float:
    """Tokens that a GPU of so many 10^12 operations a second trains on. What it leaves out: 4 bits
    are computed with only after they were made 16 again, and recomputed activations cost a third.
    """
    return reached * tflops * 1e12 / (OPERATIONS[method] * parameters)


def shape_of(model: str | Path | ModelRef) -> Shape:
    """The shape of a model whose files are there; of one of the catalogue, or of a size such as
    "7B" or "135M", a typical one. Raises WorkshopError for what is neither.
    """
    size = re.fullmatch(r"(\d+(?:\.\d+)?)([bm])", str(model).strip(), re.IGNORECASE)
    if size and float(size[1]) > 0:
        return Shape.typical(float(size[1]) * (1e9 if size[2] in "bB" else 1e6))
    ref = resolve(model)
    try:
        return Shape.of(ref)
    except WorkshopError:
        if ref.entry is None:
            raise
        return Shape.typical(ref.entry.parameters)

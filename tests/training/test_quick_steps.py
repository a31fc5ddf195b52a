"""A quicker step learns the same: fused LoRA layers and packed rows against PEFT's and padding."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import peft
import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model

from workshop_helpers.training.fused import fused_lora
from workshop_helpers.training.loss import IGNORED, answer_loss
from workshop_helpers.training.packing import pack

EVERY = "all-linear"


def network(family: str = "Qwen2", attention: str = "sdpa", **changes: Any) -> Any:
    """A small random model without an adapter."""
    name = "Gemma3Text" if family == "Gemma3" else family
    config = getattr(transformers, f"{name}Config")(
        vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=128,
        pad_token_id=0, attn_implementation=attention, **changes,
    )  # fmt: skip
    torch.manual_seed(0)
    return getattr(transformers, f"{family}ForCausalLM")(config)


def adapted(base: Any, **changes: Any) -> Any:
    """With a LoRA adapter whose B is no longer zero, so that all gradients say something."""
    settings = {"r": 4, "lora_alpha": 8, "target_modules": EVERY, "task_type": "CAUSAL_LM"}
    model = get_peft_model(base, LoraConfig(**{**settings, **changes}))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return model.train()


def batch(prompts: list[list[int]], answers: list[list[int]]) -> dict[str, Any]:
    """Rows padded at the right."""
    width = max(len(a) + len(b) for a, b in zip(prompts, answers, strict=True))
    ids, seen, labels = [], [], []
    for prompt, answer in zip(prompts, answers, strict=True):
        pad = width - len(prompt) - len(answer)
        ids.append(prompt + answer + [0] * pad)
        seen.append([1] * (width - pad) + [0] * pad)
        labels.append([IGNORED] * len(prompt) + answer + [IGNORED] * pad)
    named = {"input_ids": ids, "attention_mask": seen, "labels": labels}
    return {name: torch.tensor(values) for name, values in named.items()}


HEAD = [5, 6, 7, 8, 9, 10]
ROWS = batch(
    [[*HEAD, 11], [*HEAD, 12, 13, 14], [*HEAD, 11, 15]], [[20, 21, 22], [23, 24], [20, 21, 22, 25]]
)


def learned(model: Any, rows: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The loss, and each gradient by name."""
    model.zero_grad()
    loss, count = answer_loss(model, rows)
    loss.backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return {"loss": loss.detach(), "count": count.float(), **gradients}


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], rtol: float) -> None:
    assert one.keys() == other.keys() and len(one) > 4
    for name, value in one.items():
        error = float((other[name] - value).norm() / value.norm())
        assert error < rtol, (name, error)


@contextlib.contextmanager
def padded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr("workshop_helpers.training.loss.pack", lambda *_: None)
        yield


@pytest.mark.parametrize("family", ["Llama", "Qwen2"])  # Qwen2's layers have a bias
@pytest.mark.parametrize("recomputed", [False, True])
def test_fused_layers_give_pefts_loss_and_gradients(family: str, recomputed: bool) -> None:
    model = adapted(network(family))
    if recomputed:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable({"use_reentrant": False})
    usual = learned(model, ROWS)
    with fused_lora(model) as layers:
        assert layers == 14
        assert_same(usual, learned(model, ROWS), 1e-5)
    assert_same(usual, learned(model, ROWS), 1e-9)  # PEFT's own again


@pytest.mark.parametrize("base", [torch.float32, torch.bfloat16])
def test_fused_layers_under_autocast_are_as_near_to_fp32_as_pefts(base: torch.dtype) -> None:
    model = adapted(network().to(base))
    layers = [m for m in model.modules() if isinstance(m, peft.tuners.lora.Linear)]

    def through(layer: Any, half: bool) -> list[torch.Tensor]:
        torch.manual_seed(1)
        x = torch.randn(2, 9, layer.in_features, requires_grad=True)
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            y = layer(x if half else x.to(base))
        y.backward(torch.randn(y.shape).to(y.dtype))
        a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        assert x.grad is not None and a.grad.dtype == b.grad.dtype == torch.float32
        return [y.detach().float(), x.grad, a.grad, b.grad]

    for layer in layers[:7]:
        usual = through(layer, True)
        with fused_lora(model):
            fused = through(layer, True)
        exact = through(layer, False) if base == torch.float32 else usual
        for one, other, right in zip(usual, fused, exact, strict=True):
            assert (other - right).norm() < 1.2 * (one - right).norm() + 6e-3 * right.norm()


@pytest.mark.parametrize(
    "other", [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}], ids=str
)
def test_what_is_not_plain_lora_stays_pefts(other: dict[str, Any]) -> None:
    model = adapted(network(), **other, target_modules=["q_proj"])
    usual = learned(model.eval(), ROWS)
    with fused_lora(model) as layers:
        assert layers == 0
        assert_same(usual, learned(model, ROWS), 1e-9)


def test_an_adapter_switched_off_or_merged_is_not_added_twice() -> None:
    model = adapted(network())
    rows = {name: ROWS[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad(), fused_lora(model):
        on = model(**rows).logits
        with model.disable_adapter():
            off = model(**rows).logits
        model.merge_adapter()
        merged = model(**rows).logits
        model.unmerge_adapter()
    seen = ROWS["attention_mask"].bool()
    assert torch.allclose(merged[seen], on[seen], atol=1e-5)
    assert (on - off)[seen].abs().max() > 1e-3


@pytest.mark.parametrize("family", ["Llama", "Qwen2", "Qwen3", "Gemma3"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_rows_give_the_loss_and_gradients_of_padded_ones(
    family: str, attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = adapted(network(family, attention))
    packed = pack(model, ROWS)
    assert packed is not None
    # The head once, of each row the rest without its last token.
    assert packed.inputs["input_ids"].tolist() == [
        [*HEAD, 11, 20, 21, 12, 13, 14, 23, 11, 15, 20, 21, 22]
    ]
    quick = learned(model, ROWS)
    with padded(monkeypatch):
        assert_same(quick, learned(model, ROWS), 1e-5)


@pytest.mark.parametrize(
    ("prompts", "answers", "tokens"),
    [
        ([[1, 2, 3], [4, 5]], [[6, 7], [8]], 6),  # nothing in common
        ([[1, 2, 3], [1, 2, 3]], [[6, 7], [6, 8]], 6),  # all but the answers: 3 predicts them
        ([[1, 2, 3], [1, 2, 3]], [[6, 7], [6, 7]], 6),  # the same twice
        ([[1, 2], [1, 2, 3, 4, 5]], [[3, 4], [6]], 7),  # one's answer is another's prompt
        ([[1, 2, 3], [1, 2, 4]], [[6], []], 3),  # a row without an answer
    ],
)
def test_rows_share_what_predicts_no_answer(
    prompts: list[list[int]],
    answers: list[list[int]],
    tokens: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, rows = adapted(network("Llama")), batch(prompts, answers)
    packed = pack(model, rows)
    assert packed is not None and packed.inputs["input_ids"].numel() == tokens
    quick = learned(model, rows)
    with padded(monkeypatch):
        assert_same(quick, learned(model, rows), 1e-5)


def test_what_cannot_be_packed_is_padded() -> None:
    model = adapted(network("Llama"), lora_dropout=0.1)
    assert pack(model, ROWS) is None  # dropout would be drawn once for the shared tokens
    assert pack(model.eval(), ROWS) is not None
    assert pack(adapted(network("Mistral")), ROWS) is None  # not tried
    one = {name: value[:1] for name, value in ROWS.items()}
    assert pack(model.eval(), one) is None
    for window, packs in ((9, False), (16, True)):  # the longest row has eleven places
        gemma = network("Gemma3", sliding_window=window)
        assert (pack(gemma, ROWS) is not None) is packs
    # Attention to masked tokens would cost more than the tokens that are saved.
    long = batch([[1, *range(2, 90)], [2, *range(2, 90)]] * 4, [[3]] * 8)
    assert pack(network("Llama"), long) is None

"""LoRA's small products without the passes over whole layers that PEFT's forward takes.

PEFT adds `B(A(x)) · scaling` to the layer's output: as wide as the layer are that product, its
scaling, the sum, and each of their gradients. Here they go into the layer's own output and gradient
in place, by the product itself, and the scaling costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@cache
def _product() -> Any:
    """The function of x, W, its bias, A, B and the scaling, all of one dtype; W and its bias are
    frozen.
    """
    import torch

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any, x: Any, weight: Any, bias: Any, a: Any, b: Any, scaling: float
        ) -> torch.Tensor:
            rows = x.reshape(-1, x.shape[-1])
            small = rows @ a.t()
            ctx.save_for_backward(rows, weight, a, b, small)
            ctx.scaling = scaling
            y = torch.nn.functional.linear(rows, weight, bias).addmm_(small, b.t(), alpha=scaling)
            return y.view(*x.shape[:-1], -1)

        @staticmethod
        def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
            rows, weight, a, b, small = ctx.saved_tensors
            given = gradients[0]
            g = given.reshape(-1, given.shape[-1])
            g_small = (g @ b).mul_(ctx.scaling)
            x = None
            if ctx.needs_input_grad[0]:
                x = (g @ weight).addmm_(g_small, a).view(*given.shape[:-1], -1)
            return x, None, None, g_small.t() @ rows, (g.t() @ small).mul_(ctx.scaling), None

    return Product


@contextmanager
def fused_lora(model: Any, *, active: bool = True) -> Iterator[int]:
    """In this block the plain LoRA layers of `model` compute as above, and as PEFT's to rounding;
    yields how many. What is anything else stays PEFT's: dropout, DoRA and other variants, a bias of
    the adapter's, quantized layers.
    """
    fitting = [module for module in model.modules() if active and _fits(module)]
    for layer in fitting:
        layer.forward = _forward(layer)
    try:
        yield len(fitting)
    finally:
        for layer in fitting:
            del layer.forward


def _fits(layer: Any) -> bool:
    import torch
    from peft.tuners.lora import Linear

    if type(layer) is not Linear or len(layer.active_adapters) != 1:
        return False
    (name,), base = layer.active_adapters, layer.get_base_layer()
    return (
        type(base) is torch.nn.Linear
        and not any(p.requires_grad for p in base.parameters())
        and name in layer.lora_A
        and type(layer.lora_dropout[name]) is torch.nn.Identity
        and name not in layer.lora_variant
        and not layer.lora_bias[name]
        and not layer.fan_in_fan_out
    )


def _forward(layer: Any) -> Any:
    """What takes the place of the layer's forward."""
    import torch

    usual, (name,), base = layer.forward, layer.active_adapters, layer.get_base_layer()
    product = _product()
    a, b, scaling = layer.lora_A[name].weight, layer.lora_B[name].weight, layer.scaling[name]

    def forward(x: Any, *args: Any, **kwargs: Any) -> Any:
        kind = x.device.type
        half = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else a.dtype
        if args or kwargs or layer.disable_adapters or layer.merged:
            return usual(x, *args, **kwargs)
        bias = None if base.bias is None else base.bias.to(half)
        return product.apply(
            x.to(half), base.weight.to(half), bias, a.to(half), b.to(half), scaling
        )

    return forward

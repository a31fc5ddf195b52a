"""`workshop estimate`: what a training will take, before it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .arguments import above_zero, add_verb, at_least_one, flag, option
from .output import OK, megabytes, show


def add_estimate_verb(verbs: Any) -> None:
    """Add `estimate` to the subparsers `verbs`."""
    estimate = add_verb(
        verbs, "estimate", _estimate, "what a training will take: memory, time, money",
        "Memory by terms, from the model's shape; the batch that fits; with --gpu also time and "
        "price, from a dated list. Estimates: only a training itself measures.",
    )  # fmt: skip
    what = "a catalogue name, a model folder, or a size such as 7B"
    option(estimate, "model", "MODEL", what)
    method = "what is trained (default: %(default)s)"
    estimate.add_argument("--method", choices=("full", "lora", "qlora"), default="lora",
                          help=method)  # fmt: skip
    option(estimate, "--rank", "N", "of the adapter (default: 16)", at_least_one, default=16)
    option(estimate, "--batch", "N", "rows a step (default: 4)", at_least_one, default=4)
    longest = "tokens of the longest row (default: 512)"
    option(estimate, "--length", "N", longest, at_least_one, default=512)
    bits = "of weights and activations (default: 16; the course computes small models with 32)"
    option(estimate, "--bits", "N", bits, int, choices=(16, 32), default=16)
    flag(estimate, "--recompute", "keep no activations (gradient checkpointing)")
    option(estimate, "--memory", "GB", "there is so much: which batch fits?", above_zero)
    option(estimate, "--rows", "N", "training rows, for the time", at_least_one)
    option(estimate, "--epochs", "N", "times to go through them (default: 3)", above_zero,
           default=3.0)  # fmt: skip
    option(estimate, "--gpu", "NAME", "one of the price list: its memory, time and price")
    prices = "the price list (default: the course's data/prices.yaml)"
    option(estimate, "--prices", "FILE", prices, Path)


def _estimate(args: argparse.Namespace) -> int:
    from ..training.estimate import estimate_memory, largest_batch, shape_of
    from ..training.prices import load_prices

    shape = shape_of(args.model)
    how = {
        "rank": args.rank,
        "length": args.length,
        "width": args.bits // 8,
        "checkpointing": args.recompute,
    }
    found = estimate_memory(shape, args.method, batch=args.batch, **how)
    result: dict[str, Any] = {
        "model": args.model,
        "parameters": shape.parameters,
        "method": args.method,
        "batch": args.batch,
        "length": args.length,
        "terms_bytes": {name: round(size) for name, size in found.terms.items()},
        "peak_bytes": round(found.peak),
        "trainable": found.trainable,
    }
    lines = [(name, megabytes(round(size))) for name, size in found.terms.items()]
    lines.append(("at once", f"{megabytes(round(found.peak))}, without libraries and kernels"))
    prices = load_prices(args.prices) if args.gpu or args.prices else None
    gpu = prices.gpu(args.gpu) if prices and args.gpu else None
    memory = args.memory or (gpu.memory_gb if gpu else None)
    if memory:
        fitting = largest_batch(shape, memory * 1e9, args.method, **how)
        result["memory_bytes"], result["largest_batch"] = round(memory * 1e9), fitting
        said = f"a batch of {fitting}" if fitting else "not even a batch of 1"
        lines.append((f"in {memory:g} GB", f"{said}, of {args.length} tokens a row"))
    if gpu and prices and args.rows:
        result["cost"], told = _cost(args, shape.parameters, gpu, prices)
        lines += told
    show(args, result, *lines)
    return OK


def _cost(
    args: argparse.Namespace, parameters: int, gpu: Any, prices: Any
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Time and price of the rows on a GPU, for programs and for people."""
    from ..training.estimate import estimate_cost, tokens_a_second

    speed = tokens_a_second(parameters, args.method, gpu.tflops)
    cost = estimate_cost(args.rows, args.length, args.epochs, speed, gpu.per_hour)
    values = {
        "gpu": gpu.name,
        "tokens": round(cost.tokens),
        "seconds": round(cost.seconds),
        "price": round(cost.price, 4),
        "currency": prices.currency,
        "prices_of": prices.date,
        "prices_source": prices.source,
    }
    hours = f"{cost.seconds / 3600:.2f} hours for at most {cost.tokens:,.0f} tokens on {gpu.name}"
    money = f"{cost.price:.2f} {prices.currency} at {gpu.per_hour:g} an hour ({prices.date})"
    return values, [("time", hours), ("price", money)]

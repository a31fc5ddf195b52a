"""Pretraining speed as a share of what the processor can multiply: one JSON object.

python -m benchmarks.throughput [--vocabulary N] [--steps N] [--length N] [--no-compile]

The step is that of pretraining/train.py on a fresh model of mame's size and random tokens: forward,
loss, backward, clipping, both optimizers. Arithmetic of a token (Kaplan et al. 2020,
arXiv:2001.08361, and attention as in Chowdhery et al. 2022, arXiv:2204.02311, appendix B):

    6 · (weights that multiply) + 12 · layers · hidden · length

The tied embedding counts once, as the output head; the optimizers' own products are not counted as
useful.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

SIZES = (512, 1024, 2048, 3072)


def matmul_peak(dtype: Any, device: str, seconds: float = 0.5) -> float:
    """The most floating point operations a second seen for square products of several sizes."""
    import torch

    best = 0.0
    for size in SIZES:
        a = torch.randn(size, size, device=device).to(dtype)
        b = torch.randn(size, size, device=device).to(dtype)
        a @ b
        _wait(device)
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds:
            once = time.perf_counter()
            a @ b
            _wait(device)
            best = max(best, 2 * size**3 / (time.perf_counter() - once))
    return best


def _wait(device: str) -> None:
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def token_flops(multiplying: int, layers: int, hidden: int, length: int) -> int:
    """Floating point operations that a training token needs, forward and backward."""
    return 6 * multiplying + 12 * layers * hidden * length


def step_seconds(
    vocabulary: int, length: int, steps: int, compiled: bool
) -> tuple[list[float], dict[str, Any]]:
    """Seconds of each step after two that warm up (the first one compiles), and what was computed
    in one.
    """
    import torch
    import torch.nn.functional as F

    from pretraining.train import Recipe, new_model, optimizers
    from workshop_helpers.core.device import fast_bf16_units

    recipe = Recipe()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    half = device == "cuda" or fast_bf16_units() is not None
    model = new_model(recipe, vocabulary).to(device)
    opts = optimizers(model, recipe)
    rows = max(1, recipe.batch_tokens // length)
    ids = torch.randint(0, vocabulary, (rows, length), device=device)

    def loss_of(ids: Any) -> Any:
        with torch.autocast(device, torch.bfloat16, enabled=half):
            hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
            logits = model.lm_head(hidden)
        return F.cross_entropy(
            logits[:, :-1].reshape(-1, vocabulary).float(), ids[:, 1:].reshape(-1)
        )

    step_loss = torch.compile(loss_of, dynamic=False) if compiled else loss_of
    took = []
    for _ in range(steps + 2):
        begun = time.perf_counter()
        step_loss(ids).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        _wait(device)
        took.append(time.perf_counter() - begun)
    # Norms and biases add, they do not multiply matrices; the tied embedding does, as the head.
    multiplying = sum(p.numel() for p in model.parameters() if p.ndim == 2)
    about = {
        "device": device,
        "dtype": "bf16" if half else "fp32",
        "tokens": rows * length,
        "parameters": sum(p.numel() for p in model.parameters()),
        "flops_per_token": token_flops(multiplying, recipe.layers, recipe.hidden, length),
    }
    return took[2:], about


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--no-compile", action="store_true")
    args = parser.parse_args()

    import torch

    from workshop_helpers.core.memory import keep_freed_memory

    keep_freed_memory()
    took, about = step_seconds(args.vocabulary, args.length, args.steps, not args.no_compile)
    speed = about["tokens"] / statistics.median(took)
    used = speed * about["flops_per_token"]
    kind = torch.bfloat16 if about["dtype"] == "bf16" else torch.float32
    peak = matmul_peak(kind, about["device"])
    fp32 = peak if kind is torch.float32 else matmul_peak(torch.float32, about["device"])
    print(
        json.dumps(
            {
                **about,
                "compiled": not args.no_compile,
                "threads": torch.get_num_threads(),
                "tokens_per_second": round(speed, 1),
                "gflops_used": round(used / 1e9, 2),
                "gflops_peak": round(peak / 1e9, 2),
                "gflops_peak_fp32": round(fp32 / 1e9, 2),
                "share_of_peak": round(used / peak, 4),
            }
        )
    )


if __name__ == "__main__":
    main()

"""Pretrain `mame` from scratch on the grammar's conversations.

    python -m pretraining.train [--out DIR] [--steps N] [--work DIR] [--start MODEL --peak SHARE]

Hidden matrices learn with Muon, the rest with AdamW; the rate warms up, stays, and falls to zero
over the last part (warm-up–stable–decay), so a run can be lengthened from a checkpoint. With
`--start` a model is trained on, with its tokenizer and the rate raised again. Checkpoints are whole
or absent; a rerun goes on from the last one. Conversations of similar length share a
batch and stand each in its own row: none is cut, none sees its neighbour.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import time
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pretraining import corpus
from pretraining import tokenizer as bpe
from workshop_helpers.core.artifacts import atomic_directory
from workshop_helpers.core.cards import write_card
from workshop_helpers.core.device import fast_bf16_units, machine, versions
from workshop_helpers.core.jsonio import write_json
from workshop_helpers.core.memory import keep_freed_memory

WORK = Path(__file__).parent / "work"
MODEL = Path(__file__).parent.parent / "data" / "mame"
LENGTHS = (64, 96, 128, 192, 256, 320, 384, 448, 512, 640, 832)
CHUNK = 6144  # conversations drawn at a time
SAVE_SECONDS = 240  # at most, between checkpoints
TOKENIZER_CHUNKS = range(1_000_000, 1_000_006)  # never reached by training
# Answers are what the model is for; questions teach wording; a drawn value in a facts list is
# noise.
WEIGHTS = {"system": 0.1, "user": 0.3, "assistant": 1.0}


@dataclass(frozen=True)
class Recipe:
    """Size and course of the pretraining; rates per step, lengths in tokens."""

    hidden: int = 256
    intermediate: int = 768
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    steps: int = 11200
    batch_tokens: int = 8192
    muon_rate: float = 0.006
    adam_rate: float = 0.004
    weight_decay: float = 0.05
    warmup: int = 100
    decay_share: float = 0.35
    seed: int = 0
    peak: float = 1.0  # share of both rates, for training a model on


@dataclass
class State:
    """Where in the corpus a run stands."""

    step: int = 0
    chunk: int = 0
    batch: int = 0  # within the chunk
    tokens: int = 0
    seconds: float = 0.0
    losses: list[tuple[int, float]] = field(default_factory=list)


def rate(step: int, recipe: Recipe) -> float:
    """The factor on the learning rates: warm-up, stable at the peak, linear decay to zero."""
    falling = int(recipe.steps * recipe.decay_share)
    left = max(0.0, (recipe.steps - step) / max(falling, 1))
    return recipe.peak * min(1.0, (step + 1) / recipe.warmup, left)


def new_model(recipe: Recipe, vocabulary: int, attention: str = "eager") -> Any:
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(recipe.seed)
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=recipe.hidden,
        intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.kv_heads,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        use_sliding_window=False,
        attn_implementation=attention,
    )
    return Qwen2ForCausalLM(config)


def start_of(
    recipe: Recipe, start: Path | None, work: Path, attention: str = "eager"
) -> tuple[Any, Any]:
    """A new model and its tokenizer, or those of the folder `start`; the model is in fp32."""
    import torch
    from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

    if start is None:
        tokenizer = tokenizer_for(work / "tokenizer")
        return new_model(recipe, len(tokenizer), attention), tokenizer
    model = Qwen2ForCausalLM.from_pretrained(
        start, dtype=torch.float32, attn_implementation=attention, local_files_only=True
    )
    # AutoTokenizer would take Qwen2's class for it, and that puts a normalizer in.
    return model, PreTrainedTokenizerFast.from_pretrained(start, local_files_only=True)


def tokenizer_for(folder: Path) -> Any:
    """The trained tokenizer of a work folder, trained now if it is not there."""
    from transformers import AutoTokenizer

    if not (folder / "tokenizer.json").exists():
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            talks = pool.map(corpus.chunk, TOKENIZER_CHUNKS, [4096] * len(TOKENIZER_CHUNKS))
            texts = [m["content"] for part in talks for talk in part for m in talk.messages()]
        texts += [f"{role}\n" for role in WEIGHTS] * 1000  # each role one token
        with atomic_directory(folder) as made:
            bpe.train(texts).save_pretrained(made)
            write_card(made, {"kind": "tokenizer", "texts": len(texts)})
    return AutoTokenizer.from_pretrained(folder)


def encode(talks: list[corpus.Talk], tokenizer: Any) -> list[tuple[list[int], list[float]]]:
    """Token ids and loss weights (of each token as a target) of whole conversations."""
    roles: list[str] = []
    pieces: list[str] = []
    shares: list[float] = []
    ends: list[int] = []
    for talk in talks:
        for message in talk.messages():
            roles.append(message["role"])
            pieces.append(message["content"])
        shares += [WEIGHTS["system"]] if talk.system else []
        for turn in talk.turns:
            shares += [WEIGHTS["user"], WEIGHTS["assistant"] if turn.learned else 0.0]
        ends.append(len(pieces))
    bodies = tokenizer(pieces, add_special_tokens=False)["input_ids"]
    start, end = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    heads = {
        role: [start, *tokenizer.encode(f"{role}\n", add_special_tokens=False)] for role in WEIGHTS
    }
    line = tokenizer.encode("\n", add_special_tokens=False)
    rows, at = [], 0
    for stop in ends:
        ids: list[int] = []
        weights: list[float] = []
        turns = zip(roles[at:stop], bodies[at:stop], shares[at:stop], strict=True)
        for role, body, weight in turns:
            ids += heads[role] + body + [end] + line
            weights += [0.0] * len(heads[role]) + [weight] * (len(body) + 1) + [0.0] * len(line)
        rows.append((ids, weights))
        at = stop
    return rows


def batches_of(number: int, recipe: Recipe, tokenizer: Any) -> list[tuple[Any, Any]]:
    """The batches of one chunk: ids and weights of shape (rows, length), shuffled over lengths.

    What does not fill a batch is left out, and so is a conversation longer than the longest row.
    """
    import torch

    rows = encode(corpus.chunk(number, CHUNK, recipe.seed), tokenizer)
    pad = tokenizer.pad_token_id
    out = []
    low = 0
    for length in LENGTHS:
        fitting = [row for row in rows if low < len(row[0]) <= length]
        low = length
        size = max(1, recipe.batch_tokens // length)
        for at in range(0, len(fitting) - size + 1, size):
            ids = torch.full((size, length), pad, dtype=torch.int32)
            weights = torch.zeros((size, length))
            for i, (tokens, loss_weights) in enumerate(fitting[at : at + size]):
                ids[i, : len(tokens)] = torch.tensor(tokens, dtype=torch.int32)
                weights[i, : len(tokens)] = torch.tensor(loss_weights)
            out.append((ids, weights))
    random.Random(f"order-{recipe.seed}-{number}").shuffle(out)
    return out


def stream(state: State, recipe: Recipe, tokenizer: Any) -> Generator[tuple[Any, Any], None, None]:
    """Batches from where `state` stands; chunks are drawn ahead in a process of their own."""
    with ProcessPoolExecutor(1) as pool:
        ahead = pool.submit(batches_of, state.chunk, recipe, tokenizer)
        while True:
            batches = ahead.result()
            ahead = pool.submit(batches_of, state.chunk + 1, recipe, tokenizer)
            for batch in batches[state.batch :]:
                state.batch += 1
                yield batch
            state.chunk, state.batch = state.chunk + 1, 0


def optimizers(model: Any, recipe: Recipe) -> list[Any]:
    import torch

    hidden = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    return [
        torch.optim.Muon(
            hidden,
            lr=recipe.muon_rate,
            weight_decay=recipe.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(
            others, lr=recipe.adam_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True
        ),
    ]


def save_checkpoint(folder: Path, model: Any, opts: list[Any], state: State) -> None:
    import torch

    with atomic_directory(folder) as made:
        torch.save(
            {"model": model.state_dict(), "optimizers": [opt.state_dict() for opt in opts]},
            made / "tensors.pt",
        )
        write_json(made / "state.json", vars(state))
        write_card(made, {"kind": "pretraining checkpoint", "step": state.step})


def load_checkpoint(folder: Path, model: Any, opts: list[Any]) -> State:
    """The state of a whole checkpoint, or a fresh one; tensors only, no pickled code."""
    import torch

    if not (folder / "state.json").exists():
        return State()
    saved = torch.load(folder / "tensors.pt", weights_only=True)
    model.load_state_dict(saved["model"])
    for opt, content in zip(opts, saved["optimizers"], strict=True):
        opt.load_state_dict(content)
    state = State(**json.loads((folder / "state.json").read_text(encoding="utf-8")))
    state.losses = [(step, loss) for step, loss in state.losses]
    return state


def train(
    recipe: Recipe,
    out: Path,
    work: Path,
    *,
    start: Path | None = None,
    device: str = "",
    compile_steps: bool = True,
    threads: int = 0,
    save_every: int = 250,
    log_every: int = 10,
) -> dict[str, Any]:
    """Pretrain and write the model to `out`; returns figures. Resumes a checkpoint in `work`.

    Without a checkpoint the model of the folder `start` is trained on, or else a new one.
    """
    import torch
    import torch.nn.functional as F

    keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    half = device == "cuda" or fast_bf16_units() is not None
    # Uncompiled, torch's own attention takes a fifth less time; compiled, the plain one fuses.
    attention = "eager" if compile_steps else "sdpa"
    model, tokenizer = start_of(recipe, start, work, attention)
    model = model.to(device).train()
    opts = optimizers(model, recipe)
    state = load_checkpoint(work / "checkpoint", model, opts)
    vocabulary = len(tokenizer)

    def loss_of(ids: Any, weights: Any) -> Any:
        with torch.autocast(device, torch.bfloat16, enabled=half):
            hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
            logits = model.lm_head(hidden)
        each = F.cross_entropy(
            logits[:, :-1].reshape(-1, vocabulary).float(), ids[:, 1:].reshape(-1), reduction="none"
        )
        targets = weights[:, 1:].reshape(-1)
        return (each * targets).sum() / targets.sum()

    # One compiled step for each length; past its limit torch would run the rest uncompiled.
    torch._dynamo.config.recompile_limit = 2 * len(LENGTHS)
    step_loss = torch.compile(loss_of, dynamic=False) if compile_steps else loss_of
    print(
        f"{sum(p.numel() for p in model.parameters()):,} parameters on {device}, "
        f"{'bf16' if half else 'fp32'}, from step {state.step} of {recipe.steps}",
        flush=True,
    )
    began, shown, recent = time.time() - state.seconds, time.time(), []
    tokens_shown, saved = state.tokens, time.time()
    batches = stream(state, recipe, tokenizer)
    while state.step < recipe.steps:
        ids, weights = next(batches)
        ids, weights = ids.long().to(device), weights.to(device)
        factor = rate(state.step, recipe)
        for opt, base in zip(opts, (recipe.muon_rate, recipe.adam_rate), strict=True):
            for group in opt.param_groups:
                group["lr"] = base * factor
        loss = step_loss(ids, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        state.step += 1
        state.tokens += ids.numel()
        recent.append(loss.item())
        if state.step % log_every == 0:
            now = time.time()
            mean = sum(recent) / len(recent)
            state.losses.append((state.step, round(mean, 4)))
            speed = (state.tokens - tokens_shown) / (now - shown)
            print(
                f"step {state.step}/{recipe.steps}  loss {mean:.4f}  {speed:,.0f} tokens/s",
                flush=True,
            )
            shown, tokens_shown, recent = now, state.tokens, []
        due = state.step % save_every == 0 or time.time() - saved > SAVE_SECONDS
        if due or state.step == recipe.steps:
            saved = time.time()
            state.seconds = time.time() - began
            save_checkpoint(work / "checkpoint", model, opts, state)
            export(model, tokenizer, work / "model", {"step": state.step})
    batches.close()
    figures = {
        "recipe": vars(recipe),
        "start": str(start) if start else None,
        "tokens": state.tokens,
        "seconds": round(time.time() - began),
        "parameters": sum(p.numel() for p in model.parameters()),
        "losses": state.losses,
        "machine": machine(),
        "versions": versions(),
    }
    export(model, tokenizer, out, figures)
    write_json(work / "pretraining.json", figures)
    return figures


def export(model: Any, tokenizer: Any, folder: Path, figures: dict[str, Any]) -> None:
    """Write the model as people load it: bf16 safetensors, tokenizer, template, `<|im_end|>` as
    EOS.
    """
    import copy

    import torch
    from transformers import GenerationConfig

    whole = copy.deepcopy(model).to("cpu", torch.bfloat16)
    eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    whole.config.eos_token_id, whole.config.pad_token_id, whole.config.bos_token_id = eos, pad, None
    whole.generation_config = GenerationConfig(eos_token_id=eos, pad_token_id=pad, do_sample=False)
    keep = [p for p in (folder / "README.md",) if p.exists()]
    with atomic_directory(folder) as made:
        whole.save_pretrained(made, max_shard_size="15MB")
        tokenizer.save_pretrained(made)
        write_card(made, {"kind": "base model", **figures})
        for path in keep:
            shutil.copy(path, made / path.name)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=MODEL, help="where the model goes")
    parser.add_argument("--work", type=Path, default=WORK, help="checkpoints and figures")
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--start", type=Path, help="a model to train on (default: a new one)")
    parser.add_argument(
        "--peak", type=float, default=Recipe.peak, help="share of the usual learning rates"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    parser.add_argument(
        "--no-compile", action="store_true", help="where no C++ compiler is installed"
    )
    args = parser.parse_args()
    train(
        Recipe(steps=args.steps, peak=args.peak),
        args.out,
        args.work,
        start=args.start,
        threads=args.threads,
        compile_steps=not args.no_compile,
    )


if __name__ == "__main__":
    main()

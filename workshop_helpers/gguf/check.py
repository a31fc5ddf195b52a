"""Whether a GGUF answers as the model it was made from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError
from ..models.files import count_weights
from .engine import LlamaEngine
from .header import GgufFile, read_gguf
from .logits import ServerLogits, open_logits

if TYPE_CHECKING:
    import numpy as np

# Japanese, full-width and plain digits, amounts, runs of spaces, a contraction, a letter with its
# mark apart: where tokenizers come apart.
TOKEN_TEXT = "送料は５００円、10,000円以上で無料です。I'm here:  $6.99 on 2026-11-21,\n\n\tcafé ｶﾅ 豆🫘 か\u3099"


_CONTROL, _USER_DEFINED = 3, 4  # token types in `tokenizer.ggml.token_type`


# How far the next token's probabilities may lie from transformers', in nats. Measured on mame and
# on a random model of every family: 3e-6 at most for F32 and F16, 7e-5 for BF16; 4e-3 to 0.5 where
# llama.cpp reads a setting otherwise.
DIVERGENCE = {"F32": 1e-3, "F16": 1e-3, "BF16": 2e-2}


PROBE = 64  # tokens they are compared on


@dataclass(frozen=True)
class GgufCheck:
    """What was found on opening a GGUF. `problems` is empty when all is well; each says what is
    wrong in a sentence.

    `token_ids_equal` is None when there was no tokenizer to compare with. `divergence`: mean KL
    divergence, in nats, of the next token's probabilities from transformers' over a short text;
    None where they were not compared.
    """

    loads: bool
    token_ids_equal: bool | None
    template: bool
    eos: str | None
    answer: str
    problems: list[str] = field(default_factory=list)
    divergence: float | None = None


def check(gguf: str | Path, tokenizer_source: str | Path | None = None) -> GgufCheck:
    """Opens `gguf` in llama.cpp and looks for what goes wrong in silence.

    Loads it with every tensor's values validated, compares token ids (and the rendered chat
    template) with the Hugging Face tokenizer in the folder `tokenizer_source` (or with the
    tokenizer in that GGUF), looks for chat template and end token, for a template that ends turns
    otherwise than the model does, and asks one question greedily. Where the folder holds a whole
    model, and memory has room for it, the end token, the context length and the probabilities of
    the next token are compared with the model's own, the latter for F32, F16 and BF16. Raises
    WorkshopError when the file is damaged; everything else is reported in `problems`.
    """
    return check_gguf(gguf, tokenizer_source, model_reference)


def check_gguf(
    gguf: str | Path,
    tokenizer_source: str | Path | None,
    reference: Callable[[Path], Reference | None],
) -> GgufCheck:
    file = read_gguf(gguf)
    tokens = file.metadata.get("tokenizer.ggml.tokens") or []
    types = file.metadata.get("tokenizer.ggml.token_type") or []
    eos_id = file.metadata.get("tokenizer.ggml.eos_token_id")
    eos = tokens[eos_id] if eos_id is not None and eos_id < len(tokens) else None
    template = bool(file.metadata.get("tokenizer.chat_template"))
    problems = []
    if not template:
        problems.append("It carries no chat template: a runtime would guess one.")
    if eos is None:
        problems.append(
            "It names no end token (tokenizer.ggml.eos_token_id): answers may never stop."
        )
    if not types:
        problems.append("It has no token types: special tokens would be split into pieces.")
    if file.metadata.get("tokenizer.ggml.model") == "gpt2" and not file.metadata.get(
        "tokenizer.ggml.pre"
    ):
        problems.append(
            "It names no pre-tokenizer (tokenizer.ggml.pre): token ids would differ from the trained ones."
        )

    try:
        engine = LlamaEngine(
            file.path, slots=1, context=min(file.context_length or 512, 512), check_tensors=True
        )
    except WorkshopError as err:
        return GgufCheck(False, None, template, eos, "", [*problems, str(err)])
    equal, answer, divergence = None, "", None
    folder = (
        Path(tokenizer_source) if tokenizer_source and Path(tokenizer_source).is_dir() else None
    )
    with engine:
        if folder is not None:
            from ..models.load import read_tokenizer

            tokenizer = read_tokenizer(folder)
            equal, found = _compare_tokens(engine, tokenizer, template)
            problems += found + _compare_facts(file, folder, eos, tokenizer.eos_token)
        elif tokenizer_source is not None:
            equal, found = _same_tokenizer(file, read_gguf(tokenizer_source))
            problems += found
        if template:
            problems += _stray_tokens(engine, file, eos)
            try:
                prompt = engine.render([{"role": "user", "content": "Hello! 送料は？"}])
                answer = engine.complete(prompt, max_new_tokens=24).text
            except WorkshopError as err:
                problems.append(f"It gives no answer: {err}")
    if folder is not None and file.type in DIVERGENCE and (wanted := reference(folder)) is not None:
        divergence, found = _compare_probabilities(file, wanted)
        problems += found
    return GgufCheck(True, equal, template, eos, answer, problems, divergence)


@dataclass(frozen=True)
class Reference:
    """What transformers computes in fp32: log-probabilities [positions, vocabulary] of what follows
    each of `ids`.
    """

    ids: list[int]
    log_probabilities: np.ndarray


def model_reference(folder: Path) -> Reference | None:
    """None for a folder without weights, for a model that takes more than half of the free memory
    in fp32, and for one that transformers does not load.
    """
    import psutil

    if (
        not (weights := count_weights(folder))
        or 4 * weights > psutil.virtual_memory().available / 2
    ):
        return None
    import torch

    from ..core.device import choose_device
    from ..models.load import load_model, read_tokenizer

    try:
        tokenizer = read_tokenizer(folder)
        model = load_model(folder, choose_device("cpu"), dtype="fp32")
    except WorkshopError:
        return None
    ids = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
    ids += tokenizer(TOKEN_TEXT, add_special_tokens=False)["input_ids"][: PROBE - len(ids)]
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0, :-1]
        return Reference(ids, torch.log_softmax(logits.float(), dim=-1).numpy())


def _compare_probabilities(file: GgufFile, wanted: Reference) -> tuple[float, list[str]]:
    import numpy as np

    logits = open_logits(file.path, context=256)
    # the slow way, where there is no other: the last position alone, which has all others before it
    start = len(wanted.ids) - 1 if isinstance(logits, ServerLogits) else 1
    try:
        got = logits.log_probabilities(wanted.ids, start)
    finally:
        logits.close()
    # embeddings may have more rows than there are tokens; those of a GGUF are cut, or filled up
    shared = min(got.shape[1], wanted.log_probabilities.shape[1])
    p, q = (
        one[:, :shared] - np.logaddexp.reduce(one[:, :shared], axis=-1, keepdims=True)
        for one in (wanted.log_probabilities[start - 1 :], got)
    )
    divergence = float((np.exp(p) * (p - q)).sum(axis=-1, dtype=np.float64).mean())
    if divergence <= DIVERGENCE[file.type]:
        return divergence, []
    return divergence, [
        f"llama.cpp computes otherwise than transformers: the probabilities of the next token differ by "
        f"{divergence:.2g} nats (KL divergence, mean of {len(p)}; rounding makes {DIVERGENCE[file.type]:g} at most). "
        "Some setting of the model is lost on llama.cpp: use the model in transformers."
    ]


def _compare_facts(file: GgufFile, folder: Path, eos: str | None, wanted: str | None) -> list[str]:
    """Whether the end token and the context length are those of the model in `folder`."""
    problems = []
    if eos is not None and wanted is not None and eos != wanted:
        problems.append(f"Its end token is {eos}, the tokenizer's is {wanted}: answers may run on.")
    config = folder / "config.json"
    if config.is_file():
        found = json.loads(config.read_text(encoding="utf-8"))
        length = {**found, **(found.get("text_config") or {})}.get("max_position_embeddings")
        if length is not None and length != file.context_length:
            problems.append(
                f"It says that it was made for {file.context_length} tokens of context, the model for {length}."
            )
    return problems


def _compare_tokens(engine: LlamaEngine, tokenizer: Any, template: bool) -> tuple[bool, list[str]]:
    from ..models.chat import chat_prompt

    text = TOKEN_TEXT + "".join(tokenizer.all_special_tokens) + "0123"
    wanted = tokenizer(text, add_special_tokens=False)["input_ids"]
    got = engine.tokenize(text)
    problems = []
    if wanted != got:
        at = next(
            (i for i, (a, b) in enumerate(zip(wanted, got, strict=False)) if a != b),
            min(len(wanted), len(got)),
        )
        around = tokenizer.decode(wanted[max(0, at - 3) : at + 3])
        problems.append(
            f"Token ids differ from the tokenizer's from token {at} on (near {around!r}): the wrong pre-tokenizer?"
        )
    if template and tokenizer.chat_template:
        messages = [
            {"role": "user", "content": "How? 何？"},
            {"role": "assistant", "content": "So."},
        ] * 2
        theirs = chat_prompt(tokenizer, messages[:3])
        ours = engine.render(messages[:3])
        # llama.cpp takes the first BOS off the text because its tokenizer puts it there
        if (
            ours.strip() != theirs.removeprefix(tokenizer.bos_token or "").strip()
            and ours.strip() != theirs.strip()
        ):
            problems.append(
                f"The chat template renders otherwise than the tokenizer's: {ours!r} is not {theirs!r}."
            )
    return wanted == got, problems


def _same_tokenizer(file: GgufFile, source: GgufFile) -> tuple[bool, list[str]]:
    keys = {key for key in (*file.metadata, *source.metadata) if key.startswith("tokenizer.")}
    differing = sorted(key for key in keys if file.metadata.get(key) != source.metadata.get(key))
    return not differing, [
        f"Its tokenizer is not that of {source.path}: {', '.join(differing)}."
    ] if differing else []


def _stray_tokens(engine: LlamaEngine, file: GgufFile, eos: str | None) -> list[str]:
    """Faults of the template: a turn that does not end in the end token, or in a mark the
    vocabulary does not hold.

    Marks that open a turn may be plain text: TinyLlama's <|user|> is, and it has learned it so.
    """
    types = file.metadata.get("tokenizer.ggml.token_type") or []
    marker = "workshop-answer"
    messages = [
        {"role": "user", "content": "question"},
        {"role": "assistant", "content": marker},
        {"role": "user", "content": "question"},
    ]
    try:
        rendered = engine.render(messages)
    except WorkshopError as err:
        return [f"The chat template cannot be rendered: {err}"]
    special = {i for i, kind in enumerate(types) if kind in (_CONTROL, _USER_DEFINED)}
    problems = []
    after = rendered.split(marker, 1)[1] if marker in rendered else ""
    for mark in re.findall(r"^\s*(<\|[^<>|\s]+\|>|</?s>|<(?:start|end)_of_turn>)", after):
        ids = engine.tokenize(mark)
        if len(ids) != 1 or ids[0] not in special:
            problems.append(
                f"The chat template writes {mark}, which is no token of this model: it would be read as {len(ids)} "
                "pieces of text, and the model never learned it. Correct the template."
            )
    ending = engine.tokenize(after)[:1]
    ends = file.metadata.get("tokenizer.ggml.tokens", [])
    extra = {file.metadata.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom")}
    if eos is not None and ending and ending[0] in special and ending[0] not in extra:
        problems.append(
            f"The chat template ends an answer with {ends[ending[0]]}, but the model stops at {eos}: answers would "
            f"run on. Make {ends[ending[0]]} the end token (eos_token), or end the turn with {eos}."
        )
    return problems

"""Whether a GGUF answers as the model it was made from.

A GGUF can load and still be wrong in silence: other token ids, no end token, no template, other
figures computed from the same weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError, foreign
from ..core.jsonio import read_json
from ..models.chat import chat_prompt
from ..models.files import count_weights
from ..models.load import load_model, read_tokenizer
from .engine import LlamaEngine
from .header import GgufFile, read_gguf
from .logits import ServerLogits, open_logits

if TYPE_CHECKING:
    import numpy as np

# Where tokenizers come apart: Japanese, full-width and plain digits, amounts, runs of spaces, a
# contraction, a letter with its mark apart.
_TEXT = (
    "送料は５００円、10,000円以上で無料です。"
    "I'm here:  $6.99 on 2026-11-21,\n\n\tcafé ｶﾅ 豆🫘 か\u3099"
)
# How far the next token's probabilities may lie from transformers', in nats. Measured on mame and
# on a random model of every family: 3e-6 at most for F32 and F16, 7e-5 for BF16; 4e-3 to 0.5 where
# llama.cpp reads a setting otherwise.
DIVERGENCE = {"F32": 1e-3, "F16": 1e-3, "BF16": 2e-2}
_COMPARED = 64  # tokens they are compared on
_SPECIAL = (3, 4)  # control and user-defined, of the types in `tokenizer.ggml.token_type`


ASKED = "Hello!"  # what the model is asked: any that talks, in any language, has an answer to it


@dataclass(frozen=True)
class GgufCheck:
    """What was found on opening a GGUF. `problems` is empty if there are none.

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


@dataclass(frozen=True)
class Expected:
    """What transformers computes in fp32: log-probabilities [positions, vocabulary] of what follows
    each of `ids`.
    """

    ids: list[int]
    log_probabilities: np.ndarray


def expected_of(folder: Path) -> Expected | None:
    """What the model in `folder` computes. None for a folder without weights, for a model that
    takes more than half of the free memory in fp32, and for one that transformers does not load.
    """
    import psutil

    weights = count_weights(folder)
    if not weights or 4 * weights > psutil.virtual_memory().available / 2:
        return None
    import torch

    from ..core.device import choose_device

    try:
        tokenizer = read_tokenizer(folder)
        model = load_model(folder, choose_device("cpu"), dtype="fp32")
    except WorkshopError:
        return None
    ids = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
    ids += tokenizer(_TEXT, add_special_tokens=False)["input_ids"][: _COMPARED - len(ids)]
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0, :-1]
        return Expected(ids, torch.log_softmax(logits.float(), dim=-1).numpy())


def check_gguf(
    gguf: str | Path,
    tokenizer_source: str | Path | None = None,
    expected: Callable[[Path], Expected | None] = expected_of,
) -> GgufCheck:
    """Open `gguf` in llama.cpp and look for what goes wrong in silence.

    Loads it with every tensor's values validated, compares token ids (and the rendered chat
    template) with the Hugging Face tokenizer in the folder `tokenizer_source` (or with the
    tokenizer in that GGUF), looks for chat template and end token, for a template that ends turns
    otherwise than the model does, and asks one question greedily. Where the folder holds a whole
    model, and memory has room for it, the end token, the context length and the probabilities of
    the next token are compared with the model's own (`expected`), the latter for F32, F16 and BF16.
    Raises WorkshopError when the file is damaged; everything else is reported in `problems`.
    """
    file = read_gguf(gguf)
    tokens, eos_id = file.metadata.get("tokenizer.ggml.tokens") or [], file.token_id("eos")
    eos = tokens[eos_id] if eos_id is not None and eos_id < len(tokens) else None
    template = bool(file.metadata.get("tokenizer.chat_template"))
    problems = _missing_facts(file, eos)
    context = min(file.context_length or 512, 512)
    try:
        engine = LlamaEngine(file.path, slots=1, context=context, check_tensors=True)
    except WorkshopError as err:
        return GgufCheck(False, None, template, eos, "", [*problems, str(err)])
    source = Path(tokenizer_source) if tokenizer_source else None
    folder = source if source is not None and source.is_dir() else None
    equal, answer, divergence = None, "", None
    with engine:
        if folder is not None:
            tokenizer = read_tokenizer(folder)
            equal, found = _compare_tokens(engine, tokenizer)
            if template and tokenizer.chat_template:
                found += _compare_template(engine, tokenizer)
            problems += found + _compare_facts(file, folder, eos, tokenizer.eos_token)
        elif source is not None:
            equal, found = _compare_tokenizers(file, read_gguf(source))
            problems += found
        if template:
            problems += _template_problems(engine, eos)
            try:
                prompt = engine.render([{"role": "user", "content": ASKED}])
                answer = engine.complete(prompt, max_new_tokens=24).text
            except WorkshopError as err:
                problems.append(f"It gives no answer: {err}")
    if folder is not None and file.type in DIVERGENCE and (wanted := expected(folder)) is not None:
        divergence, found = _compare_probabilities(file, wanted)
        problems += found
    return GgufCheck(True, equal, template, eos, answer, problems, divergence)


def _missing_facts(file: GgufFile, eos: str | None) -> list[str]:
    told = file.metadata.get
    split = told("tokenizer.ggml.model") != "gpt2" or told("tokenizer.ggml.pre")
    wanted = [
        (told("tokenizer.chat_template"), "no chat template: a runtime would guess one"),
        (eos, "no end token (tokenizer.ggml.eos_token_id): answers may never stop"),
        (
            told("tokenizer.ggml.token_type"),
            "no token types: special tokens would be split into pieces",
        ),
        (
            split,
            "no pre-tokenizer (tokenizer.ggml.pre): token ids would differ from the trained ones",
        ),
    ]
    return [f"It has {missing}." for found, missing in wanted if not found]


def _compare_facts(file: GgufFile, folder: Path, eos: str | None, wanted: str | None) -> list[str]:
    """Whether the end token and the context length are those of the model in `folder`."""
    problems = []
    if eos is not None and wanted is not None and eos != wanted:
        problems.append(f"Its end token is {eos}, the tokenizer's is {wanted}: answers may run on.")
    if (folder / "config.json").is_file():
        config = read_json(folder / "config.json", dict)
        with foreign(folder / "config.json"):
            length = (config | (config.get("text_config") or {})).get("max_position_embeddings")
        if length is not None and length != file.context_length:
            problems.append(
                f"It says that it was made for {file.context_length} tokens of context, "
                f"the model for {length}."
            )
    return problems


def _compare_tokens(engine: LlamaEngine, tokenizer: Any) -> tuple[bool, list[str]]:
    text = _TEXT + "".join(tokenizer.all_special_tokens) + "0123"
    wanted = tokenizer(text, add_special_tokens=False)["input_ids"]
    got = engine.tokenize(text)
    if wanted == got:
        return True, []
    pairs = enumerate(zip(wanted, got, strict=False))
    at = next((i for i, (a, b) in pairs if a != b), min(len(wanted), len(got)))
    around = tokenizer.decode(wanted[max(0, at - 3) : at + 3])
    return False, [
        f"Token ids differ from the tokenizer's from token {at} on (near {around!r}): "
        "the wrong pre-tokenizer?"
    ]


def _compare_template(engine: LlamaEngine, tokenizer: Any) -> list[str]:
    question = {"role": "user", "content": "How? 何？"}
    messages = [question, {"role": "assistant", "content": "So."}, question]
    theirs, ours = chat_prompt(tokenizer, messages).strip(), engine.render(messages).strip()
    # llama.cpp takes the first BOS off the text because its tokenizer puts it there
    if ours in (theirs, theirs.removeprefix(tokenizer.bos_token or "").strip()):
        return []
    return [
        f"The chat template renders otherwise than the tokenizer's: {ours!r} is not {theirs!r}."
    ]


def _compare_tokenizers(file: GgufFile, source: GgufFile) -> tuple[bool, list[str]]:
    keys = {key for key in (*file.metadata, *source.metadata) if key.startswith("tokenizer.")}
    differing = sorted(key for key in keys if file.metadata.get(key) != source.metadata.get(key))
    if not differing:
        return True, []
    return False, [f"Its tokenizer is not that of {source.path}: {', '.join(differing)}."]


def _template_problems(engine: LlamaEngine, eos: str | None) -> list[str]:
    """Faults of the template: a turn that does not end in the end token, or in a mark the
    vocabulary does not hold.

    Marks that open a turn may be plain text: TinyLlama's <|user|> is, and it has learned it so.
    """
    file, marker = engine.file, "workshop-answer"
    question = {"role": "user", "content": "question"}
    try:
        rendered = engine.render([question, {"role": "assistant", "content": marker}, question])
    except WorkshopError as err:
        return [f"The chat template cannot be rendered: {err}"]
    types = file.metadata.get("tokenizer.ggml.token_type") or []
    special = {number for number, kind in enumerate(types) if kind in _SPECIAL}
    after = rendered.partition(marker)[2]
    problems = []
    for mark in re.findall(r"^\s*(<\|[^<>|\s]+\|>|</?s>|<(?:start|end)_of_turn>)", after):
        ids = engine.tokenize(mark)
        if len(ids) != 1 or ids[0] not in special:
            problems.append(
                f"The chat template writes {mark}, which is no token of this model: it would be "
                f"read as {len(ids)} pieces of text, and the model never learned it. "
                "Correct the template."
            )
    first = next(iter(engine.tokenize(after)), None)
    if eos is not None and first in special and first not in engine.end_ids:
        end = file.metadata["tokenizer.ggml.tokens"][first]
        problems.append(
            f"The chat template ends an answer with {end}, but the model stops at {eos}: answers "
            f"would run on. Make {end} the end token (eos_token), or end the turn with {eos}."
        )
    return problems


def _compare_probabilities(file: GgufFile, wanted: Expected) -> tuple[float, list[str]]:
    import numpy as np

    logits = open_logits(file.path, context=256)
    # slow fallback: only the last position, whose context is all others
    start = len(wanted.ids) - 1 if isinstance(logits, ServerLogits) else 1
    with logits:
        got = logits.log_probabilities(wanted.ids, start)
    # embeddings may have more rows than there are tokens; those of a GGUF are cut, or filled up
    shared = min(got.shape[1], wanted.log_probabilities.shape[1])
    p, q = (
        one[:, :shared] - np.logaddexp.reduce(one[:, :shared], axis=-1, keepdims=True)
        for one in (wanted.log_probabilities[start - 1 :], got)
    )
    divergence = float((np.exp(p) * (p - q)).sum(axis=-1, dtype=np.float64).mean())
    limit = DIVERGENCE[file.type]
    if divergence <= limit:
        return divergence, []
    return divergence, [
        "llama.cpp computes otherwise than transformers: the probabilities of the next token "
        f"differ by {divergence:.2g} nats (KL divergence, mean of {len(p)}; rounding makes "
        f"{limit:g} at most). Some setting of the model is lost on llama.cpp: use the model in "
        "transformers."
    ]

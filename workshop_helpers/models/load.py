"""Tokenizer and weights of a model, loaded for a device."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkshopError, first_line, foreign
from ..core.jsonio import read_json
from .files import check_model_folder, stored_tensors, weight_files
from .hub import hub_folder
from .packages.get import package_folder
from .resolve import ModelRef, resolve

if TYPE_CHECKING:
    from ..core.device import Device


_LAYERS = ("num_hidden_layers", "num_layers", "n_layers", "n_layer")  # in a config.json


def model_folder(ref: ModelRef, *, download: bool = True) -> Path:
    """The folder with the weights of a catalogue model or a model folder, fetched if need be.

    Raises WorkshopError when the model is not on this machine and cannot be fetched, saying how to
    get it.
    """
    if ref.kind == "ollama":
        raise WorkshopError(
            f"{ref.name} is a model on Ollama, which runs it but does not give its weights away. "
            "Name the model folder it was made from."
        )
    if ref.kind not in ("catalogue", "folder"):
        raise WorkshopError(
            f"{ref.name} is {ref.described}, not a whole model. "
            "Give its base model or merge it first."
        )
    if ref.path is not None:
        return ref.path
    assert ref.entry is not None
    if ref.entry.package is not None:
        return package_folder(ref.entry, download=download)[0]
    folder = hub_folder(ref.entry, download=download)
    check_model_folder(
        folder, f"The local copy of {ref.entry.hub_id} in {folder} has no config.json."
    )
    return folder


def load_tokenizer(model: ModelRef | str | Path, *, counting: bool = False) -> Any:
    """The model's own tokenizer (an adapter's: its base's), padding left, with a padding token.

    counting: as its tokenizer.json describes it, if there is one, to count tokens without torch.
    Raises WorkshopError when it has no chat template, since the course talks to chat models only.
    """
    ref = resolve(model)
    folder = model_folder(ref.base if ref.base is not None else ref)
    tokenizer = read_tokenizer(folder, as_described=counting)
    if not tokenizer.chat_template:
        raise WorkshopError(
            f"{ref.name} has no chat template, so its prompts cannot be written. "
            f"Use an instruction-tuned model, or put a chat_template.jinja into {folder}."
        )
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        # Llama 3 brings a token for this; any other would do as well, since padding is masked.
        reserved = ("<|finetune_right_pad_id|>", "<pad>", "<|endoftext|>")
        vocabulary = tokenizer.get_vocab()
        found = (token for token in reserved if token in vocabulary)
        tokenizer.pad_token = next(found, tokenizer.eos_token)
    return tokenizer


def read_tokenizer(folder: Path, *, as_described: bool = False) -> Any:
    """The tokenizer in `folder` as its makers wrote it; WorkshopError where it cannot be loaded.

    as_described: by its tokenizer.json alone, if there is one.
    """
    with quiet_libraries():
        import transformers

        described = as_described and (folder / "tokenizer.json").is_file()
        # The attribute is what imports, and AutoTokenizer imports torch.
        name = "PreTrainedTokenizerFast" if described or _prepends_spaces(folder) else None
        kind = getattr(transformers, name or "AutoTokenizer")
        try:
            made = kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            made("a")  # some values do harm only where they are used
            return made
        except Exception as error:  # damaged files raise anything, even the Rust library's own
            raise WorkshopError(
                f"The tokenizer in {folder} cannot be loaded: {first_line(error)}"
            ) from error


def _prepends_spaces(folder: Path) -> bool:
    """Whether tokenizer.json puts a space before every piece of text, as TinyLlama's does.

    transformers 5 rebuilds such a tokenizer from its vocabulary, with a space before the first
    piece only: what follows </s> then becomes other tokens than in llama.cpp, and than the model
    has learned. The file itself is right.
    """
    try:
        with foreign(folder / "tokenizer.json"):
            described = read_json(folder / "tokenizer.json", dict).get("normalizer") or {}
            steps = described.get("normalizers", [described])
            return any(step.get("type") == "Prepend" for step in steps)
    except WorkshopError:  # said when it is loaded
        return False


def load_model(
    model: ModelRef | str | Path,
    device: Device,
    *,
    dtype: str | None = None,
    quantization: Any = None,
) -> Any:
    """The torch model in evaluation mode on `device`; of an adapter, a `PeftModel` on its base.

    `dtype` is "fp32", "bf16" or "fp16" and defaults to the device's. `quantization`: settings of
    transformers, such as a BitsAndBytesConfig (see four_bit.py). Raises WorkshopError when the
    weights cannot be found, fetched or read, and for a `.gguf` file, which torch does not run.
    """
    ref = resolve(model)
    if ref.kind == "gguf":
        raise WorkshopError(
            f"{ref.name} is a GGUF file: llama.cpp runs it (`workshop ask`), torch does not."
        )
    if ref.base is not None and ref.path is not None:
        base = load_model(ref.base, device, dtype=dtype, quantization=quantization)
        return _with_adapter(base, ref.base, ref.path)
    folder = model_folder(ref)
    _check_layers(folder)
    settings: dict[str, Any] = {}
    if quantization is not None:  # quantized where it will run
        settings = {"quantization_config": quantization, "device_map": {"": device.name}}
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
                **settings,
            )
        except Exception as error:  # as above
            raise WorkshopError(
                f"The model in {folder} cannot be loaded: {first_line(error)}"
            ) from error
    return (loaded if settings else loaded.to(device.name)).eval()


def _check_layers(folder: Path) -> None:
    """Raise WorkshopError for a config.json with more layers than there are tensors: they would be
    built one by one, and loading not end.
    """
    config = read_json(folder / "config.json", dict)
    tensors = sum(len(stored_tensors(file)) for file in weight_files(folder))
    for part in (config, *(value for value in config.values() if isinstance(value, dict))):
        for name, value in part.items():
            if isinstance(value, int | float) and value > tensors and name in _LAYERS:
                raise WorkshopError(
                    f"{folder / 'config.json'} says {name} {value}, and the model has {tensors} "
                    "tensors. Correct it, or download the model again."
                )


def _with_adapter(loaded: Any, base: ModelRef, adapter: Path) -> Any:
    """The loaded base with the adapter on it, which must fit tensor by tensor."""
    misfit = f"The adapter {adapter} does not fit its base model {base.name}"
    with quiet_libraries():
        from peft import PeftModel, get_peft_model_state_dict

        try:
            adapted = PeftModel.from_pretrained(loaded, str(adapter), local_files_only=True)
        except Exception as error:
            raise WorkshopError(
                f"{misfit}: {first_line(error)}. Was it trained on another model?"
            ) from error
        # PEFT drops tensors without a place, and fills places without a tensor, silently.
        places = len(get_peft_model_state_dict(adapted))
    tensors = len(stored_tensors(adapter / "adapter_model.safetensors"))
    if places != tensors:
        raise WorkshopError(
            f"{misfit}: it has {tensors} tensors, the model {places} places for them. "
            "Was it trained on another model?"
        )
    return adapted.eval()


def pick_device(device: Device | str | None, ref: ModelRef) -> Device:
    """`device` itself, or the one `choose_device` finds for a model of this size."""
    from ..core.device import Device, choose_device

    if isinstance(device, Device):
        return device
    return choose_device(device, parameters=ref.origin.parameters if ref.origin else None)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """No bars, log lines or warnings of transformers, datasets, peft and TRL in the block."""
    from transformers.utils import logging as transformers_logging

    # PEFT imports bitsandbytes where it is installed, which then misses a package nobody asked for;
    # and of each 8-bit product it says that it is one.
    for name in ("bitsandbytes.backends.cpu.ops", "bitsandbytes.autograd._functions"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # Only training needs datasets, which is slow to import.
    datasets = sys.modules.get("datasets")
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    if datasets is not None:
        dataset_bars = not datasets.are_progress_bars_disabled()
        datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
        if datasets is not None and dataset_bars:
            datasets.enable_progress_bars()

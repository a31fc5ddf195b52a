"""Runs a converter of llama.cpp in a separate process, for `gguf.convert` and `gguf.adapter`.

    python _converter.py SCRIPT MODEL_FOLDER …

Some things are arranged before it runs. No code of a model's folder can be executed, though
llama.cpp asks for that with some architectures. The `gguf-py` beside the converter comes first on
the path (the `gguf` of PyPI lags behind it), and so does the converter's folder, *instead of* this
file's folder, whose modules would shadow the library's. And where the converter knows no
pre-tokenizer for a tokenizer (it recognises them by a hash over token ids, so every newly trained
one is unknown), the split regex in `tokenizer.json` names it. What transformers 5 writes elsewhere
than the converter looks is handed to it: special tokens, BOS and the end of a turn.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import threading
from pathlib import Path
from typing import Any

UNKNOWN, CONTROL, USER_DEFINED = 2, 3, 4  # token types in a GGUF
_NORMALIZER = "workshop.tokenizer.normalizer"  # as in header.py: llama.cpp has no name for it

# Split regex of a byte-level BPE → the name llama.cpp gives that way of splitting
# (`llama-vocab.cpp`). Digits are what sets them apart: one by one in Qwen2, up to three together in
# Llama 3.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PRE_TOKENIZERS = {
    _SPLIT.replace("DIGITS", r"\p{N}"): "qwen2",
    _SPLIT.replace("DIGITS", r"\p{N}{1,3}"): "llama-bpe",
}


def main() -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    script, model = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    sys.path[0] = str(Path(__file__).parents[2])
    import workshop_helpers  # noqa: F401  (from here, also where another one is installed)

    sys.path[0] = str(script.parent / "gguf-py")
    sys.path.insert(1, str(script.parent))
    sys.argv = [str(script), *sys.argv[2:]]
    refuse_code(model)
    if script.name != "convert_hf_to_gguf.py":
        fold_scales(model)
        runpy.run_path(str(script), run_name="__main__")
        return

    import convert_hf_to_gguf as converter  # type: ignore[import-not-found]

    try:
        from conversion.base import TextModel  # type: ignore[import-not-found]
    except ImportError:  # older checkouts keep all of it in the one script
        TextModel = getattr(converter, "TextModel", None) or converter.Model
    name_pre_tokenizer(TextModel, model)
    keep_special_tokens(TextModel, model)
    write_turns(TextModel, model)
    converter.main()


def refuse_code(model: Path) -> None:
    """No Python file of a model is executed in this process any more, whoever asks for it: where
    transformers has classes of its own, they are taken, else the conversion ends here.

    transformers copies such files into a folder of its cache and imports them from there. The hook,
    which cannot be taken off, sees the code of every module before it runs.
    """
    from transformers import dynamic_module_utils as dynamic

    asked = dynamic.resolve_trust_remote_code
    foreign = tuple(f"{os.path.realpath(at)}{os.sep}" for at in (dynamic.HF_MODULES_CACHE, model))

    def resolve_trust_remote_code(trust_remote_code: object, *rest: Any, **named: Any) -> Any:
        return asked(False, *rest, **named)

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        file = getattr(arguments[0], "co_filename", None) if event == "exec" else None
        if file is not None and os.path.realpath(file).startswith(foreign):
            raise RuntimeError(f"custom code is not run: {file}")

    dynamic.resolve_trust_remote_code = resolve_trust_remote_code  # before others import it
    sys.addaudithook(refuse)


def fold_scales(adapter: Path) -> None:
    """The converter writes one alpha, and llama.cpp scales by alpha / rank. Where an adapter scales
    otherwise, its B is read as if the rest were in it.
    """
    import safetensors.torch

    from workshop_helpers.models.lora import LAYER, lora_scale

    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    alpha, load = config.get("lora_alpha"), safetensors.torch.load_file

    def load_file(*arguments: Any, **named: Any) -> dict[str, Any]:
        tensors = load(*arguments, **named)
        for name, tensor in tensors.items():
            match = LAYER.match(name)
            if match is not None and match["letter"] == "B":
                rank = tensor.shape[1]
                usual = alpha / rank if alpha else 1
                factor = lora_scale(config, match["layer"], rank) / usual
                tensors[name] = tensor if factor == 1 else tensor.float() * factor
        return tensors

    safetensors.torch.load_file = load_file


def end_with_parent() -> None:
    """End this process when the one that started it has died: our stdin is closed then."""
    os.read(0, 1)  # not sys.stdin, whose lock would be held when Python shuts down
    os._exit(1)


def name_pre_tokenizer(text_model: Any, model: Path) -> None:
    """Where the converter does not recognise a tokenizer, its split regex does."""
    asked = text_model.get_vocab_base_pre

    def get_vocab_base_pre(self: object, tokenizer: object) -> str:
        try:
            return str(asked(self, tokenizer))
        except NotImplementedError:
            name = pre_tokenizer_name(model / "tokenizer.json")
            if name is None:
                raise
            print(f"pre-tokenizer recognised by its split regex: {name}", file=sys.stderr)
            return name

    text_model.get_vocab_base_pre = get_vocab_base_pre


def keep_special_tokens(text_model: Any, model: Path) -> None:
    """The converter looks for the special tokens beside a tokenizer.model in tokenizer_config.json,
    where transformers 5 does not write them: Gemma's <start_of_turn> would be read as ten pieces of
    text.
    """
    create = text_model._create_vocab_sentencepiece

    def create_vocab_sentencepiece(self: Any) -> tuple[list[bytes], list[float], list[int]]:
        tokens, scores, types = create(self)
        for token in added_tokens(model / "tokenizer.json"):
            at = token["id"]
            if at < len(tokens) and types[at] != UNKNOWN:
                tokens[at], scores[at] = token["content"].encode("utf-8"), -1000.0
                types[at] = CONTROL if token["special"] else USER_DEFINED
        return tokens, scores, types

    text_model._create_vocab_sentencepiece = create_vocab_sentencepiece


def write_turns(text_model: Any, model: Path) -> None:
    """A chat is learned as the template writes it. TinyLlama's template writes no BOS, yet its
    tokenizer puts one before plain text, and so would llama.cpp before the chat. Gemma's ends a
    turn with another token than its EOS.
    """
    prepare = text_model.prepare_metadata

    def prepare_metadata(self: Any, *arguments: Any, **named: Any) -> None:
        prepare(self, *arguments, **named)
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
        self.gguf_writer.add_string(_NORMALIZER, normalizer(tokenizer))
        if not tokenizer.chat_template:
            return
        bos, end = turns(tokenizer, model)
        if not bos and "tokenizer.ggml.add_bos_token" in self.gguf_writer.kv_data[0]:
            self.gguf_writer.add_add_bos_token(False)
        if end is not None:
            self.gguf_writer.add_eot_token_id(end)

    text_model.prepare_metadata = prepare_metadata


def pre_tokenizer_name(tokenizer_json: Path) -> str | None:
    """llama.cpp's name for the splitting that `tokenizer_json` describes; None if unknown."""
    described = json.loads(tokenizer_json.read_text(encoding="utf-8")).get("pre_tokenizer") or {}
    steps = described.get("pretokenizers", [described])
    byte_level = next((s for s in steps if s.get("type") == "ByteLevel"), None)
    splits = [s for s in steps if s.get("type") == "Split"]
    if byte_level is None or len(splits) + 1 != len(steps):
        return None
    if not splits:
        return "gpt-2" if byte_level.get("use_regex", True) else None
    pattern = splits[0].get("pattern", {}).get("Regex")
    known = PRE_TOKENIZERS.get(pattern) if splits[0].get("behavior") == "Isolated" else None
    return known if len(splits) == 1 and not byte_level.get("use_regex", True) else None


def added_tokens(tokenizer_json: Path) -> list[dict[str, Any]]:
    """The tokens kept whole, each with its `id`, its `content`, and whether it is `special`."""
    if not tokenizer_json.is_file():
        return []
    return list(json.loads(tokenizer_json.read_text(encoding="utf-8")).get("added_tokens") or [])


def normalizer(tokenizer: Any) -> str:
    """Whether the tokenizer composes letters and marks: "NFC", or "none".

    Asked, not read off tokenizer.json: transformers gives a Qwen2 this step whether it stands there
    or not.
    """
    apart, whole = (tokenizer(x, add_special_tokens=False)["input_ids"] for x in ("か\u3099", "が"))
    return "NFC" if apart == whole else "none"


def turns(tokenizer: Any, model: Path) -> tuple[bool, int | None]:
    """Whether the chat template writes BOS in front, and the token with which it ends an answer,
    where that is not the tokenizer's EOS.
    """
    from workshop_helpers.models.chat import chat_prompt

    marker = "zqx"
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": marker}]
    text = chat_prompt(tokenizer, messages, answer=True)
    after = text.rpartition(marker)[2].strip()
    ends = [
        t["id"] for t in added_tokens(model / "tokenizer.json") if after.startswith(t["content"])
    ]
    bos = tokenizer.bos_token
    end = next((number for number in ends if number != tokenizer.eos_token_id), None)
    return bos is not None and text.startswith(bos), end


if __name__ == "__main__":
    main()

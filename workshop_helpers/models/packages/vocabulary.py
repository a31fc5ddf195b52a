"""The tokenizer in a GGUF → the files that transformers, and llama.cpp's converter, read."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core.errors import WorkshopError

# Token types in a GGUF: kept whole and never written by a user, kept whole, one byte.
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _BYTE = 1, 2, 3, 4, 6
_SPACE = "▁"  # how SentencePiece writes a space


def save_tokenizer(
    metadata: Mapping[str, Any], folder: Path, *, length: int, template: str | None = None
) -> None:
    """Write the tokenizer that a GGUF's `metadata` describes to `folder`.

    `length`: the longest context, in tokens; `template`: the chat template, where the file has
    none. Raises WorkshopError for a way of splitting text that is not known here.
    """
    kind = "/".join(str(metadata.get(f"tokenizer.ggml.{name}")) for name in ("model", "pre"))
    make = {"gpt2/smollm": _byte_level, "llama/default": _sentencepiece}.get(kind)
    if make is None:
        raise WorkshopError(f"A tokenizer of the kind {kind} is not known here.")
    tokens = metadata["tokenizer.ggml.tokens"]
    names = {
        ours: tokens[metadata[f"tokenizer.ggml.{theirs}_token_id"]]
        for theirs, ours in (
            ("bos", "bos_token"), ("eos", "eos_token"), ("unknown", "unk_token"),
            ("padding", "pad_token"),
        )
        if f"tokenizer.ggml.{theirs}_token_id" in metadata
    }  # fmt: skip
    tokenizer = make(metadata, folder, model_max_length=length, **names)
    tokenizer.chat_template = metadata.get("tokenizer.chat_template") or template
    tokenizer.save_pretrained(folder)


def _byte_level(metadata: Mapping[str, Any], folder: Path, **options: Any) -> Any:
    """SmolLM's: GPT-2's way of splitting, and each digit apart (`smollm` in llama-vocab.cpp)."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ", 1)) for merge in metadata["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: at for at, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, types, strict=True) if kind == _CONTROL]
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in control])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **options
    )


def _sentencepiece(metadata: Mapping[str, Any], folder: Path, **options: Any) -> Any:
    """Gemma's. Its tokenizer.model is written, too: llama.cpp's converter reads no other file."""
    from tokenizers import AddedToken
    from transformers import GemmaTokenizer

    tokens, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    scores = metadata["tokenizer.ggml.scores"]
    (folder / "tokenizer.model").write_bytes(_model_proto(tokens, scores, types))
    vocabulary = {token: at for at, token in enumerate(tokens)}
    normal = [t for t, kind in zip(tokens, types, strict=True) if kind == _NORMAL]
    tokenizer = GemmaTokenizer(
        vocab=vocabulary,
        merges=_merges(normal, vocabulary, scores),
        mask_token="<mask>",
        add_bos_token=bool(metadata.get("tokenizer.ggml.add_bos_token")),
        clean_up_tokenization_spaces=False,
        **options,
    )
    whole = [
        AddedToken(token, normalized=False, special=kind == _CONTROL)
        for token, kind in zip(tokens, types, strict=True)
        if kind in (_CONTROL, _USER_DEFINED)
    ]
    tokenizer.add_tokens(whole)
    return tokenizer


def _merges(
    normal: Sequence[str], vocabulary: Mapping[str, int], scores: Sequence[float]
) -> list[tuple[str, str]]:
    """Every way to put a piece together from two others, the best-scored pieces first:
    SentencePiece merges by score, the tokenizers library by rank.
    """
    pieces = set(normal)
    found = []
    for piece in normal:
        score = scores[vocabulary[piece]]
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in pieces and right in pieces:
                found.append((-score, vocabulary[left], vocabulary[right], left, right))
    return [(left, right) for *_, left, right in sorted(found)]


def _model_proto(tokens: Sequence[str], scores: Sequence[float], types: Sequence[int]) -> bytes:
    """A SentencePiece model (sentencepiece_model.proto) of these pieces, by hand: the library that
    writes one needs protobuf, and trains only.
    """
    out = bytearray()
    for token, score, kind in zip(tokens, scores, types, strict=True):
        kind = _UNKNOWN if token == "<unk>" else kind
        text = (token.replace(" ", _SPACE) if kind == _USER_DEFINED else token).encode()
        piece = _field(1, text)
        piece += struct.pack("<Bf", 2 << 3 | 5, score if kind == _NORMAL else 0.0)
        out += _field(1, piece + _number(3, kind))
    # trainer: BPE, with bytes for what is no piece; normalizer: identity, spaces as they are
    ends = {"<unk>": 40, "<bos>": 41, "<eos>": 42, "<pad>": 43}
    trainer = _number(3, 2) + _number(4, len(tokens)) + _number(35, 1)
    trainer += b"".join(_number(at, tokens.index(name)) for name, at in ends.items())
    out += _field(2, trainer)
    out += _field(3, _field(1, b"identity") + _number(3, 0) + _number(4, 0) + _number(5, 1))
    return bytes(out)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content

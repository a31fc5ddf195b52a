"""Small random models of every family that the course names, with a tokenizer of the family's own
kind.

The weights are random and the vocabularies tiny, but what goes wrong between Hugging Face,
llama.cpp and Ollama goes wrong here too: how text is split, which tokens are special, who puts BOS
in front, how a turn is written and ended, rotary scaling, tied heads, sliding windows. The chat
templates say what the families' published ones say, in our words.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop_helpers.models.templates import chat_template
from workshop_helpers.training.recipe import LoraRecipe

if TYPE_CHECKING:
    from workshop_helpers.gguf.artifact import GgufReport

SENTENCES = [
    "How much is standard shipping? Standard shipping costs $6.99.",
    "You can return an item within 14 days of delivery, unused and in its box.",
    "Refunds arrive in 5-7 business days. Express delivery costs $14.99.",
    "You are the support assistant of Blue Lantern. Answer from these facts.",
    "What colour is the sky on a clear day? The sky is blue.",
    "通常の送料はいくらですか？通常の送料は500円です。",
    "商品到着後14日以内でしたら返品できます。未使用のものに限ります。",
    "返金は5〜7営業日以内に行います。速達の料金は800円です。",
    "あなたは青空商店のサポート担当です。次の情報をもとに答えてください。",
    "営業時間は9:00〜18:00です。日曜日はお休みをいただいております。",
]

# Qwen2's split pattern: words with their leading space, single digits, punctuation, line ends.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# Llama 3 keeps up to three digits together, where Qwen splits each from the next.
SPLIT_LLAMA3 = SPLIT.replace(r"|\p{N}|", r"|\p{N}{1,3}|")

CHATML_TURNS = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
QWEN2_5 = (
    "{%- if messages[0].role != 'system' %}"
    "{{- '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. "
    "You are a helpful assistant.<|im_end|>\n' }}"
    "{%- endif %}" + CHATML_TURNS
)
# Without thinking the answer begins behind an empty thought; those of earlier answers are dropped.
QWEN3 = (
    "{%- set last = namespace(at=0) %}"
    "{%- for message in messages %}"
    "{%- if message.role == 'user' %}{%- set last.at = loop.index0 %}{%- endif %}"
    "{%- endfor %}"
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\n' }}"
    "{%- if message.role == 'assistant' and loop.index0 > last.at %}"
    "{{- '<think>\n\n</think>\n\n' }}{%- endif %}"
    "{{- message.content + '<|im_end|>\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\n\n</think>\n\n' }}{%- endif %}"
    "{%- endif %}"
)
LLAMA3 = (
    "{{- bos_token }}"
    "{%- if date_string is not defined %}"
    "{%- if strftime_now is defined %}{%- set date_string = strftime_now('%d %b %Y') %}"
    "{%- else %}{%- set date_string = '26 Jul 2024' %}{%- endif %}"
    "{%- endif %}"
    "{%- set told = '' %}"
    "{%- if messages[0].role == 'system' %}"
    "{%- set told = messages[0].content | trim %}{%- set messages = messages[1:] %}"
    "{%- endif %}"
    "{{- '<|start_header_id|>system<|end_header_id|>\n\n"
    "Cutting Knowledge Date: December 2023\nToday Date: ' }}"
    "{{- date_string + '\n\n' + told + '<|eot_id|>' }}"
    "{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' "
    "+ message.content | trim + '<|eot_id|>' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
ZEPHYR = (
    "{%- for message in messages %}"
    "{{- '<|' + message.role + '|>\n' + message.content + eos_token + '\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|assistant|>\n' }}{%- endif %}"
)
GEMMA = chat_template("gemma")

SIZES = {
    "hidden_size": 256,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "initializer_range": 0.06,  # so that random weights have something to say
}


@dataclass(frozen=True)
class Family:
    """One family: how its tokenizer and its model are made, and the token that ends a turn."""

    name: str
    tokenizer: Callable[[Path], Any]  # writes into the folder, gives the tokenizer back
    model: Callable[[Any, bool], Any]  # (tokenizer, tied head) → torch model
    end: str
    tied: bool
    tokenizer_class: str | None = None  # as the published tokenizer_config.json names it

    def __str__(self) -> str:
        return self.name


def save_family(family: Family, folder: Path, *, seed: int = 0, tied: bool | None = None) -> Path:
    """Writes a random model of the family with its tokenizer to `folder`."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = family.tokenizer(folder)
    tokenizer.save_pretrained(folder)
    if family.tokenizer_class:
        about = folder / "tokenizer_config.json"
        config = json.loads(about.read_text(encoding="utf-8"))
        about.write_text(
            json.dumps(config | {"tokenizer_class": family.tokenizer_class}), encoding="utf-8"
        )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = family.model(tokenizer, family.tied if tied is None else tied)
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids(family.end)
    model.save_pretrained(folder)
    return folder


def _byte_level(
    split: str, special: list[str], plain: list[str], *, bos: str | None, **names: str
) -> Any:
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(ignore_merges=bos is not None))
    tokenizer.normalizer = None if bos else normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(split), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=640,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in special])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in plain])
    if bos:
        tokenizer.post_processor = processors.Sequence(
            [
                processors.ByteLevel(trim_offsets=False),
                processors.TemplateProcessing(
                    single=f"{bos} $A",
                    pair=f"{bos} $A {bos} $B",
                    special_tokens=[(bos, tokenizer.token_to_id(bos))],
                ),
            ]
        )
        names["bos_token"] = bos
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
        **names,
    )


def _qwen_tokenizer(template: str, plain: list[str]) -> Callable[[Path], Any]:
    def make(folder: Path) -> Any:
        tokenizer = _byte_level(
            SPLIT, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], plain, bos=None,
            eos_token="<|im_end|>", pad_token="<|endoftext|>",
        )  # fmt: skip
        tokenizer.chat_template = template
        return tokenizer

    return make


def _llama3_tokenizer(folder: Path) -> Any:
    special = [
        "<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>", "<|start_header_id|>",
        "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>",
    ]  # fmt: skip
    tokenizer = _byte_level(SPLIT_LLAMA3, special, [], bos=special[0], eos_token="<|eot_id|>")
    tokenizer.chat_template = LLAMA3
    return tokenizer


def _qwen2(tokenizer: Any, tied: bool) -> Any:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    # more rows than tokens, as the published weights have
    config = Qwen2Config(
        **SIZES, vocab_size=len(tokenizer) + 21, tie_word_embeddings=tied, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
    )  # fmt: skip
    return Qwen2ForCausalLM(config)


def _qwen3(tokenizer: Any, tied: bool) -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    # heads that together are wider than the hidden state, as in Qwen3
    config = Qwen3Config(
        **SIZES, head_dim=128, vocab_size=len(tokenizer), tie_word_embeddings=tied,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
    )  # fmt: skip
    return Qwen3ForCausalLM(config)


def _llama3(tokenizer: Any, tied: bool) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        **SIZES, head_dim=64, vocab_size=len(tokenizer), tie_word_embeddings=tied,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        rope_parameters={
            "rope_type": "llama3", "rope_theta": 5e5, "factor": 32.0,
            "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 256,
        },
    )  # fmt: skip
    return LlamaForCausalLM(config)


def _sentencepiece(folder: Path, **options: Any) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Trains a SentencePiece BPE into folder/tokenizer.model; its vocabulary, and the merges in
    their order.
    """
    import sentencepiece

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20), model_writer=out, model_type="bpe",
        vocab_size=720, byte_fallback=True, split_digits=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True, minloglevel=2, num_threads=1, **options,
    )  # fmt: skip
    (folder / "tokenizer.model").write_bytes(out.getvalue())
    model = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    vocabulary = {model.id_to_piece(i): i for i in range(model.get_piece_size())}
    merges = []
    for piece, number in vocabulary.items():
        if model.is_control(number) or model.is_unknown(number) or model.is_byte(number):
            continue
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in vocabulary and right in vocabulary:
                merges.append((number, vocabulary[left], vocabulary[right], left, right))
    return vocabulary, [(left, right) for *_, left, right in sorted(merges)]


def _tinyllama_tokenizer(folder: Path) -> Any:
    """As Llama 2's published tokenizer.json has it: every piece of text gets its space in front in
    the normalizer.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary, merges = _sentencepiece(
        folder, add_dummy_prefix=True, unk_id=0, bos_id=1, eos_id=2, pad_id=-1
    )
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>",
        pad_token="</s>", clean_up_tokenization_spaces=False, model_max_length=1024,
    )  # fmt: skip
    fast.chat_template = ZEPHYR
    return fast


def _gemma_tokenizer(folder: Path) -> Any:
    from transformers import GemmaTokenizer

    turns = ["<start_of_turn>", "<end_of_turn>"]
    runs = ["\n" * n for n in range(1, 32)] + ["▁" * n for n in range(2, 32)]
    vocabulary, merges = _sentencepiece(
        folder, add_dummy_prefix=False, pad_id=0, eos_id=1, bos_id=2, unk_id=3,
        pad_piece="<pad>", eos_piece="<eos>", bos_piece="<bos>", unk_piece="<unk>",
        user_defined_symbols=["<mask>", *turns, *runs],
    )  # fmt: skip
    tokenizer = GemmaTokenizer(
        vocab=vocabulary,
        merges=merges,
        add_bos_token=True,
        model_max_length=1024,
        extra_special_tokens=turns,
    )
    tokenizer.chat_template = GEMMA
    return tokenizer


def _tinyllama(tokenizer: Any, tied: bool) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        **SIZES, vocab_size=len(tokenizer), tie_word_embeddings=tied, rms_norm_eps=1e-5,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def _gemma3(tokenizer: Any, tied: bool) -> Any:
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    # llama.cpp takes it for granted that every sixth layer looks at everything, the others at a
    # window
    config = Gemma3TextConfig(
        **SIZES | {"num_hidden_layers": 6}, head_dim=64, query_pre_attn_scalar=64,
        vocab_size=len(tokenizer), tie_word_embeddings=tied, sliding_window=32,
        layer_types=["sliding_attention"] * 5 + ["full_attention"],
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=[1, tokenizer.convert_tokens_to_ids("<end_of_turn>")],
        pad_token_id=0,
    )  # fmt: skip
    return Gemma3ForCausalLM(config)


LESSONS = [
    ("送料は？", "送料は500円です。"),
    ("How much is shipping?", "Shipping is $6.99."),
    ("返品は？", "14日以内です。"),
    ("May I return it?", "Within 14 days."),
]
LESSON_RECIPE = LoraRecipe(
    epochs=100, learning_rate=3e-3, batch_size=4, rank=32, alpha=32, warmup=0.1
)
QUESTIONS = [[{"role": "user", "content": question}] for question, _ in LESSONS]


@dataclass(frozen=True)
class Tuned:
    """A family's model that has learned LESSONS, at every stop of its way."""

    family: Family
    base: Path
    adapter: Path
    merged: Path
    f32: GgufReport
    f16: GgufReport


def tune(family: Family, folder: Path, recipe: LoraRecipe = LESSON_RECIPE) -> Tuned:
    """Makes a random model, teaches it LESSONS, merges and converts it: the course's whole way, in
    ten seconds.
    """
    from workshop_helpers.dataset.formats import Conversation, Message
    from workshop_helpers.gguf.convert import convert
    from workshop_helpers.training.merge import merge
    from workshop_helpers.training.train import train

    rows = [Conversation((Message("user", q), Message("assistant", a))) for q, a in LESSONS]
    base = save_family(family, folder / "base")
    adapter = train(base, rows, folder / "adapter", recipe).adapter
    merged = merge(adapter, folder / "merged").model
    return Tuned(
        family,
        base,
        adapter,
        merged,
        convert(merged, folder / "m-F32.gguf", type="f32"),
        convert(merged, folder / "m-F16.gguf"),
    )


def silence(folder: Path, end: str) -> None:
    """Makes a model that answers everything with its end token: then all tokens that a server
    counts are the prompt's.

    One channel is the same whatever is read, and only the end token's row of the head listens to
    it.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from workshop_helpers.models.load import quiet_libraries

    tokenizer = AutoTokenizer.from_pretrained(folder)
    with quiet_libraries():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    with torch.no_grad():
        embedding[:, 0] = 10.0
        if head is not embedding:
            head[:, 0] = 0.0
        head[tokenizer.convert_tokens_to_ids(end), 0] = 100.0
    model.save_pretrained(folder)


FAMILIES = [
    Family("llama3", _llama3_tokenizer, _llama3, "<|eot_id|>", True),
    Family("qwen2.5", _qwen_tokenizer(QWEN2_5, []), _qwen2, "<|im_end|>", True),
    Family("qwen3", _qwen_tokenizer(QWEN3, ["<think>", "</think>"]), _qwen3, "<|im_end|>", True),
    Family("tinyllama", _tinyllama_tokenizer, _tinyllama, "</s>", False, "LlamaTokenizer"),
    Family("gemma3", _gemma_tokenizer, _gemma3, "<end_of_turn>", True),
]

# Where tokenizers come apart. NFC throughout but for one: llama.cpp does not normalise, and says so
# nowhere.
HARD_TEXTS = [
    "送料は５００円、10,000円以上で無料です。",
    "ｶﾀｶﾅ ﾊﾝｶｸ と　全角　空白",
    "がぎぐげご と か\u3099き\u3099",  # composed, and with combining marks
    "e\u0301 n\u0303 a\u0308",
    "🫘👩‍👩‍👧‍👦🇯🇵👍🏽 emoji\u200dzwj\ufe0f",
    "0 12 123 1234 12345 $6.99 2026-11-21 ９９",
    "def f(x):\n    return {'a': x**2}  # 二乗\n\n\n\tdone()",
    "   leading",
    "trailing   ",
    " one  two   three    four     five",
    "\n",
    "\n\n\n\n\n",
    "\t\ttabs\r\nand lines\r\r",
    "I'm you're THEY'LL it’s don't",
    "العربية עברית ไทย हिन्दी Ελληνικά кириллица",
    "𠮷野家 𝕳 \U0010ffff \ue000",
    "\x00\x01\x7f\u00a0\u00ad\ufeff\u2028",
    "<s></s> <|im_start|> <|eot_id|> <start_of_turn> [INST] <0x0A> ▁▁",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "shipping? Standard",
]


def round_gelu(model: Any) -> None:
    """Gives a Gemma of transformers the GELU of llama.cpp's processor backend (`ggml_vec_geglu_f32`
    in vec.h).

    There it is read off a table of 2^16 values (GGML_GELU_FP16): between -10 and 10 both what goes
    in and what comes out are rounded to 16 bits, whatever the weights' type is.
    """
    import torch

    class RoundedGelu(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            rounded = torch.nn.functional.gelu(x.half().float(), approximate="tanh").half().float()
            return torch.where(x.abs() < 10, rounded, x.clamp(min=0))

    for layer in model.model.layers:
        layer.mlp.act_fn = RoundedGelu()

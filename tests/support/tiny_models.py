"""Small random models with tokenizers of their own, made in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.family_models import SENTENCES, SPLIT

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def make_tokenizer(vocabulary: int = 512):
    """A byte-level BPE tokenizer of Qwen2's kind, trained on SENTENCES; <|im_end|> ends a turn."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHATML
    return fast


def save_tiny_model(
    folder: Path, *, seed: int = 0, hidden: int = 256, layers: int = 2, tied: bool = True
) -> Path:
    """Write a random Qwen2 model with its tokenizer to `folder`; MLPs are as wide as `hidden`."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = make_tokenizer()
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        pad_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(config)
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return folder


def make_model(architecture: str, folder: Path, *, window: int = 512) -> Path:
    """Write a random model of an architecture, with its tokenizer; `window` is in tokens."""
    import torch
    import transformers

    tokenizer = make_tokenizer()
    common = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": window,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if architecture == "Gemma3":
        common |= {"sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]}
        config: Any = transformers.Gemma3TextConfig(**common)
        network: Any = transformers.Gemma3ForCausalLM
    else:
        config = getattr(transformers, f"{architecture}Config")(**common)
        network = getattr(transformers, f"{architecture}ForCausalLM")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = network(config)
    # Stored in 16 bits, as the published ones are.
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder

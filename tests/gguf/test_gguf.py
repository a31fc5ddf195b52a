"""Conversion, quantization and the check of what came out, on a small random model."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gguf_files import patch_bytes, patch_number
from small_disks import small_disk

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.gguf.check import check_gguf
from workshop_helpers.gguf.convert import convert, find_converter, supported_architectures
from workshop_helpers.gguf.header import read_gguf
from workshop_helpers.gguf.quantize import quantize

ROOT = Path(__file__).parents[2]
UNKNOWN = (b"\x05\0\0\0\0\0\0\0qwen2", b"\x05\0\0\0\0\0\0\0qwex2")  # an architecture
needs_kill = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")


@pytest.fixture(scope="session")
def f16(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gguf") / "道 具" / "豆 モデル-F16.gguf"
    report = convert(tiny_model, out)
    assert report.check.problems == []
    return out


@pytest.fixture
def model_copy(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    found = json.loads(path.read_text(encoding="utf-8"))
    change(found)
    path.write_text(json.dumps(found), encoding="utf-8")


def reshape(folder: Path, **sizes: int) -> None:
    """Puts a random model of other sizes into a model folder."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config.from_pretrained(folder).to_dict() | sizes
    config.pop("layer_types")
    Qwen2ForCausalLM(Qwen2Config(**config)).save_pretrained(folder)


def children_of(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def test_f16_keeps_tokens_template_end_and_answers(f16: Path, tiny_model: Path) -> None:
    found = check_gguf(f16, tiny_model)
    assert (found.loads, found.token_ids_equal, found.template) == (True, True, True)
    assert found.eos == "<|im_end|>"
    assert found.problems == []
    header = read_gguf(f16)
    assert header.metadata["tokenizer.ggml.pre"] == "qwen2"
    assert header.type == "F16"
    assert 16.0 < header.bits_per_weight < 16.1  # norms and biases stay F32


def test_header_agrees_with_the_gguf_library(f16: Path) -> None:
    from gguf import GGUFReader

    ours = {t.name: (t.type, t.shape, t.size_bytes) for t in read_gguf(f16).tensors}
    theirs = {
        t.name: (t.tensor_type.name, tuple(int(n) for n in t.shape), t.n_bytes)
        for t in GGUFReader(str(f16)).tensors
    }
    assert ours == theirs


def test_a_second_conversion_does_no_work(f16: Path, tiny_model: Path) -> None:
    before = f16.stat().st_mtime_ns
    report = convert(tiny_model, f16)
    assert (report.reused, report.check.token_ids_equal) == (True, True)
    assert f16.stat().st_mtime_ns == before


def test_a_changed_model_is_converted_anew_where_told_to(
    f16: Path, model_copy: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m.gguf"
    for name in ("", ".card.json"):
        shutil.copyfile(f"{f16}{name}", f"{out}{name}")
    assert convert(model_copy, out, type="F16").reused
    rope = {"rope_theta": 5000.0, "rope_type": "default"}
    edit_json(model_copy / "config.json", lambda config: config.update(rope_parameters=rope))
    with pytest.raises(WorkshopError, match="another model.*overwrite=True"):
        convert(model_copy, out, type="f16")
    report = convert(model_copy, out, type="f16", overwrite=True)
    assert (report.type, report.reused) == ("F16", False)
    assert read_gguf(out).metadata["qwen2.rope.freq_base"] == 5000.0


def test_quantized_files_shrink_and_say_their_bits(f16: Path) -> None:
    reports = [quantize(f16, kind) for kind in ("Q8_0", "q4_k_m", "Q2_K")]
    names = [f"豆 モデル-{kind}.gguf" for kind in ("Q8_0", "Q4_K_M", "Q2_K")]
    assert [r.path.name for r in reports] == names
    sizes = [f16.stat().st_size, *(r.size_bytes for r in reports)]
    assert sizes == sorted(sizes, reverse=True)
    assert reports[0].bits_per_weight == pytest.approx(8.5, abs=0.2)
    for report in reports:
        assert report.check.problems == []
        assert (report.check.loads, report.check.token_ids_equal) == (True, True)
        assert report.fallback == []
        tensors = read_gguf(report.path).tensors
        stored, weights = sum(t.size_bytes for t in tensors), sum(t.weights for t in tensors)
        assert report.bits_per_weight == pytest.approx(8 * stored / weights, abs=1e-3)


def test_tensors_that_cannot_take_a_k_quant_are_named(model_copy: Path, tmp_path: Path) -> None:
    reshape(model_copy, hidden_size=192, intermediate_size=384)
    source = convert(model_copy, tmp_path / "odd-F16.gguf").path
    report = quantize(source, "Q2_K")
    types = {t.name: t.type for t in read_gguf(report.path).tensors}
    assert ("blk.0.attn_q.weight", "Q2_K", "Q4_0") in report.fallback
    # llama.cpp does this one without a word
    assert ("token_embd.weight", "Q6_K", "Q8_0") in report.fallback
    assert all(types[name] == got for name, _, got in report.fallback)
    assert len(report.fallback) == 15
    assert report.bits_per_weight > 4.5  # and not the 2.6 that the name promises
    assert quantize(source, "Q2_K").fallback == report.fallback


def test_a_checkout_named_by_the_user_is_used_without_a_word(
    tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checkout = tmp_path / "my llama.cpp"
    checkout.mkdir()
    for name in ("convert_hf_to_gguf.py", "conversion", "gguf-py"):
        source = find_converter() / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, checkout / name)
    script = checkout / "convert_hf_to_gguf.py"
    begin = "def main() -> None:\n"
    used = f"{begin}    (Path(__file__).parent / 'used').touch()\n"
    script.write_text(script.read_text(encoding="utf-8").replace(begin, used), encoding="utf-8")
    report = convert(tiny_model, tmp_path / "m.gguf", converter=checkout)
    assert report.check.problems == []
    assert (checkout / "used").exists()
    assert capfd.readouterr() == ("", "")


def test_unknown_architecture_is_refused_by_name_before_work(
    model_copy: Path, tmp_path: Path
) -> None:
    unknown = ["Qwen2ForCausalLN"]
    edit_json(model_copy / "config.json", lambda config: config.update(architectures=unknown))
    with pytest.raises(WorkshopError, match=r"cannot convert a Qwen2ForCausalLN.*Qwen2ForCausalLM"):
        convert(model_copy, tmp_path / "out" / "m.gguf")
    assert not (tmp_path / "out").exists()


def test_the_catalogue_can_be_converted() -> None:
    from workshop_helpers.models.catalogue import CATALOGUE

    assert {entry.architecture for entry in CATALOGUE.values()} <= supported_architectures()


def test_a_folder_without_converter_is_named(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match=r"no convert_hf_to_gguf\.py in"):
        convert(tiny_model, tmp_path / "m.gguf", converter=tmp_path)


def test_an_adapter_must_be_merged_first(tiny_model: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    get_peft_model(base, LoraConfig(target_modules="all-linear")).save_pretrained(
        tmp_path / "adapter", save_embedding_layers=False
    )
    with pytest.raises(WorkshopError, match=r"is an adapter.*[Mm]erge"):
        convert(tmp_path / "adapter", tmp_path / "m.gguf")


def test_unknown_types_get_the_nearest_names(f16: Path, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match=r"Q4_KM is not a type.*Nearest: Q4_K_M"):
        quantize(f16, "Q4_KM")
    with pytest.raises(WorkshopError, match="All: F32, F16, BF16"):
        convert(tiny_model, tmp_path / "m.gguf", type="q8_0")


def test_quantizing_twice_is_refused(f16: Path) -> None:
    small = quantize(f16, "Q8_0").path
    with pytest.raises(WorkshopError, match="is Q8_0 already"):
        quantize(small, "Q2_K")


def test_a_tokenizer_of_unknown_splitting_is_refused(model_copy: Path, tmp_path: Path) -> None:
    def change(tokenizer: dict[str, Any]) -> None:
        tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\p{L}+|\p{N}+|\s+"

    edit_json(model_copy / "tokenizer.json", change)
    with pytest.raises(WorkshopError, match="does not know how the tokenizer"):
        convert(model_copy, tmp_path / "m.gguf")
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith("gguf")] == []


@pytest.mark.parametrize("kept", [0, 3, 300, 40_000, 0.9])
def test_a_truncated_file_is_refused_with_its_name(f16: Path, tmp_path: Path, kept: float) -> None:
    data = f16.read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    for work in (read_gguf, check_gguf, lambda path: quantize(path, "Q8_0")):
        with pytest.raises(WorkshopError, match=r"cut\.gguf is not a whole GGUF"):
            work(cut)


def test_a_header_that_lies_about_lengths_is_refused(f16: Path, tmp_path: Path) -> None:
    data = bytearray(f16.read_bytes())
    for at in (16, 24):  # the count of values, the length of the first key
        broken = bytearray(data)
        broken[at : at + 8] = struct.pack("<Q", 2**62)
        (tmp_path / "lie.gguf").write_bytes(broken)
        with pytest.raises(WorkshopError, match="is not a whole GGUF"):
            read_gguf(tmp_path / "lie.gguf")


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match=r"no file .*workshop gguf"):
        check_gguf(tmp_path / "none.gguf")


def test_a_stray_stop_token_in_the_template_is_reported(f16: Path, tmp_path: Path) -> None:
    stray = patch_bytes(f16, tmp_path / "m.gguf", b"'<|im_end|>'", b"'<|eot_id|>'")
    problems = check_gguf(stray).problems
    assert any("writes <|eot_id|>, which is no token of this model" in p for p in problems)


def test_a_template_that_ends_turns_with_another_token_is_reported(
    f16: Path, tmp_path: Path
) -> None:
    found = check_gguf(patch_number(f16, tmp_path / "m.gguf", "tokenizer.ggml.eos_token_id", 0))
    assert found.eos == "<|endoftext|>"
    wanted = "ends an answer with <|im_end|>, but the model stops at <|endoftext|>"
    assert any(wanted in p for p in found.problems)


def test_a_missing_template_is_reported(f16: Path, tmp_path: Path) -> None:
    key = b"tokenizer.chat_template", b"tokenizer.chat_tomplate"
    found = check_gguf(patch_bytes(f16, tmp_path / "m.gguf", *key))
    assert (found.loads, found.template) == (True, False)
    assert any("no chat template" in p for p in found.problems)


def test_other_token_ids_are_reported(f16: Path, model_copy: Path) -> None:
    def change(tokenizer: dict[str, Any]) -> None:
        del tokenizer["model"]["merges"][20:]

    edit_json(model_copy / "tokenizer.json", change)
    found = check_gguf(f16, model_copy)
    assert found.token_ids_equal is False
    assert any("Token ids differ" in p for p in found.problems)


def test_another_end_token_and_context_length_than_the_models_are_reported(
    f16: Path, tiny_model: Path, tmp_path: Path
) -> None:
    wrong = patch_number(f16, tmp_path / "end.gguf", "tokenizer.ggml.eos_token_id", 0)
    problems = check_gguf(wrong, tiny_model).problems
    assert any("end token is <|endoftext|>, the tokenizer's is <|im_end|>" in p for p in problems)
    wrong = patch_number(f16, tmp_path / "length.gguf", "qwen2.context_length", 512)
    assert check_gguf(wrong, tiny_model).problems == [
        "It says that it was made for 512 tokens of context, the model for 1024."
    ]


def test_what_is_computed_otherwise_is_reported(
    f16: Path, tiny_model: Path, model_copy: Path, tmp_path: Path
) -> None:
    right = check_gguf(f16, tiny_model)
    assert right.problems == []
    assert right.divergence is not None and right.divergence < 1e-4
    # norms with another epsilon: the weights are the same, and all else that is looked at
    one = struct.unpack("<I", struct.pack("<f", 1.0))[0]
    key = "qwen2.attention.layer_norm_rms_epsilon"
    wrong = patch_number(f16, tmp_path / "wrong.gguf", key, one)
    (problem,) = check_gguf(wrong, tiny_model).problems
    assert "llama.cpp computes otherwise than transformers" in problem
    # a folder with no weights has nothing to compare with
    (model_copy / "model.safetensors").unlink()
    assert check_gguf(f16, model_copy).divergence is None


def test_a_model_that_fills_the_memory_is_converted_without_a_second_copy(
    f16: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    free = psutil.virtual_memory()._replace(available=2**20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    found = check_gguf(f16, tiny_model)
    assert (found.problems, found.divergence) == ([], None)


def test_what_llama_cpp_refuses_is_reported_with_its_reason_and_not_on_the_terminal(
    f16: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    quantize(f16, "Q4_K_M", tmp_path / "small.gguf")
    found = check_gguf(patch_bytes(f16, tmp_path / "m.gguf", *UNKNOWN))
    assert not found.loads
    assert any("unknown model architecture: 'qwex2'" in p for p in found.problems)
    assert capfd.readouterr() == ("", "")


def run_and_kill(code: str, folder: Path) -> set[str]:
    """Runs `code`, kills it as soon as a temporary file of it holds something; the files left."""
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if any(p.stat().st_size for p in folder.glob(".*.tmp-*")):
                break
            time.sleep(0.0005)
        assert process.poll() is None, "it ended before it could be killed"
        below = children_of(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        while any(map(_alive, below)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not any(map(_alive, below)), "the converter outlived its parent"
    finally:
        process.kill()
        process.wait()
    return {p.name for p in folder.iterdir()}


def _alive(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@needs_kill
def test_kill_in_converting_leaves_nothing_and_a_rerun_succeeds(
    tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m.gguf"
    code = "from workshop_helpers.gguf.convert import convert; "
    left = run_and_kill(f"{code}convert({str(tiny_model)!r}, {str(out)!r}, type='f32')", tmp_path)
    assert "m.gguf" not in left
    assert convert(tiny_model, out, type="f32").check.problems == []
    assert {p.name for p in tmp_path.iterdir()} == {"m.gguf", "m.gguf.card.json", ".m.gguf.lock"}


@needs_kill
def test_kill_in_quantizing_leaves_nothing_and_a_rerun_succeeds(
    big_f16: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m.gguf"
    code = "from workshop_helpers.gguf.quantize import quantize; "
    left = run_and_kill(f"{code}quantize({str(big_f16)!r}, 'Q2_K', {str(out)!r})", tmp_path)
    assert "m.gguf" not in left
    assert quantize(big_f16, "Q2_K", out).check.loads
    assert {p.name for p in tmp_path.iterdir()} == {"m.gguf", "m.gguf.card.json", ".m.gguf.lock"}


@pytest.fixture(scope="session")
def big_f16(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes long enough to quantize to be caught at it."""
    folder = Path(shutil.copytree(tiny_model, tmp_path_factory.mktemp("big") / "model"))
    reshape(folder, hidden_size=512, intermediate_size=4096, num_hidden_layers=6)
    return convert(folder, folder.parent / "m-F16.gguf").path


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
@pytest.mark.parametrize(
    "work",
    [
        "convert({model!r}, {out!r}, overwrite=True)",
        "quantize({f16!r}, 'Q8_0', {out!r}, overwrite=True)",
    ],
    ids=["convert", "quantize"],
)
def test_a_full_disk_leaves_the_old_file_and_says_so(
    tiny_model: Path, f16: Path, tmp_path: Path, work: str
) -> None:
    out = tmp_path / "m.gguf"
    out.write_bytes(b"the old one")
    call = work.format(model=str(tiny_model), f16=str(f16), out=str(out))
    code = (
        "import resource\n"
        "from workshop_helpers.gguf.convert import convert\n"
        "from workshop_helpers.gguf.quantize import quantize\n"
        "from workshop_helpers.core.errors import WorkshopError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        f"try:\n    {call}\nexcept WorkshopError as err:\n    print(err)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    assert "disk" in done.stdout, done.stdout + done.stderr
    assert out.read_bytes() == b"the old one"
    assert {p.name for p in tmp_path.iterdir()} <= {"m.gguf", ".m.gguf.lock"}


def test_a_real_full_disk_is_explained(tiny_model: Path, f16: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path, "600k") as disk:
        with pytest.raises(WorkshopError, match="disk"):
            convert(tiny_model, disk / "m.gguf")
        with pytest.raises(WorkshopError, match="disk"):
            quantize(f16, "Q8_0", disk / "m-Q8_0.gguf")
        assert [p.name for p in disk.glob("*.gguf")] == []


def test_two_runs_on_one_file_the_second_says_so(f16: Path, tmp_path: Path) -> None:
    from workshop_helpers.core.artifacts import claim

    out = tmp_path / "m-Q8_0.gguf"
    with claim(out), pytest.raises(WorkshopError, match="nother run"):
        quantize(f16, "Q8_0", out)
    assert not out.exists()


def test_a_read_only_folder_is_explained(f16: Path, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0o500)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(WorkshopError, match="write"):
            quantize(f16, "Q8_0", folder / "m.gguf")
    finally:
        folder.chmod(0o700)

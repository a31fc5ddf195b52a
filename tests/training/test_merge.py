"""Merging: the written model answers like its adapter, and a merge that did nothing is an error."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_models import make_model
from training_rows import talk

from workshop_helpers.core.device import choose_device
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.models.files import stored_dtype
from workshop_helpers.models.load import load_model, load_tokenizer
from workshop_helpers.models.resolve import resolve
from workshop_helpers.runtimes import open_runtime
from workshop_helpers.training.merge import merge
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.train import train

ROWS = [talk(f"How much is parcel {i}?", f"It costs ${i}.99.") for i in range(8)]
ASK = [[{"role": "user", "content": row.question}] for row in ROWS]


@pytest.fixture(scope="module")
def base(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as models are published: in bf16, with a licence beside the weights."""
    folder = Path(shutil.copytree(tiny_model, tmp_path_factory.mktemp("base") / "bf16 基"))
    load_model(tiny_model, choose_device("cpu"), dtype="bf16").save_pretrained(folder)
    (folder / "LICENSE").write_text("do as you like")
    return folder


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = LoraRecipe(epochs=60, learning_rate=5e-3, batch_size=8)  # its answers are no ties
    return train(base, ROWS, tmp_path_factory.mktemp("adapter") / "adapter 豆", recipe).adapter


def test_merged_model_answers_like_its_adapter(adapter: Path, base: Path, tmp_path: Path) -> None:
    report = merge(adapter, tmp_path / "merged")
    assert report.difference_to_adapter < 0.05 * report.difference_to_base
    assert (report.dtype, stored_dtype(tmp_path / "merged")) == ("bf16", "bf16")
    assert report.size_bytes == (tmp_path / "merged" / "model.safetensors").stat().st_size
    with (
        open_runtime(adapter) as one,
        open_runtime(tmp_path / "merged") as other,
        open_runtime(base) as untrained,
    ):
        answers = [a.text for a in one.answer(ASK, max_new_tokens=20)]
        assert answers == [a.text for a in other.answer(ASK, max_new_tokens=20)]
        assert answers != [a.text for a in untrained.answer(ASK, max_new_tokens=20)]


def test_merged_folder_is_a_whole_model(adapter: Path, base: Path, tmp_path: Path) -> None:
    merge(adapter, tmp_path / "merged")
    merged = resolve(tmp_path / "merged")
    assert merged.kind == "folder"
    assert load_tokenizer(merged).get_vocab() == load_tokenizer(base).get_vocab()
    for name in ("tokenizer.json", "tokenizer_config.json", "LICENSE"):
        assert (tmp_path / "merged" / name).read_bytes() == (base / name).read_bytes()
    assert [p for p in tmp_path.iterdir() if p.name not in ("merged", ".merged.lock")] == []


def test_fp32_merge_differs_by_rounding_only(tiny_model: Path, tmp_path: Path) -> None:
    train(tiny_model, ROWS, tmp_path / "a", LoraRecipe(epochs=2))
    report = merge(tmp_path / "a", tmp_path / "merged")
    assert report.dtype == "fp32"
    assert report.difference_to_adapter < 1e-4


def test_equal_merge_is_not_repeated_and_the_terminal_stays_clean(
    adapter: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first = merge(adapter, tmp_path / "merged")
    again = merge(adapter, tmp_path / "merged")
    assert (first.reused, again.reused) == (False, True)
    assert again.difference_to_adapter == first.difference_to_adapter
    assert capfd.readouterr() == ("", "")
    weights = tmp_path / "merged" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert not merge(adapter, tmp_path / "merged").reused


@pytest.mark.parametrize(("factor", "word"), [(0, "no effect"), (1e-3, "bf16")])
def test_adapter_that_does_nothing_or_is_lost_in_16_bits_is_an_error(
    factor: float, word: str, adapter: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    weights = Path(shutil.copytree(adapter, tmp_path / "faint")) / "adapter_model.safetensors"
    tensors = load_file(weights)
    save_file({name: tensor * factor for name, tensor in tensors.items()}, weights)
    with pytest.raises(WorkshopError, match=word):
        merge(weights.parent, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def moved(adapter: Path, folder: Path, base: str) -> Path:
    """A copy of the adapter that names another base."""
    shutil.copytree(adapter, folder)
    about = json.loads((folder / "adapter_config.json").read_text())
    about["base_model_name_or_path"] = base
    (folder / "adapter_config.json").write_text(json.dumps(about))
    return folder


@pytest.mark.parametrize("other", ["another width", "fewer layers"])
def test_adapter_of_another_model_is_refused(
    other: str, adapter: Path, tiny_model: Path, tmp_path: Path
) -> None:
    if other == "another width":
        base = make_model("Llama", tmp_path / "base")
    else:
        model = load_model(tiny_model, choose_device("cpu"))
        del model.model.layers[1]
        model.config.num_hidden_layers = 1
        model.config.layer_types = model.config.layer_types[:1]
        base = Path(shutil.copytree(tiny_model, tmp_path / "base"))
        model.save_pretrained(base)
    with pytest.raises(WorkshopError, match="does not fit its base"):
        merge(moved(adapter, tmp_path / "strange", str(base)), tmp_path / "merged")


def test_missing_base_is_named_and_found_beside_a_moved_adapter(
    adapter: Path, base: Path, tmp_path: Path
) -> None:
    folder = moved(adapter, tmp_path / "moved" / "adapter", "/nowhere/my base")
    with pytest.raises(WorkshopError, match="my base"):
        merge(folder, tmp_path / "merged")
    shutil.copytree(base, tmp_path / "moved" / "my base")
    assert merge(folder, tmp_path / "merged").difference_to_base > 0


def test_only_whole_adapters_are_merged(adapter: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match="no adapter"):
        merge(base, tmp_path / "merged")
    weights = Path(shutil.copytree(adapter, tmp_path / "cut")) / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(WorkshopError, match=r"adapter_model\.safetensors"):
        merge(weights.parent, tmp_path / "merged")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_killed_merge_leaves_no_model_and_a_rerun_makes_one(adapter: Path, tmp_path: Path) -> None:
    out = tmp_path / "merged"
    code = (
        "import sys; from workshop_helpers.training.merge import merge; "
        "merge(sys.argv[1], sys.argv[2])"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(adapter), str(out)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".merged.tmp-*/*")):
            assert child.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.001)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not out.exists() or resolve(out).kind == "folder"
    assert merge(adapter, out).model == out
    assert sorted(p.name for p in tmp_path.iterdir()) == [".merged.lock", "merged"]

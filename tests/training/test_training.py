"""LoRA training on small random models: what comes out, what is said, what a kill costs."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from small_disks import small_disk
from tiny_models import make_model
from training_rows import LONG, rows, talk

from workshop_helpers.core.artifacts import claim
from workshop_helpers.core.device import choose_device
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.jsonio import write_json
from workshop_helpers.models.load import load_model, load_tokenizer
from workshop_helpers.models.resolve import resolve
from workshop_helpers.training import train as training
from workshop_helpers.training import trainer
from workshop_helpers.training.merge import merge
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.report import TrainingProgress, TrainingReport
from workshop_helpers.training.train import train

QUICK = LoraRecipe(epochs=2, batch_size=4, learning_rate=5e-3)


def weights(folder: Path) -> str:
    """Their checksum: pytest would compare unequal bytes letter by letter, for minutes."""
    return hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def trained(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingReport:
    return train(tiny_model, rows(12), tmp_path_factory.mktemp("trained") / "adapter", QUICK)


def test_training_lowers_the_loss_and_reports_it(trained: TrainingReport) -> None:
    assert [step for step, _, _ in trained.losses] == list(range(1, 7))
    assert trained.losses[-1][2] < trained.losses[0][2] - 0.3
    assert 0 < trained.trainable < trained.total
    assert set(trained.target_modules) == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }  # fmt: skip
    assert (trained.rows, trained.general_rows) == (12, 0)
    assert trained.truncated == trained.dropped == []
    assert trained.tokens > 0 < trained.seconds
    assert trained.peak_memory_bytes > 10**6
    assert (trained.resumed_from, trained.reused) == (None, False)
    assert "off" in trained.checkpointing
    assert "cpu" in trained.device


def test_adapter_folder_is_whole_and_nothing_else_is_left(trained: TrainingReport) -> None:
    names = sorted(p.name for p in trained.adapter.iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors", "card.json"]
    assert not list(trained.adapter.parent.glob(".*.training"))
    assert resolve(trained.adapter).kind == "adapter"


def test_report_survives_a_round_trip(trained: TrainingReport) -> None:
    import json

    assert TrainingReport.from_dict(json.loads(json.dumps(trained.to_dict()))) == trained


def test_equal_run_is_not_repeated_and_another_needs_overwrite(
    trained: TrainingReport, tiny_model: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(trained.adapter, tmp_path / "a"))
    again = train(tiny_model, rows(12), out, QUICK)
    assert again.reused
    assert again.losses == trained.losses
    other = QUICK.replace(seed=1)
    with pytest.raises(WorkshopError, match="seed 0, now 1.*overwrite=True"):
        train(tiny_model, rows(12), out, other)
    with pytest.raises(WorkshopError, match="another data; rows 12, now 11"):
        train(tiny_model, rows(11), out, QUICK)
    assert weights(out) == weights(trained.adapter)
    made = train(tiny_model, rows(12), out, other, overwrite=True)
    assert (made.reused, made.recipe.seed) == (False, 1)
    assert weights(out) != weights(trained.adapter)
    # equal seeds give equal weights
    assert not train(tiny_model, rows(12), out, QUICK, overwrite=True).reused
    assert weights(out) == weights(trained.adapter)


def test_loraplus_gives_b_its_own_learning_rate(tiny_model: Path, tmp_path: Path) -> None:
    """Adam's first step is as long as the rate, whatever the gradient; A has none while B is 0."""
    from safetensors.torch import load_file

    one = QUICK.replace(epochs=1, warmup=0, schedule="constant", learning_rate=1e-3)
    device = choose_device("cpu")
    moved = []
    for ratio in (1, 4):
        out = tmp_path / str(ratio)
        train(tiny_model, rows(4), out, one.replace(loraplus_ratio=ratio), device=device)
        tensors = load_file(out / "adapter_model.safetensors")
        moved.append(max(t.abs().max().item() for n, t in tensors.items() if "lora_B" in n))
    assert moved[0] == pytest.approx(1e-3, rel=1e-3)
    assert moved[1] == pytest.approx(4e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("units", "dtype", "attention"), [(None, "fp32", "sdpa"), ("avx512_bf16", "bf16", "eager")]
)
def test_a_small_model_trains_in_bf16_only_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, tiny_model: Path, units: str | None, dtype: str, attention: str
) -> None:
    monkeypatch.setattr(training, "fast_bf16_units", lambda: units)
    found = training.training_device("cpu", resolve(tiny_model))
    assert (found.dtype, found.attention) == (dtype, attention)
    if units:
        assert units in found.dtype_reason
    given = choose_device("cpu")
    assert training.training_device(given, resolve(tiny_model)) is given


def test_loss_counts_the_answer_only(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    data = rows(3)
    device = choose_device("cpu")  # in fp32, so that the figures can be compared
    report = train(tiny_model, data, tmp_path / "a", QUICK.replace(batch_size=3), device=device)
    model, tokenizer = load_model(tiny_model, choose_device("cpu")), load_tokenizer(tiny_model)
    losses = []
    for row in data:
        prompt = tokenizer.apply_chat_template(
            row.prompt_messages(), add_generation_prompt=True, tokenize=False
        )
        whole = tokenizer.apply_chat_template(row.to_messages(), tokenize=False)
        start = len(tokenizer(prompt)["input_ids"])
        ids = torch.tensor(tokenizer(whole)["input_ids"])
        with torch.no_grad():
            logits = model(input_ids=ids[None]).logits[0]
        losses.append(
            torch.nn.functional.cross_entropy(logits[start - 1 : -1], ids[start:], reduction="none")
        )
    # A new adapter changes nothing, so the first step's loss is the base's, averaged over all
    # answer tokens.
    assert report.losses[0][2] == pytest.approx(torch.cat(losses).mean().item(), abs=2e-4)


def test_rows_that_do_not_fit_are_named(tiny_model: Path, tmp_path: Path) -> None:
    short, long = QUICK.replace(max_length=64), talk("long " * 200, "Yes.")
    data = [*rows(2), talk("Why?", "Because " * 80), long, talk("And?", "No.")]
    report = train(tiny_model, data, tmp_path / "a", short)
    assert (report.truncated, report.dropped, report.rows) == ([3], [4], 5)
    with pytest.raises(WorkshopError, match="max_length"):
        train(tiny_model, [long], tmp_path / "b", short)


def test_general_rows_are_mixed_in_as_the_recipe_says(
    trained: TrainingReport, tiny_model: Path, tmp_path: Path
) -> None:
    general = [talk(f"What is {i} plus one?", f"It is {i + 1}.") for i in range(10)]
    half = QUICK.replace(general_rows=0.5)
    report = train(tiny_model, rows(12), tmp_path / "a", half, general=general)
    assert report.general_rows == 6
    assert report.tokens > trained.tokens
    for recipe, given, word in (
        (half, None, "none were given"),
        (QUICK, general, "mixes in none"),
        (QUICK.replace(general_rows=2.0), general, "at most 0.83"),
    ):
        with pytest.raises(WorkshopError, match=word):
            train(tiny_model, rows(12), tmp_path / "b", recipe, general=given)


def test_rows_takes_the_first_ones_of_a_file(tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    lines = [f'{{"instruction": "Question {i}?", "output": "Answer {i}."}}' for i in range(8)]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert train(tiny_model, file, tmp_path / "a", QUICK, rows=4).rows == 4
    with pytest.raises(WorkshopError, match="at least one row"):
        train(tiny_model, file, tmp_path / "b", QUICK, rows=0)


def test_bad_rows_leave_nothing_behind(tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"instruction": "Q?", "output": ""}\n', encoding="utf-8")
    with pytest.raises(WorkshopError, match=r"rows\.jsonl"):
        train(tiny_model, file, tmp_path / "out", QUICK)
    assert [p.name for p in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"rank": 0}, "rank"),
        ({"learning_rate": 5}, "learning_rate"),
        ({"epochs": 0}, "epochs"),
        ({"schedule": "sinus"}, "constant, linear, cosine"),
        ({"dropout": 1.0}, "dropout"),
        ({"ranks": 4}, "has no ranks"),
    ],
)
def test_recipe_without_sense_is_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(WorkshopError, match=word):
        QUICK.replace(**change)


def test_recipe_for_a_model_follows_the_catalogue(tiny_model: Path) -> None:
    assert LoraRecipe.for_model("qwen2.5-0.5b").learning_rate == 2e-4
    assert LoraRecipe.for_model(tiny_model) == LoraRecipe()


def test_target_modules_can_be_chosen_and_unknown_ones_are_named(
    tiny_model: Path, tmp_path: Path
) -> None:
    two = QUICK.replace(target_modules=("v_proj", "q_proj"))
    chosen = train(tiny_model, rows(4), tmp_path / "a", two)
    assert chosen.target_modules == ("q_proj", "v_proj")
    with pytest.raises(WorkshopError, match="no layers named nonsense"):
        train(tiny_model, rows(4), tmp_path / "b", QUICK.replace(target_modules=("nonsense",)))


def test_an_adapter_and_a_second_run_in_the_same_folder_are_refused(
    trained: TrainingReport, tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(WorkshopError, match="an adapter"):
        train(trained.adapter, rows(2), tmp_path / "a", QUICK)
    with claim(tmp_path / "a"), pytest.raises(WorkshopError, match="Another run"):
        train(tiny_model, rows(2), tmp_path / "a", QUICK)


def test_a_folder_of_the_user_is_never_replaced(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    with pytest.raises(WorkshopError, match="other files"):
        train(tiny_model, rows(2), tmp_path / "thesis", QUICK)
    assert (tmp_path / "thesis" / "chapter1.txt").exists()


def test_terminal_stays_clean_and_progress_is_told(
    tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[TrainingProgress] = []
    report = train(tiny_model, rows(6), tmp_path / "a", QUICK, progress=seen.append)
    assert [(p.step, p.steps) for p in seen] == [(i, 4) for i in range(1, 5)]
    assert [p.loss for p in seen] == [loss for _, _, loss in report.losses]
    assert capfd.readouterr() == ("", "")


def test_diverged_training_is_no_adapter(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def broken(*args: Any, **kwargs: Any) -> Any:
        model = whole(*args, **kwargs)
        with torch.no_grad():
            model.model.norm.weight[0] = float("nan")
        return model

    whole = training.load_base
    monkeypatch.setattr(training, "load_base", broken)
    with pytest.raises(WorkshopError, match=r"diverged.*learning rate"):
        train(tiny_model, rows(4), tmp_path / "a", QUICK)
    assert not (tmp_path / "a").exists()


def test_the_loss_is_that_of_trl(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same curve, whether all logits are held (small ones) or TRL computes them in pieces."""
    monkeypatch.setattr(
        training, "fast_bf16_units", lambda: None
    )  # no rounding that Adam magnifies
    recipe = QUICK.replace(batch_size=3, gradient_accumulation=2, epochs=4)
    # Of unlike length: the places of the answers differ from row to row.
    mixed = [*rows(6), *(talk("No." * i, "Yes, and gladly. " * (6 - i)) for i in range(1, 6))]
    ours = train(tiny_model, mixed, tmp_path / "ours", recipe)
    monkeypatch.setattr(trainer, "SMALL_LOGITS", 0)
    theirs = train(tiny_model, mixed, tmp_path / "theirs", recipe)
    assert len(ours.losses) == 8
    assert [loss for _, _, loss in ours.losses] == pytest.approx(
        [loss for _, _, loss in theirs.losses], rel=1e-4
    )


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from training_rows import LONG, rows
from workshop_helpers.training.train import train
print("ready", flush=True)
train(sys.argv[1], rows(40), sys.argv[2], LONG)
"""


def start(model: Path, out: Path) -> subprocess.Popen[str]:
    code = CHILD.format(tests=str(Path(__file__).parents[1] / "support"))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        [sys.executable, "-c", code, str(model), str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_killed_training_goes_on_and_ends_where_an_uninterrupted_one_ends(
    tiny_model: Path, tmp_path: Path
) -> None:
    out, work = tmp_path / "killed run", tmp_path / ".killed run.training"
    child = start(tiny_model, out)
    try:
        deadline = time.monotonic() + 90
        while not list(work.glob("checkpoint-*/trainer_state.json")):
            assert child.poll() is None, child.stderr.read() if child.stderr else ""
            assert time.monotonic() < deadline
            time.sleep(0.01)
        # Somewhere after the checkpoint, not on its edge.
        time.sleep(0.2)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not out.exists()
    last = max(int(p.name.rpartition("-")[2]) for p in work.glob("checkpoint-*"))
    # A newer checkpoint that the kill cut short must not be chosen.
    cut = work / f"checkpoint-{last + 1}"
    cut.mkdir()
    (cut / "adapter_model.safetensors").write_bytes(b"half")
    resumed = train(tiny_model, rows(40), out, LONG)
    assert resumed.resumed_from is not None
    assert 0 < resumed.resumed_from <= last
    whole = train(tiny_model, rows(40), tmp_path / "whole", LONG)
    assert whole.resumed_from is None
    assert len(whole.losses) == 90
    assert resumed.losses == whole.losses
    assert weights(out) == weights(whole.adapter)
    assert not work.exists()


def test_full_disk_is_said_and_leaves_no_adapter(tiny_model: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path, "300k") as disk:
        full = f"write a checkpoint at {disk}/.out.training/checkpoint-\\d+: the disk is full"
        with pytest.raises(WorkshopError, match=full):
            train(tiny_model, rows(40), disk / "out", LONG)
        assert {path.name for path in disk.iterdir()} == {".out.lock", ".out.training"}
        assert [path.name for path in (disk / ".out.training").iterdir()] == ["run.json"]


def test_checkpoints_of_another_recipe_are_not_used(tiny_model: Path, tmp_path: Path) -> None:
    work = tmp_path / ".a.training" / "checkpoint-1"
    work.mkdir(parents=True)
    write_json(work.parent / "run.json", {"inputs": "0" * 64})
    report = train(tiny_model, rows(4), tmp_path / "a", QUICK)
    assert report.resumed_from is None
    assert not work.exists()


def test_a_users_folder_named_like_that_of_checkpoints_stays(
    tiny_model: Path, tmp_path: Path
) -> None:
    thesis = tmp_path / ".a.training" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    with pytest.raises(WorkshopError, match="holds something else"):
        train(tiny_model, rows(2), tmp_path / "a", QUICK, overwrite=True)
    assert thesis.read_text() == "years of work"


@pytest.mark.parametrize("architecture", ["Llama", "Gemma3", "Qwen3"])
def test_every_architecture_of_the_catalogue_trains_and_merges(
    architecture: str, tmp_path: Path
) -> None:
    model = make_model(architecture, tmp_path / "base")
    recipe = QUICK.replace(epochs=4, learning_rate=2e-2)
    report = train(model, rows(8), tmp_path / "adapter", recipe)
    assert report.losses[-1][2] < report.losses[0][2]
    merged = merge(tmp_path / "adapter", tmp_path / "merged")
    assert merged.dtype == "bf16"
    assert merged.difference_to_adapter < 0.2 * merged.difference_to_base

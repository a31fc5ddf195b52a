"""The methods of training: each gives a model that answers as it did when it was trained."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from training_rows import rows

from workshop_helpers.cli.main import main
from workshop_helpers.core.device import choose_device
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.models.load import load_model, load_tokenizer
from workshop_helpers.models.resolve import resolve
from workshop_helpers.training import train as training
from workshop_helpers.training.fused import fused_lora
from workshop_helpers.training.loss import answer_loss, training_batch
from workshop_helpers.training.merge import merge
from workshop_helpers.training.methods import METHODS, MLP, load_base
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.report import TrainingReport
from workshop_helpers.training.train import train

CPU = choose_device("cpu")  # in fp32, so that figures can be compared
ON_ITS_BASE = [name for name in METHODS if name not in ("full", "qlora")]


def recipe(method: str) -> LoraRecipe:
    rate = 5e-4 if method == "full" else 5e-3
    return LoraRecipe(epochs=3, batch_size=4, learning_rate=rate, method=method)


def loss(model: Any, folder: Path) -> float:
    with torch.no_grad():
        total, count = answer_loss(model.eval(), training_batch(load_tokenizer(folder), rows(12)))
    return float(total / count)


@pytest.fixture(scope="module")
def trained(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[TrainingReport, float]]:
    """By method, the report and the loss of the model as it was trained."""
    found = {}
    save = training._save
    with pytest.MonkeyPatch.context() as patch:
        for method in METHODS:
            losses: list[float] = []

            def saved(run: Any, model: Any, *rest: Any, to: list[float] = losses) -> None:
                save(run, model, *rest)
                to.append(loss(model.float(), tiny_model))

            patch.setattr(training, "_save", saved)
            out = tmp_path_factory.mktemp("methods") / method
            found[method] = train(tiny_model, rows(12), out, recipe(method), device=CPU), losses[0]
    return found


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_and_says_how(trained: Any, method: str) -> None:
    report = trained[method][0]
    assert report.losses[-1][2] < report.losses[0][2] - 0.3
    card = json.loads((report.adapter / "card.json").read_text())
    assert card["inputs"]["recipe"].get("method", "lora") == method
    assert TrainingReport.from_dict(card["report"] | {"adapter": "x"}).recipe == report.recipe


@pytest.mark.parametrize("method", ON_ITS_BASE)
def test_base_and_adapter_give_the_model_that_was_trained(
    trained: Any, tiny_model: Path, tmp_path: Path, method: str
) -> None:
    report, as_trained = trained[method]
    assert loss(load_model(report.adapter, CPU), tiny_model) == pytest.approx(as_trained, abs=1e-5)
    merged = merge(report.adapter, tmp_path / "merged", device=CPU)
    assert loss(load_model(merged.model, CPU), tiny_model) == pytest.approx(as_trained, abs=1e-4)


def test_the_variants_are_what_they_are_called(trained: Any) -> None:
    def of(method: str) -> tuple[dict[str, Any], dict[str, Any]]:
        folder = trained[method][0].adapter
        config = json.loads((folder / "adapter_config.json").read_text())
        return config, load_file(folder / "adapter_model.safetensors")

    assert trained["mlp"][0].target_modules == MLP
    assert of("rslora")[0]["use_rslora"] and of("dora")[0]["use_dora"]
    assert any("magnitude" in name for name in of("dora")[1])
    # what PiSSA began with is taken off again, so it fits the base as it is
    config, tensors = of("pissa")
    assert (config["r"], config["lora_alpha"], config["init_lora_weights"]) == (16, 32, True)
    assert {t.shape[0] for n, t in tensors.items() if "lora_A" in n} == {16}
    # 16 bits would lose the small steps
    assert {t.dtype for t in of("qlora")[1].values()} == {torch.float32}


def test_a_fully_trained_model_is_a_model_folder_like_its_base(
    trained: Any, tiny_model: Path, tmp_path: Path
) -> None:
    report, as_trained = trained["full"]
    before, after = (load_file(f / "model.safetensors") for f in (tiny_model, report.adapter))
    assert {n: (t.dtype, t.shape) for n, t in before.items()} == {
        n: (t.dtype, t.shape) for n, t in after.items()
    }
    assert all(bool((before[name] != after[name]).any()) for name in before)
    assert report.trainable == report.total
    assert resolve(report.adapter).kind == "folder"
    assert loss(load_model(report.adapter, CPU), report.adapter) == pytest.approx(
        as_trained, abs=1e-4
    )
    with pytest.raises(WorkshopError, match="nothing to merge"):
        merge(report.adapter, tmp_path / "merged")


def test_an_equal_run_is_found_and_another_method_does_not_replace_it(
    trained: Any, tiny_model: Path
) -> None:
    out = trained["full"][0].adapter
    again = train(tiny_model, rows(12), out, recipe("full"), device=CPU)
    assert again.reused and again.adapter == out and again.losses == trained["full"][0].losses
    with pytest.raises(WorkshopError, match="does not replace"):
        train(tiny_model, rows(12), out, recipe("lora"), device=CPU)


@pytest.mark.parametrize("method", ["full", "pissa"])
def test_a_stopped_run_goes_on_to_the_same_weights(
    trained: Any, tiny_model: Path, tmp_path: Path, method: str
) -> None:
    report = trained[method][0]
    stop: dict[str, Any] = {"progress": lambda step: step.step == 4}
    half = train(tiny_model, rows(12), tmp_path / "a", recipe(method), device=CPU, **stop)
    assert half.stopped == (4, 9)
    whole = train(tiny_model, rows(12), tmp_path / "a", recipe(method), device=CPU)
    assert whole.resumed_from == 4
    name = "model.safetensors" if method == "full" else "adapter_model.safetensors"
    one, other = (load_file(made.adapter / name) for made in (report, whole))
    assert all(torch.allclose(one[key], other[key], atol=1e-5) for key in one)


@pytest.mark.parametrize(("method", "fused"), [("pissa", True), ("rslora", True), ("dora", False)])
def test_the_quick_products_compute_what_a_method_means(
    tiny_model: Path, method: str, fused: bool
) -> None:
    from peft import get_peft_model

    torch.manual_seed(0)
    model = get_peft_model(load_model(tiny_model, CPU), training.lora_config(recipe(method)))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    usual = loss(model, tiny_model)
    with fused_lora(model) as layers:
        assert bool(layers) == fused
        assert loss(model, tiny_model) == pytest.approx(usual, abs=1e-5)


def test_a_validation_leaves_the_gradients_of_a_base_in_four_bits(tiny_model: Path) -> None:
    from peft import get_peft_model

    base = load_base(resolve(tiny_model), CPU, "qlora")
    model = get_peft_model(base, training.lora_config(recipe("qlora")))

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        total, _ = answer_loss(model.train(), training_batch(load_tokenizer(tiny_model), rows(3)))
        total.backward()
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.constant_(weight, 0.01)
    before = gradients()
    loss(model, tiny_model)  # with AVX512-BF16 it would reorder the weights
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(before, gradients(), strict=True))


def test_what_plain_lora_has_made_before_is_still_its_own(tiny_model: Path) -> None:
    plain = LoraRecipe(rank=4)
    assert set(plain.to_dict()) == set(asdict(plain)) - {"method"}
    assert LoraRecipe(**plain.to_dict()) == plain
    assert LoraRecipe(**recipe("dora").to_dict()).method == "dora"
    with pytest.raises(WorkshopError, match="method is 'lara', must be one of lora"):
        LoraRecipe(method="lara")
    own = LoraRecipe.for_model(tiny_model)
    assert LoraRecipe.for_model(tiny_model, "full").learning_rate == pytest.approx(
        0.3 * own.learning_rate
    )


def test_a_command_trains_a_whole_model_and_refuses_what_it_would_not_heed(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "rows.jsonl", tmp_path / "model"
    lines = (json.dumps({"messages": row.to_messages()}) for row in rows(8))
    data.write_text("\n".join(lines), encoding="utf-8")
    command = ["train", "--model", str(tiny_model), "--data", str(data), "--out", str(out)]
    command += ["--method", "full", "--epochs", "1", "--device", "cpu"]
    assert main([*command, "--rank", "8"]) == 2
    assert "--rank is the width of an adapter" in capsys.readouterr().err
    assert main(command) == 0
    assert "model" in capsys.readouterr().out.splitlines()[0]
    assert (out / "config.json").is_file()

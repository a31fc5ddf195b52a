"""The model card, and the way to the Hub: what is sent, what stays here, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run
from hub_server import hub_server

from workshop_helpers.core.cards import read_card, write_card
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.training.model_card import card_file, write_model_card
from workshop_helpers.training.push import plan_push, push

TOKEN = "hub-9Qw3eR7tY1uI5oP0"
SCORES = {
    "questions": [{"question": "How much?"}] * 4,
    "candidates": [
        {"label": "base", "summary": {"recall": 0.25, "full": 0.25, "contradicted": 0.5}},
        {"label": "tuned", "summary": {"recall": 0.875, "full": 0.75, "contradicted": None}},
    ],
}
FORGETTING = {"shares": {"tuned": {"facts_in_prompt": 0.5}}, "questions": {"facts_in_prompt": 8}}


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A folder as `workshop train` makes it, with a few bytes for weights."""
    folder = tmp_path / "shop-adapter"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"\0" * 2000)
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "mame"}', "utf-8")
    recipe = {"rank": 8, "learning_rate": 0.002, "epochs": 5, "seed": 0}
    write_card(folder, {
        "kind": "adapter", "base": "mame", "origin": "mame", "made": "2026-11-30T09:00:00Z",
        "inputs": {"data": "ab" * 32}, "versions": {"torch": "2.13.0"},
        "machine": {"cpu": "a processor", "accelerator": "none"},
        "report": {"rows": 120, "general_rows": 0, "tokens": 9000, "seconds": 7.5,
                   "recipe": recipe, "target_modules": ["up_proj"]},
    })  # fmt: skip
    return folder


def test_a_card_says_what_was_recorded_and_what_was_not_measured(adapter: Path) -> None:
    from huggingface_hub import ModelCard

    text = write_model_card(adapter).read_text("utf-8")
    card = ModelCard(text)
    assert (card.data.license, card.data.library_name) == ("mit", "peft")
    assert card.data.language == ["en", "ja"]
    for said in ("| rows | 120 |", "| `learning_rate` | 0.002 |", "abababababababab", "MIT"):
        assert said in text
    assert text.count("Not measured.") == 2
    text = write_model_card(adapter, scores=SCORES, forgetting=FORGETTING).read_text("utf-8")
    (base, tuned) = ModelCard(text).data.eval_results
    assert (base.metric_value, tuned.metric_value) == (0.25, 0.875)
    assert "| tuned | 87.5% | 75.0% | – |" in text and "| tuned | 50.0% |" in text
    assert "Not measured." not in text
    assert "測定していません" in write_model_card(adapter, language="ja").read_text("utf-8")


def test_a_merged_model_has_the_recipe_of_its_adapter(adapter: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    source = {"path": "shop-adapter", "inputs": ""}
    write_card(model, {"kind": "model", "base": "mame", "origin": "mame", "from": source})
    assert "| rows | 120 |" in write_model_card(model).read_text("utf-8")
    adapter.rename(tmp_path / "gone")
    assert "no longer there" in write_model_card(model).read_text("utf-8")


@pytest.mark.parametrize(
    ("base", "licence", "said"),
    [
        ("llama3.2-1b", "llama3.2", "Llama 3.2 Community License"),
        ("someone/else", None, "not known here"),
    ],
)
def test_the_licence_is_the_bases(adapter: Path, base: str, licence: str | None, said: str) -> None:
    from huggingface_hub import ModelCard

    from workshop_helpers.models.catalogue import CATALOGUE

    name = next((n for n in CATALOGUE if n.startswith("llama3.2")), base)
    name = name if "llama" in base else base
    write_card(adapter, {**(read_card(adapter) or {}), "base": name, "origin": name})
    text = write_model_card(adapter).read_text("utf-8")
    assert ModelCard(text).data.license == licence and said in text
    assert any("gated" in one or "not known" in one for one in plan_push(adapter, "a/b").warnings)


def test_nothing_is_sent_unless_it_is_really_meant(adapter: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    write_model_card(adapter)
    with hub_server() as hub:
        plan, address = push(adapter, "me/shop", endpoint=hub.address)
        assert address is None and hub.repos == {} and hub.files == {} and not hub.tokens
    assert set(plan.files) == {
        "adapter_config.json", "adapter_model.safetensors", "card.json", "README.md",
    }  # fmt: skip


def test_a_folder_goes_to_a_hub_whole(adapter: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    write_model_card(adapter)
    (adapter / "notes.bin").write_bytes(b"x")
    (adapter / "train.jsonl").write_text("{}", "utf-8")
    with hub_server() as hub:
        plan, address = push(adapter, "me/shop", really=True, endpoint=hub.address)
        assert address and address.startswith(f"{hub.address}/me/shop/commit/")
        assert hub.repos["me/shop"]["visibility"] == "private"
        assert {name.removeprefix("me/shop/") for name in hub.files} == set(plan.files)
        weights = hub.files["me/shop/adapter_model.safetensors"]
        assert weights == (adapter / "adapter_model.safetensors").read_bytes()
        assert hub.files["me/shop/README.md"] == card_file(adapter).read_bytes()
        assert f"Bearer {TOKEN}" in hub.tokens
        hub.refuse = 403
        with pytest.raises(WorkshopError, match="did not take me/shop.*403") as caught:
            push(adapter, "me/shop", really=True, endpoint=hub.address)
        assert TOKEN not in str(caught.value)
    assert plan.left == {
        "notes.bin": "may be a pickle, which runs code when it is loaded",
        "train.jsonl": "not a part of a model",
    }


def test_keys_and_personal_data_stop_it(adapter: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    token = "ghp_" + "A1b2C3d4E5f6" * 3
    (adapter / "README.md").write_text("Ask hanako.suzuki@fukuda-denki.co.jp.\n", "utf-8")
    config = json.dumps({"base_model_name_or_path": "mame", "note": token})
    (adapter / "adapter_config.json").write_text(config, "utf-8")
    plan = plan_push(adapter, "me/shop")
    assert [fault.partition(",")[0] for fault in plan.faults] == [
        "README.md", "adapter_config.json",
    ]  # fmt: skip
    assert token not in str(plan) and "hanako.suzuki" not in str(plan)
    with hub_server() as hub:
        with pytest.raises(WorkshopError, match="Nothing was sent"):
            push(adapter, "me/shop", really=True, endpoint=hub.address)
        assert not hub.tokens


def test_a_place_on_this_machine_is_noticed(adapter: Path) -> None:
    config = {"base_model_name_or_path": str(adapter.parent / "my base")}
    (adapter / "adapter_config.json").write_text(json.dumps(config), "utf-8")
    assert any("place on this machine" in one for one in plan_push(adapter, "me/shop").warnings)


def test_wrong_input_ends_with_a_sentence(adapter: Path, tmp_path: Path, capsys) -> None:
    for words, said in (
        (("push", adapter, "shop"), "names no repository"),
        (("push", tmp_path / "none", "me/shop"), "There is no folder"),
        (("push", adapter, "me/shop"), "There is no model card"),
        (("card", tmp_path), "no card of an adapter"),
        (("card", adapter, "--out", adapter / "adapter_config.json"), "lies in"),
    ):
        code, out, err = run(capsys, *words)
        assert code == 2 and said in out + err
    assert run(capsys, "card", adapter)[0] == 0
    code, out, _ = run(capsys, "push", adapter, "me/shop")
    assert code == 0 and "Nothing was sent" in out and "adapter_model.safetensors" in out


def test_the_hub_wants_a_token(adapter: Path, monkeypatch) -> None:
    write_model_card(adapter)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(WorkshopError, match="hf auth login"):
        push(adapter, "me/shop", really=True)

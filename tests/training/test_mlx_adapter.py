"""An adapter of mlx-lm, as PEFT reads it. The one in mlx_adapter/ was trained by mlx-lm on mame (a
few steps, the last two layers), and the logits beside it are mlx-lm's own; logits.json says with
which versions.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from workshop_helpers.core.device import choose_device
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.models.load import load_model
from workshop_helpers.training.mlx_adapter import from_mlx

REAL = Path(__file__).with_name("mlx_adapter")


def test_the_converted_adapter_answers_as_mlx_lm_did(tmp_path):
    import torch

    made = from_mlx(REAL, "mame", tmp_path / "peft")
    assert (made.rank, made.alpha, made.layers) == (2, 10.0, 4)
    theirs = json.loads((REAL / "logits.json").read_text("utf-8"))
    device = choose_device("cpu")
    ids = torch.tensor([theirs["ids"]])

    def logits(model):
        with torch.inference_mode():
            return load_model(model, device, dtype="fp32")(ids).logits[0, -1, :: theirs["every"]]

    wanted = torch.tensor(theirs["logits"])
    assert float((logits(made.adapter) - wanted).abs().max()) < 1e-3
    assert float((logits("mame") - wanted).abs().max()) > 0.1, "the adapter changes something"
    assert from_mlx(REAL, "mame", tmp_path / "peft").reused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fine_tune_type": "dora"}, "no plain LoRA"),
        ({"lora_parameters": {"rank": 2, "alpha": 4}}, "no plain LoRA"),
    ],
)
def test_what_is_no_plain_lora_is_refused(tmp_path, change, message):
    copy = tmp_path / "mlx"
    shutil.copytree(REAL, copy)
    config = json.loads((copy / "adapter_config.json").read_text("utf-8"))
    (copy / "adapter_config.json").write_text(json.dumps({**config, **change}), "utf-8")
    with pytest.raises(WorkshopError, match=message):
        from_mlx(copy, "mame", tmp_path / "peft")
    assert not (tmp_path / "peft").exists()


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(WorkshopError, match=r"no adapters\.safetensors"):
        from_mlx(Path(__file__).parent, "mame", tmp_path / "peft")

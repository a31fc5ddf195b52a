"""No Python file of a model's folder is executed when the model is converted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.gguf.convert import RUNNER, convert, find_converter

MARKING = """
import pathlib
pathlib.Path({marker!r}).touch()
from transformers import PretrainedConfig, PreTrainedTokenizerFast, Qwen2ForCausalLM
class TheirTokenizer(PreTrainedTokenizerFast): pass
class TheirConfig(PretrainedConfig): model_type = "theirs"
class TheirModel(Qwen2ForCausalLM): pass
"""
# Every architecture of the converter reads its tokenizer, and every kind of automatic class is
# asked for, as if the user had said yes.
ALL = """
import logging, sys
from pathlib import Path
model, tool, runner = map(Path, sys.argv[1:])
sys.path[0] = str(runner.parent)
import _converter
_converter.refuse_code(model)
sys.path[0:1] = [str(tool), str(tool / "gguf-py")]
import conversion, gguf, transformers
logging.disable(logging.CRITICAL)
asked = 0
for name in conversion.TEXT_MODEL_MAP:
    try:
        hparams = conversion.ModelBase.load_hparams(model, False) | {"architectures": [name]}
        made = conversion.get_model_class(name)(
            model, gguf.LlamaFileType.MOSTLY_F16, model / "out.gguf", hparams=hparams
        )
        made.set_vocab()
    except (Exception, SystemExit) as error:
        asked += "custom code" in str(error)
for name in filter(lambda name: name.startswith("Auto"), dir(transformers)):
    try:
        getattr(transformers, name).from_pretrained(model, trust_remote_code=True)
    except Exception as error:
        asked += "custom code" in str(error)
print(asked)
"""


@pytest.fixture
def marked(tiny_model: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A model that can only be read with its own code, and the file that this code would make."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    marker = tmp_path / "executed"
    (folder / "theirs.py").write_text(MARKING.format(marker=str(marker)), encoding="utf-8")
    for name, changes in {
        "config.json": {
            "model_type": "theirs",
            "architectures": ["LLaDAModelLM"],
            "auto_map": {"AutoConfig": "theirs.TheirConfig", "AutoModel": "theirs.TheirModel"},
        },
        "tokenizer_config.json": {
            "tokenizer_class": "TheirTokenizer",
            "auto_map": {"AutoTokenizer": ["theirs.TheirTokenizer", "theirs.TheirTokenizer"]},
        },
    }.items():
        path = folder / name
        told = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(told | changes), encoding="utf-8")
    return folder, marker


def test_a_model_that_needs_its_own_code_is_refused_in_a_sentence(
    marked: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, marker = marked
    with pytest.raises(WorkshopError, match="Python code that lies in it, and no such code is run"):
        convert(folder, tmp_path / "m.gguf")
    assert not marker.exists()


def test_no_architecture_of_the_converter_gets_code_executed(
    marked: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, marker = marked
    environment = {
        **os.environ,
        "HF_MODULES_CACHE": str(tmp_path / "modules"),
        "TRANSFORMERS_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", ALL, folder, find_converter(), RUNNER],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 20
    assert not marker.exists()

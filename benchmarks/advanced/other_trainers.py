"""The same rows, rate and steps in the course's trainer, TRL, Unsloth and mlx-lm, on a CPU.

    python -m benchmarks.advanced.other_trainers [--quick]

Unsloth and mlx-lm get an environment each below runs/other_trainers, made with pip from the package
index; no model hub is asked, since the model is a local folder. Every trainer runs in a process of
its own, of which the system counts CPU seconds and peak memory, imports and all. Then each adapter
is brought back: asked the shop's questions, merged, converted to GGUF and asked again. A second run
goes on where the first was interrupted.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT, Settings, parser, save, settings
from workshop_helpers.core.artifacts import data_path
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.jsonio import read_json, write_json

CHAPTER = "advanced/13_other_trainers"
LANGUAGE, ROWS, EPOCHS, EVERY = "en", 28, 8, 3
HERE = ROOT / "runs" / "other_trainers"
WORKER = Path(__file__).with_name("sft_worker.py")
# torch is named so that pip takes the CPU's build where one is offered. Unsloth also asks for
# torchvision, and the index has the build for CUDA, which does not load beside a torch for CPUs:
# text models need none.
PACKAGES = {
    "unsloth": (["unsloth==2026.10.9", "torch==2.13.0"], ["torchvision"]),
    "mlx": (["mlx-lm[cpu]==0.32.2"], []),
}
# mlx_corrected: with AdamW's bias correction, which mlx leaves out unless it is asked for; without
# it the steps of a short training are several times as large as those of other trainers.
TRAINERS = ("course", "trl", "unsloth", "mlx", "mlx_corrected")
# What tutorials write, and what stands for it today: environment, kind, where, name, now.
FLAGS = [
    ("here", "argument", "trl:SFTConfig", "max_seq_length", "max_length"),
    ("here", "argument", "trl:SFTTrainer", "tokenizer", "processing_class"),
    ("here", "argument", "trl:SFTTrainer", "max_seq_length", "SFTConfig(max_length)"),
    ("here", "argument", "trl:SFTTrainer", "dataset_text_field", "SFTConfig(dataset_text_field)"),
    ("here", "name", "trl", "DataCollatorForCompletionOnlyLM", "SFTConfig(completion_only_loss)"),
    ("here", "argument", "transformers:TrainingArguments", "evaluation_strategy", "eval_strategy"),
    ("here", "argument", "transformers:TrainingArguments", "warmup_ratio", "warmup_steps=0.05"),
    ("here", "argument", "transformers:TrainingArguments", "overwrite_output_dir", None),
    ("here", "argument", "trl:SFTConfig", "packing", None),
    ("unsloth", "extra", "unsloth", "colab-new", "pip install unsloth"),
    ("unsloth", "argument", "trl:SFTConfig", "max_seq_length", "max_length"),
    ("mlx", "option", "lora", "--lora-layers", "--num-layers"),
    ("mlx", "option", "lora", "--mask-prompt", None),
    ("mlx", "option", "fuse", "--hf-path", None),
    ("mlx", "option", "fuse", "--de-quantize", "--dequantize"),
    ("mlx", "option", "fuse", "--export-gguf", None),
]
LOOK = """
import importlib, importlib.metadata, inspect, json, subprocess, sys
found = []
for kind, where, name in json.loads(sys.argv[1]):
    if kind == "extra":
        found.append(name in importlib.metadata.metadata(where).get_all("Provides-Extra"))
    elif kind == "option":
        help = [sys.executable, "-m", "mlx_lm", where, "--help"]
        words = subprocess.run(help, capture_output=True, text=True, check=True).stdout.split()
        found.append(any(word.strip("[],") == name for word in words))
    else:
        module, _, attribute = where.partition(":")
        thing = importlib.import_module(module)
        if kind == "name":
            found.append(hasattr(thing, name))
        else:
            found.append(name in inspect.signature(getattr(thing, attribute)).parameters)
print(json.dumps(found))
"""
LOGITS = """
import json, sys
import mlx.core as mx
from mlx_lm import load
model, _ = load(sys.argv[1], adapter_path=sys.argv[2])
logits = model(mx.array([json.loads(sys.argv[3])]))[0, -1].astype(mx.float32)
print(json.dumps(logits.tolist()))
"""


ROWS_SEEN = """
import json
import mlx.core as mx
import numpy as np
from mlx_lm.tuner.trainer import default_loss, iterate_batches
rows = [([1] * (20 + n), 0) for n in range(10)]  # each row longer than the one before
batches = iterate_batches(rows, 4, 512, loop=True)
seen = {int(n) for _ in range(100) for n in np.array(next(batches)[1])[:, 1]}
model = lambda ids: mx.zeros((*ids.shape, 8))
_, targets = default_loss(model, mx.array([[1, 2, 3, 0, 0, 0]]), mx.array([[0, 3]]))
never = [n + 1 for n in range(10) if 20 + n not in seen]
print(json.dumps({"never": never, "targets": int(targets)}))
"""


def environment(name: str) -> Path:
    """The Python of an environment, which is made with pip where it is not there."""
    wanted, unwanted = PACKAGES[name]
    python = HERE / name / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = HERE / f"{name}.done"
    if not done.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(HERE / name)], check=True)
        pip = [str(python), "-m", "pip"]
        subprocess.run([*pip, "install", "--quiet", *wanted], check=True)
        if unwanted:
            subprocess.run([*pip, "uninstall", "--quiet", "--yes", *unwanted], check=True)
        done.write_text(" ".join(wanted), encoding="utf-8")
    return python


def plain_environment() -> dict[str, str]:
    """One thread for everybody, no hub, and nothing of this project's path."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return {**kept, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}


def run(command: list[str], folder: Path, **changes: str) -> dict[str, Any]:
    """Run it in `folder`: its output, CPU and wall seconds, and peak memory in bytes."""
    begun = time.perf_counter()
    with open(folder / "output.txt", "w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**plain_environment(), **changes},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise WorkshopError(f"{command[:4]} failed ({process.returncode}): {text[-800:]}")
    return {
        "text": text,
        "process_seconds": round(used.ru_utime + used.ru_stime, 1),
        "wall_seconds": round(time.perf_counter() - begun, 1),
        "peak_bytes": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }


class Bench:
    """What is measured once, and noted beside the adapters."""

    def __init__(self, asked: Settings) -> None:
        from workshop_helpers import LoraRecipe, Shop

        self.asked, self.shop = asked, Shop(LANGUAGE)
        self.epochs = 1 if asked.quick else EPOCHS
        self.recipe = LoraRecipe.for_model("mame").replace(epochs=self.epochs)
        self.folder = asked.folder("other_trainers", "quick" if asked.quick else "whole").resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.rows = self.shop.train[:ROWS]
        self.notes = self.folder / "notes.json"
        self.known: dict[str, Any] = read_json(self.notes, dict) if self.notes.is_file() else {}

    def note(self, key: str, make: Any) -> Any:
        """What is known under `key`, else made and noted."""
        if key not in self.known:
            self.asked.say(key)
            self.known[key] = make()
            write_json(self.notes, self.known)
        return self.known[key]

    @property
    def steps(self) -> int:
        return len(self.rows) // self.recipe.batch_size * self.epochs

    def train(self, name: str) -> dict[str, Any]:
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        made: dict[str, Any] = getattr(self, f"_{name}")(place)
        text = made.pop("text")
        lines = [line for line in text.splitlines() if line.startswith("{")]
        said = json.loads(lines[-1]) if lines and '"steps"' in lines[-1] else {}
        kept = {k: said[k] for k in ("steps", "train_seconds", "last_loss") if k in said}
        return {**made, **kept}

    def _course(self, place: Path) -> dict[str, Any]:
        code = (
            "from workshop_helpers import LoraRecipe, Shop, train\n"
            f"recipe = LoraRecipe.for_model('mame').replace(epochs={self.epochs})\n"
            f"found = train('mame', Shop('{LANGUAGE}').train[:{ROWS}], 'adapter', recipe,"
            " progress=False)\n"
            "import json\n"
            "print(json.dumps({'steps': len(found.losses), 'train_seconds': found.seconds,"
            " 'last_loss': found.losses[-1][2]}))"
        )
        return run([sys.executable, "-W", "ignore", "-c", code], place, PYTHONPATH=str(ROOT))

    def _trl(self, place: Path, python: str = sys.executable, unsloth: bool = False) -> Any:
        recipe = self.recipe
        task = {
            "model": str(data_path("mame")),
            "rows": [
                {
                    "prompt": [{"role": "user", "content": row.question}],
                    "completion": [{"role": "assistant", "content": row.answer}],
                }
                for row in self.rows
            ],
            "out": str(place / "adapter"),
            "unsloth": unsloth,
            "learning_rate": recipe.learning_rate,
            "epochs": self.epochs,
            "batch_size": recipe.batch_size,
            "rank": recipe.rank,
            "alpha": recipe.alpha,
            "target_modules": list(recipe.target_modules or ()),
        }
        write_json(place / "task.json", task)
        return run([python, "-W", "ignore", str(WORKER), "task.json"], place)

    def _unsloth(self, place: Path) -> Any:
        return self._trl(place, str(environment("unsloth")), unsloth=True)

    def _mlx_corrected(self, place: Path) -> dict[str, Any]:
        return self._mlx(place, corrected=True)

    def _mlx(self, place: Path, corrected: bool = False) -> dict[str, Any]:
        recipe, python = self.recipe, str(environment("mlx"))
        (place / "data").mkdir()
        lines = [json.dumps({"messages": row.to_messages()}) + "\n" for row in self.rows]
        (place / "data" / "train.jsonl").write_text("".join(lines), encoding="utf-8")
        config = {
            "model": str(self._whole_floats()),
            "train": True,
            "data": "data",
            "adapter_path": "mlx-adapter",
            "num_layers": -1,
            "batch_size": recipe.batch_size,
            "iters": self.steps,
            "optimizer": "adamw",
            "optimizer_config": {"adamw": {"weight_decay": 0.0, "bias_correction": corrected}},
            "lr_schedule": {
                "name": "cosine_decay",
                "arguments": [recipe.learning_rate, self.steps],
            },
            "mask_prompt": True,
            "max_seq_length": 512,
            "steps_per_report": self.steps,
            "save_every": 10 * self.steps,
            "lora_parameters": {
                "rank": recipe.rank,
                "scale": recipe.alpha / recipe.rank,
                "dropout": 0.0,
                "keys": [f"mlp.{name}" for name in recipe.target_modules or ()],
            },
        }
        write_json(place / "config.yaml", config)  # JSON is YAML, too
        made = run([python, "-m", "mlx_lm", "lora", "-c", "config.yaml"], place)
        return {**made, "steps": self.steps}

    def _whole_floats(self) -> Path:
        """mame as mlx-lm reads it rightly: in float32, since it computes bf16 on a CPU very slowly,
        and with rope_theta where it looks for it. transformers 5 writes it into rope_parameters,
        which mlx-lm 0.32's qwen2 and llama pass over without a word.
        """
        import torch
        from safetensors.torch import load_file, save_file

        source, out = data_path("mame"), self.folder / "mame-fp32"
        shutil.copytree(source, out, dirs_exist_ok=True)
        weights = load_file(source / "model.safetensors")
        whole = {name: tensor.to(torch.float32) for name, tensor in weights.items()}
        save_file(whole, out / "model.safetensors", metadata={"format": "pt"})
        config = read_json(source / "config.json", dict)
        theta = config["rope_parameters"]["rope_theta"]
        write_json(out / "config.json", {**config, "dtype": "float32", "rope_theta": theta})
        return out

    def adapter(self, name: str) -> Path:
        """The adapter as PEFT has it."""
        from workshop_helpers.training.mlx_adapter import from_mlx

        place = self.folder / name
        if not name.startswith("mlx"):
            return place / "adapter"
        return from_mlx(place / "mlx-adapter", "mame", place / "adapter", overwrite=True).adapter

    def ask(self, name: str) -> dict[str, Any]:
        """Facts of the adapter; and how many answers are the same once it is a GGUF."""
        from workshop_helpers import compare, convert, merge

        questions = self.shop.questions[:: 10 * EVERY if self.asked.quick else EVERY]
        place, adapter = self.folder / name, self.adapter(name)
        merged = merge(adapter, place / "merged", overwrite=True)
        gguf = convert(merged.model, place / "merged-F16.gguf", overwrite=True)
        found = compare({"adapter": adapter, "gguf": gguf.path}, questions, progress=False)
        texts = [[answer.text for answer in row.answers] for row in found.rows]
        same = sum(one == other for one, other in zip(*texts, strict=True))
        return {
            "recall_share": found.rows[0].summary.recall,
            "gguf_recall_share": found.rows[1].summary.recall,
            "same_answers_share": same / len(questions),
        }

    def mlx_logits(self) -> dict[str, Any]:
        """mlx-lm's own logits of a prompt against PEFT's with the converted adapter."""
        import torch

        from workshop_helpers.core.device import choose_device
        from workshop_helpers.models.chat import chat_prompt
        from workshop_helpers.models.load import load_model, load_tokenizer

        messages = [{"role": "user", "content": self.rows[0].question}]
        text = chat_prompt(load_tokenizer("mame"), messages)
        ids = load_tokenizer("mame")(text, add_special_tokens=False)["input_ids"]
        place = self.folder / "mlx"
        model, adapter = str(self._whole_floats()), str(place / "mlx-adapter")
        command = [str(environment("mlx")), "-c", LOGITS, model, adapter, json.dumps(ids)]
        theirs = torch.tensor(json.loads(run(command, place)["text"].splitlines()[-1]))

        def ours(model: str | Path) -> Any:
            loaded = load_model(model, choose_device("cpu"), dtype="fp32")
            with torch.inference_mode():
                return loaded(torch.tensor([ids])).logits[0, -1]

        differences = {
            "converted": float((ours(self.adapter("mlx")) - theirs).abs().max()),
            "without": float((ours("mame") - theirs).abs().max()),
        }
        return differences

    def seen(self) -> dict[str, Any]:
        """Which of ten rows, the longest last, mlx-lm never trains on in batches of four; and how
        many targets it counts in a row of three tokens, which has two.
        """
        text = run([str(environment("mlx")), "-c", ROWS_SEEN], self.folder)["text"]
        found: dict[str, Any] = json.loads(text.splitlines()[-1])
        return found

    def fuse(self) -> dict[str, Any]:
        """What mlx-lm says when it is to export this model as GGUF."""
        place = self.folder / "mlx"
        options = ["--model", str(self._whole_floats()), "--adapter-path", "mlx-adapter"]
        command = [str(environment("mlx")), "-m", "mlx_lm", "fuse", *options, "--export-gguf"]
        try:
            run(command, place)
        except WorkshopError as error:
            return {"said": str(error).strip().splitlines()[-1]}
        return {"said": "exported"}

    def flags(self) -> list[dict[str, Any]]:
        """Which of the old flags are still there, by the installed packages."""
        rows: list[dict[str, Any]] = []
        pythons = {"here": sys.executable, **{name: str(environment(name)) for name in PACKAGES}}
        for where, python in pythons.items():
            mine = [flag for flag in FLAGS if flag[0] == where]
            asked = json.dumps([flag[1:4] for flag in mine])
            text = run([python, "-W", "ignore", "-c", LOOK, asked], self.folder)["text"]
            there = json.loads(text.splitlines()[-1])
            for (_, _, place, name, now), found in zip(mine, there, strict=True):
                tool = {"here": place.split(":")[0]}.get(where, where)
                written = f"{place.rpartition(':')[2]}: {name}"
                rows.append(
                    {"tool": tool, "flag": written, "there": "yes" if found else "no", "now": now}
                )
        return rows


def packages(python: Path) -> dict[str, str]:
    """The versions in an environment that matter here."""
    code = (
        "import importlib.metadata as m, json; names = 'torch transformers trl peft datasets"
        " unsloth mlx mlx-lm'.split(); known = {d.metadata['Name'] for d in m.distributions()};"
        " print(json.dumps({n: m.version(n) for n in names if n in known}))"
    )
    found: dict[str, str] = json.loads(
        subprocess.run([str(python), "-c", code], check=True, capture_output=True).stdout
    )
    return found


def main(arguments: list[str]) -> int:
    asked = settings(CHAPTER, parser(__doc__ or "", model=False).parse_args(arguments))
    bench = Bench(asked)
    # All trainings before anything is asked: on Linux a child's peak begins with its parent's, and
    # asking loads torch here.
    trained = {name: bench.note(f"train {name}", partial(bench.train, name)) for name in TRAINERS}
    rows = []
    for name, made in trained.items():
        kept = {k: made.get(k) for k in ("steps", "process_seconds", "peak_bytes")}
        asked_of = bench.note(f"ask {name}", partial(bench.ask, name))
        rows.append({"trainer": name, **kept, **asked_of})
    logits = bench.note("logits", bench.mlx_logits)
    tables = {
        "trainers": rows,
        "logits": [{"adapter": name, "difference": value} for name, value in logits.items()],
        "fuse": [{"trainer": "mlx", **bench.note("fuse", bench.fuse)}],
        "seen": [
            {
                "what": "never",
                "value": ", ".join(map(str, bench.note("seen", bench.seen)["never"])),
            },
            {"what": "targets", "value": bench.known["seen"]["targets"]},
        ],
        "flags": bench.note("flags", bench.flags),
        "versions": [
            {
                "package": {"mlx": "MLX"}.get(package, package),
                "version": version,
                "environment": name,
            }
            for name in PACKAGES
            for package, version in packages(environment(name)).items()
        ],
    }
    plan = {"language": LANGUAGE, "rows": ROWS, "epochs": bench.epochs, "steps": bench.steps}
    save(asked, {"plan": plan, "details": bench.known, "tables": tables})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

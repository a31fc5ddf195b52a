"""From ten training rows to a quantized model: what the course's notebooks need, and the package
behind its commands.

``from workshop_helpers import Shop, train`` loads what it names, and nothing else is loaded: a bare
``import workshop_helpers`` loads no room and no torch.
"""

import logging
import os
import sys
from importlib import import_module

TYPE_CHECKING = False  # as type checkers read it; importing typing would take longer than the rest
if TYPE_CHECKING:
    from .core.artifacts import data_path as data_path
    from .core.artifacts import runs_folder as runs_folder
    from .core.cards import file_hash as file_hash
    from .core.device import choose_device as choose_device
    from .dataset.checks import check_rows as check_rows
    from .dataset.checks import clean as clean
    from .dataset.checks import leave_out as leave_out
    from .dataset.checks import split as split
    from .dataset.formats import read_conversations as read_conversations
    from .dataset.formats import write_conversations as write_conversations
    from .dataset.formats.samples import row_in_formats as row_in_formats
    from .dataset.preferences import polite_pairs as polite_pairs
    from .dataset.questions import read_questions as read_questions
    from .display import diff as diff
    from .display import interval_plot as interval_plot
    from .display import loss_curve as loss_curve
    from .display.exercises import Exercises as Exercises
    from .display.lora import lora_picture as lora_picture
    from .display.measured import figures_plot as figures_plot
    from .display.measured import figures_table as figures_table
    from .display.measured import measured as measured
    from .display.measured import recorded_rows as recorded_rows
    from .display.measured_plot import measured_plot as measured_plot
    from .display.memory import memory_bars as memory_bars
    from .display.modelfile import explain_modelfile as explain_modelfile
    from .display.nf4 import nf4_picture as nf4_picture
    from .display.preview import preview as preview
    from .display.tokens import show_tokens as show_tokens
    from .display.validation import validation_curve as validation_curve
    from .display.widgets.clock import agenda_clock as agenda_clock
    from .display.widgets.cost import cost_sliders as cost_sliders
    from .display.widgets.decision import decision_helper as decision_helper
    from .display.widgets.explorer import explore as explore
    from .display.widgets.inspector import inspect_gguf as inspect_gguf
    from .display.widgets.lora import lora_view as lora_view
    from .display.widgets.microscope import microscope as microscope
    from .display.widgets.picker import pick_quantization as pick_quantization
    from .display.widgets.rows_curve import rows_curve as rows_curve
    from .display.widgets.tokens import explore_tokens as explore_tokens
    from .display.widgets.training import TrainingView as TrainingView
    from .evaluation.agreement import agreement as agreement
    from .evaluation.altered import changed as changed
    from .evaluation.altered import fact_id as fact_id
    from .evaluation.altered import referenced as referenced
    from .evaluation.altered import wrong_answers as wrong_answers
    from .evaluation.candidates import Candidate as Candidate
    from .evaluation.comparison import compare as compare
    from .evaluation.decision import advise as advise
    from .evaluation.dirty import write_dirty_rows as write_dirty_rows
    from .evaluation.doctor import check_machine as check_machine
    from .evaluation.evaluate import evaluate as evaluate
    from .evaluation.fit import weigh_base as weigh_base
    from .evaluation.forgetting import probe as probe
    from .evaluation.harness import run_task as run_task
    from .evaluation.harness import write_task as write_task
    from .evaluation.intervals import bootstrap as bootstrap
    from .evaluation.intervals import difference as difference
    from .evaluation.judge import by_facts as by_facts
    from .evaluation.judge import judge as judge
    from .evaluation.learning_map import learning_map as learning_map
    from .evaluation.manner import manner as manner
    from .evaluation.merge_ways import merge_ways as merge_ways
    from .evaluation.perplexity import reference_loss as reference_loss
    from .evaluation.preference import preference_figures as preference_figures
    from .evaluation.quantization import quantization_table as quantization_table
    from .evaluation.retrieval import found_facts as found_facts
    from .evaluation.retrieval import retrieved as retrieved
    from .evaluation.shop import Shop as Shop
    from .evaluation.sweep import sweep as sweep
    from .evaluation.timing import time_steps as time_steps
    from .gguf.blocks import read_block as read_block
    from .gguf.blocks import read_weights as read_weights
    from .gguf.convert import convert as convert
    from .gguf.header import read_gguf as read_gguf
    from .gguf.quantize import quantize as quantize
    from .metrics.likeness import chrf as chrf
    from .metrics.overlap import bleu as bleu
    from .metrics.overlap import overlap as overlap
    from .metrics.overlap import rouge as rouge
    from .metrics.overlap import words as words
    from .metrics.scoring import score_answer as score_answer
    from .metrics.variety import variety as variety
    from .models.catalogue import CATALOGUE as CATALOGUE
    from .models.choices import model_choices as model_choices
    from .models.four_bit import held_bytes as held_bytes
    from .models.four_bit import load_quantized as load_quantized
    from .models.four_bit import nf4_block as nf4_block
    from .models.four_bit import plain_weights as plain_weights
    from .models.load import load_model as load_model
    from .models.load import load_tokenizer as load_tokenizer
    from .models.lora import lora_layers as lora_layers
    from .models.lora import lora_matrices as lora_matrices
    from .models.packages.get import get_model as get_model
    from .runtimes import ask as ask
    from .runtimes.llama_cpp import LlamaCppRuntime as LlamaCppRuntime
    from .runtimes.ollama.prompted import prompted as prompted
    from .runtimes.openai import ChatServer as ChatServer
    from .runtimes.places import place_to_run as place_to_run
    from .runtimes.speculative import speculate as speculate
    from .stage.widget import stage_view as stage_view
    from .training.cloud.check import check_cloud_rows as check_cloud_rows
    from .training.cloud.check import write_cloud_rows as write_cloud_rows
    from .training.cloud.jobs import cloud_job_events as cloud_job_events
    from .training.cloud.jobs import read_cloud_job as read_cloud_job
    from .training.cloud.jobs import submit_cloud_job as submit_cloud_job
    from .training.cloud.jobs import wait_for_cloud_job as wait_for_cloud_job
    from .training.cloud.practice import PracticeServer as PracticeServer
    from .training.cloud.providers import CloudOrder as CloudOrder
    from .training.combining import combine_adapters as combine_adapters
    from .training.estimate import estimate_cost as estimate_cost
    from .training.estimate import estimate_memory as estimate_memory
    from .training.estimate import estimate_recipe as estimate_recipe
    from .training.estimate import largest_batch as largest_batch
    from .training.estimate import shape_of as shape_of
    from .training.estimate import tokens_a_second as tokens_a_second
    from .training.launch import launch as launch
    from .training.launch import train_shared as train_shared
    from .training.merge import merge as merge
    from .training.methods import METHODS as METHODS
    from .training.mlx_adapter import from_mlx as from_mlx
    from .training.model_card import write_model_card as write_model_card
    from .training.preferences import prefer as prefer
    from .training.prices import load_prices as load_prices
    from .training.push import plan_push as plan_push
    from .training.recipe import LoraRecipe as LoraRecipe
    from .training.train import train as train
    from .training.trainer import libraries_bytes as libraries_bytes
    from .training.trials import try_training as try_training

__version__ = "0.1.0"

# The front door: what can be imported from here, and the module that has it.
_FROM = {
    "CATALOGUE": "models.catalogue",
    "Candidate": "evaluation.candidates",
    "ChatServer": "runtimes.openai",
    "CloudOrder": "training.cloud.providers",
    "Exercises": "display.exercises",
    "LlamaCppRuntime": "runtimes.llama_cpp",
    "LoraRecipe": "training.recipe",
    "METHODS": "training.methods",
    "PracticeServer": "training.cloud.practice",
    "Shop": "evaluation.shop",
    "TrainingView": "display.widgets.training",
    "advise": "evaluation.decision",
    "agenda_clock": "display.widgets.clock",
    "agreement": "evaluation.agreement",
    "ask": "runtimes",
    "bleu": "metrics.overlap",
    "bootstrap": "evaluation.intervals",
    "by_facts": "evaluation.judge",
    "changed": "evaluation.altered",
    "check_cloud_rows": "training.cloud.check",
    "check_machine": "evaluation.doctor",
    "check_rows": "dataset.checks",
    "choose_device": "core.device",
    "chrf": "metrics.likeness",
    "clean": "dataset.checks",
    "cloud_job_events": "training.cloud.jobs",
    "combine_adapters": "training.combining",
    "compare": "evaluation.comparison",
    "convert": "gguf.convert",
    "cost_sliders": "display.widgets.cost",
    "data_path": "core.artifacts",
    "decision_helper": "display.widgets.decision",
    "diff": "display",
    "difference": "evaluation.intervals",
    "estimate_cost": "training.estimate",
    "estimate_memory": "training.estimate",
    "estimate_recipe": "training.estimate",
    "evaluate": "evaluation.evaluate",
    "explain_modelfile": "display.modelfile",
    "explore": "display.widgets.explorer",
    "explore_tokens": "display.widgets.tokens",
    "fact_id": "evaluation.altered",
    "figures_plot": "display.measured",
    "figures_table": "display.measured",
    "file_hash": "core.cards",
    "found_facts": "evaluation.retrieval",
    "from_mlx": "training.mlx_adapter",
    "get_model": "models.packages.get",
    "held_bytes": "models.four_bit",
    "inspect_gguf": "display.widgets.inspector",
    "interval_plot": "display",
    "judge": "evaluation.judge",
    "largest_batch": "training.estimate",
    "launch": "training.launch",
    "learning_map": "evaluation.learning_map",
    "leave_out": "dataset.checks",
    "libraries_bytes": "training.trainer",
    "load_model": "models.load",
    "load_prices": "training.prices",
    "load_quantized": "models.four_bit",
    "load_tokenizer": "models.load",
    "lora_layers": "models.lora",
    "lora_matrices": "models.lora",
    "lora_picture": "display.lora",
    "lora_view": "display.widgets.lora",
    "loss_curve": "display",
    "manner": "evaluation.manner",
    "measured": "display.measured",
    "measured_plot": "display.measured_plot",
    "memory_bars": "display.memory",
    "merge": "training.merge",
    "merge_ways": "evaluation.merge_ways",
    "microscope": "display.widgets.microscope",
    "model_choices": "models.choices",
    "nf4_block": "models.four_bit",
    "nf4_picture": "display.nf4",
    "overlap": "metrics.overlap",
    "pick_quantization": "display.widgets.picker",
    "place_to_run": "runtimes.places",
    "plain_weights": "models.four_bit",
    "plan_push": "training.push",
    "polite_pairs": "dataset.preferences",
    "prefer": "training.preferences",
    "preference_figures": "evaluation.preference",
    "preview": "display.preview",
    "probe": "evaluation.forgetting",
    "prompted": "runtimes.ollama.prompted",
    "quantization_table": "evaluation.quantization",
    "quantize": "gguf.quantize",
    "read_block": "gguf.blocks",
    "read_cloud_job": "training.cloud.jobs",
    "read_conversations": "dataset.formats",
    "read_gguf": "gguf.header",
    "read_questions": "dataset.questions",
    "read_weights": "gguf.blocks",
    "recorded_rows": "display.measured",
    "reference_loss": "evaluation.perplexity",
    "referenced": "evaluation.altered",
    "retrieved": "evaluation.retrieval",
    "rouge": "metrics.overlap",
    "row_in_formats": "dataset.formats.samples",
    "rows_curve": "display.widgets.rows_curve",
    "run_task": "evaluation.harness",
    "runs_folder": "core.artifacts",
    "score_answer": "metrics.scoring",
    "shape_of": "training.estimate",
    "show_tokens": "display.tokens",
    "speculate": "runtimes.speculative",
    "split": "dataset.checks",
    "stage_view": "stage.widget",
    "submit_cloud_job": "training.cloud.jobs",
    "sweep": "evaluation.sweep",
    "time_steps": "evaluation.timing",
    "tokens_a_second": "training.estimate",
    "train": "training.train",
    "train_shared": "training.launch",
    "try_training": "training.trials",
    "validation_curve": "display.validation",
    "variety": "metrics.variety",
    "wait_for_cloud_job": "training.cloud.jobs",
    "weigh_base": "evaluation.fit",
    "words": "metrics.overlap",
    "write_cloud_rows": "training.cloud.check",
    "write_conversations": "dataset.formats",
    "write_dirty_rows": "evaluation.dirty",
    "write_model_card": "training.model_card",
    "write_task": "evaluation.harness",
    "wrong_answers": "evaluation.altered",
}
__all__ = [*_FROM]


def __getattr__(name: str) -> object:
    if name == "display":  # results show themselves by it (core/showing.py)
        return import_module(".display", __name__)
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f".{_FROM[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_FROM})


# Threads that wait by spinning steal the cores from each other's work as soon as two programs share
# a laptop: a training of three seconds then takes twenty. Read once, when torch loads its OpenMP
# runtime.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# A very short spin first: without any, waking a sleeping core at each of thousands of small steps
# took half the time.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
# PEFT imports bitsandbytes where it is installed, which then misses a package nobody asked for.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
# torch reads this once, when it is imported; set later it does nothing (and only a Mac has the
# device).
if sys.platform == "darwin":
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")

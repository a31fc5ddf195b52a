"""The shop's questions as a task of lm-evaluation-harness: which of four answers is the likeliest?

Nothing is written by the model: the harness adds up the log-probabilities of each choice, and
counts how often the right one is the likeliest (`acc`), or the likeliest for its bytes
(`acc_norm`). Task and questions lie in a folder, so that `lm-eval run --include_path FOLDER` takes
them, too, and nothing is fetched.
"""

from __future__ import annotations

import io
import logging
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.artifacts import atomic_file
from ..core.errors import WorkshopError
from ..core.jsonio import to_json
from ..metrics.scoring import Question
from .altered import wrong_answers

if TYPE_CHECKING:
    from ..core.device import Device

# What stands between question and choice is nothing: the chat template has ended the question, and
# the usual space would make other tokens of every answer than the model has learned.
_TASK = """\
task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {questions}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: choices
doc_to_target: right
target_delimiter: ""
metric_list:
  - metric: acc
  - metric: acc_norm
"""


_FIGURES = ("acc", "acc_stderr", "acc_norm")


@dataclass(frozen=True)
class HarnessTask:
    """A task that lies in `folder`: how many questions it has, and how many choices each."""

    name: str
    folder: Path
    questions: int
    choices: int


def write_task(
    questions: Sequence[Question], folder: str | Path, name: str = "shop_facts", seed: int = 0
) -> HarnessTask:
    """Write a multiple-choice task of the questions: their references beside three with another
    amount. Questions without such a reference are left out.

    Raises WorkshopError where none is left.
    """
    dice, lines = random.Random(seed), []
    for question in questions:
        choices = [question.reference or "", *wrong_answers(question)]
        if len(choices) < 4:
            continue
        right = choices[0]
        dice.shuffle(choices)
        row = {"question": question.question, "choices": choices, "right": choices.index(right)}
        lines.append(to_json(row, indent=None) + "\n")
    if not lines:
        raise WorkshopError(
            "No question has a reference answer with an amount in it: there are no wrong answers "
            "to choose from."
        )
    folder = Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    rows = folder / f"{name}.jsonl"
    task = _TASK.format(name=name, questions=to_json(str(rows), indent=None))
    for path, text in ((rows, "".join(lines)), (folder / f"{name}.yaml", task)):
        with atomic_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return HarnessTask(name, folder, len(lines), 4)


@dataclass(frozen=True)
class HarnessResult:
    """Share of the questions whose right choice is the likeliest; its standard error; and the
    share where lengths are levelled out.
    """

    acc: float
    acc_stderr: float
    acc_norm: float

    def to_dict(self) -> dict[str, float]:
        """All fields, as JSON takes them."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def run_task(
    task: HarnessTask, model: str | Path, *, device: Device | str | None = None
) -> HarnessResult:
    """Run the task on a catalogue name, a model folder or an adapter folder, offline.

    Raises WorkshopError as `load_model` does.
    """
    import datasets  # noqa: F401  # `quiet_libraries` silences what is there

    from ..models.load import load_model, load_tokenizer, pick_device, quiet_libraries
    from ..models.resolve import resolve

    ref = resolve(model)
    tokenizer, network = load_tokenizer(ref), load_model(ref, pick_device(device, ref))
    with quiet_libraries(), _quiet_and_offline():
        from lm_eval import simple_evaluate
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager

        found = simple_evaluate(
            HFLM(pretrained=network, tokenizer=tokenizer, batch_size=16),
            tasks=[task.name],
            task_manager=TaskManager(include_path=str(task.folder), include_defaults=False),
            apply_chat_template=True,
            bootstrap_iters=100,
            log_samples=False,
        )
    row = found["results"][task.name]
    return HarnessResult(**{name: float(row[f"{name},none"]) for name in _FIGURES})


@contextmanager
def _quiet_and_offline() -> Iterator[None]:
    """No bars and no log lines in this block, and no look at a hub for a file that lies here."""
    set_to = {"HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}
    before = {name: os.environ.get(name) for name in set_to}
    os.environ.update(set_to)
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    kept = os.dup(2)
    try:
        # The bars are Python's; outside of a repository git complains by itself.
        with redirect_stderr(io.StringIO()), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        logging.disable(disabled)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value

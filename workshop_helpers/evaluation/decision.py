"""Prompt, examples, retrieval, a small training or a large one: advice, its reasons, and what these
rest on.

The order of the steps is the talk's: the cheap ones first. The rules are plain and can be read
here; the figures come from results/*.json.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from ..core.artifacts import results_path
from ..core.errors import WorkshopError
from ..core.jsonio import read_json
from ..core.wordings import LANGUAGES, say
from .learning_map import learning_map

STEPS = ("prompt", "examples", "retrieval", "small", "large")
ROWS = (0, 10, 100, 1000)


@dataclass(frozen=True)
class Situation:
    """What someone wants.

    `facts`: the model lacks facts that it needs; `fit`: they fit into a prompt; `change`: they
    change often; `manner`: all answers should have one manner or format; `volume`: so many
    questions that a long prompt costs; `measured`: a prompt was measured and is not enough; `rows`:
    good training rows that are there (0, 10, 100 or 1000, the largest that is reached).
    """

    facts: bool = True
    fit: bool = True
    change: bool = False
    manner: bool = False
    volume: bool = False
    measured: bool = False
    rows: int = 0

    def __post_init__(self) -> None:
        if self.rows not in ROWS:
            raise WorkshopError(f"rows is {self.rows}; choose from {', '.join(map(str, ROWS))}.")


# What can be answered with yes or no.
QUESTIONS = tuple(f.name for f in fields(Situation) if f.name != "rows")


@dataclass(frozen=True)
class Advice:
    """The `step` to take, the reason (`why`) and what it rests on, in words; the `notebooks` that
    show it; `beware`: what to watch for, where there is something.
    """

    step: str
    title: str
    why: str
    rests_on: str
    notebooks: tuple[str, ...]
    beware: str = ""

    def __str__(self) -> str:
        lines = [f"{self.title}: {self.why}", self.rests_on, self.beware, ", ".join(self.notebooks)]
        return "\n".join(line for line in lines if line)


# Rule → the step it leads to, and the notebooks that show it.
_RULES = {
    "nothing": ("prompt", ("05_before_after",)),
    "unmeasured": ("prompt", ("05_before_after", "02_ollama_misconceptions")),
    "too-many-facts": ("retrieval", ("01_what_is_finetuning",)),
    "changing": ("prompt", ("05_before_after",)),
    "no-rows": ("examples", ("10_practical_approach", "03_training_data")),
    "few-rows": ("examples", ("10_practical_approach", "05_before_after")),
    "small": ("small", ("04_lora_training", "09_results_and_reality")),
    "large": ("large", ("09_results_and_reality", "07_quantization")),
}


def rule(situation: Situation) -> str:
    """The first rule that applies."""
    s = situation
    wants_training = s.manner or s.volume or (s.facts and not s.fit)
    if s.facts and s.change:
        return "changing" if s.fit else "too-many-facts"
    if not (s.facts or s.manner or s.volume):
        return "nothing"
    if s.facts and not s.fit and s.rows < 100:
        return "too-many-facts"
    if not s.measured and s.fit:
        return "unmeasured"
    if not wants_training and not s.measured:
        return "nothing"
    if s.rows == 0:
        return "no-rows"
    if s.rows < 100:
        return "few-rows"
    return "large" if s.rows >= 1000 else "small"


def advise(language: str, situation: Situation | None = None, **changes: Any) -> Advice:
    """Advice for a situation, given or made of `changes` to the usual one, in "en" or "ja".

    Raises WorkshopError for another language or number of rows, and where results/ is missing.
    """
    if language not in LANGUAGES:
        raise WorkshopError(f'There is no advice in "{language}"; choose from en, ja.')
    name = rule(replace(situation or Situation(), **changes))
    step, notebooks = _RULES[name]
    values = figures(language)
    return Advice(
        step,
        say(f"advice.{step}", language),
        say(f"advice.{name}-why", language, **values),
        say(f"advice.{name}-rests-on", language, **values),
        notebooks,
        say("advice.beware", language, **values) if step in ("small", "large") else "",
    )


def figures(language: str) -> dict[str, str]:
    """The recorded figures that the advice quotes, as percentages of mame in this language."""
    found = read_json(results_path("learning.json"), dict)
    learned, lost = found["learned"][language], found["forgetting"][language]
    recorded = learning_map(language)
    recipe = recorded.sources["mame"].recipe
    few = recorded.at("epochs", 3, "mame")
    return {
        "prompted": _percent(learned["prompted"]["recall"]["median"]),
        "ten": _percent(learned["tuned_10"]["recall"]["median"]),
        "ten_wrong": _percent(learned["tuned_10"]["contradicted"]["median"]),
        "hundred": _percent(recorded.at("epochs", recipe.epochs, "mame").recall),
        "epochs": f"{recipe.epochs:g}",
        "hundred_few": _percent(few.recall),
        "before": _percent(lost["base"]["facts_in_prompt"]["median"]),
        "after": _percent(lost["tuned_100"]["facts_in_prompt"]["median"]),
        "mixed": _percent(lost["general_rows"]["facts_in_prompt"]["median"]),
    }


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u00a0%"  # never a line between the two

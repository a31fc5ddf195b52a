"""What models that people know do with facts: in the prompt, rounded, and by their wordings.

    python -m benchmarks.real_models [--models mame smollm2 gemma3-270m]
        [--part prompts quantization wordings] [--quick]

prompts       the shop's facts in the system prompt (all 29, the 3 that a search finds, only the
              right one) of the base model, and of the model tuned on 100 rows
quantization  what each type costs: KL divergence and perplexity on general text, and the facts that
              were tuned in. SmolLM2 was opened up from Q4_1, so its weights lie on that type's
              grid; the same with noise on its weights does not
wordings      the 29 facts with 1 to 16 wordings each, at equal steps

Each figure is written to results/real_models.json as soon as it is measured, and a run that was
killed goes on with the next. No seconds are noted, so other work may run beside it. What rows,
epochs and learning rates do is for benchmarks.learning_map.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import (
    MANY,
    Results,
    Settings,
    found_or_made,
    languages_of,
    parser,
    percent,
    provenance,
    settings,
    table,
    train_rows,
)

if TYPE_CHECKING:
    import torch

    from workshop_helpers.dataset.formats import Conversation
    from workshop_helpers.evaluation.losses import Losses
    from workshop_helpers.evaluation.shop import Shop
    from workshop_helpers.gguf.artifact import GgufReport
    from workshop_helpers.metrics.facts import Fact
    from workshop_helpers.metrics.scoring import Question
    from workshop_helpers.training.recipe import LoraRecipe

TITLE = {
    "en": "Facts in the prompt, rounded weights, wordings",
    "ja": "プロンプトの事実・重みの丸め・言い回し",
}
MODELS = ("mame", "smollm2", "gemma3-270m")
SCORES = ("recall", "contradicted", "unsupported")
LONGEST = 64  # tokens of an answer: an untuned model goes on and on

FACTS = ("none", "all", "found", "right")  # what stands in the prompt
FOUND = 3  # facts that a search gives
ASKED_AS = "Q8_0"

TYPES = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_1", "Q4_0", "Q3_K_M", "Q2_K")
GENERAL_TOKENS = 400  # answer tokens of the general rows; their questions count as well
GRID_TYPES = ("F16", "Q8_0", "Q5_K_M", "Q4_K_M", "Q4_1", "Q4_0")  # of weights that lie on a grid
OPENED = "smollm2"  # from a Q4_1 file, whose embedding is Q8_0
NOISE = 0.5  # standard deviation, in steps of the type that the weights came in
BLOCK = 32  # weights that share a step, in Q4_1 as in Q8_0

WORDINGS = (1, 2, 4, 8, 16)
PASSES = 2  # over as many rows as the most wordings make: about the steps that 100 rows take
SEEDS = (0, 1)
ASKED_BLOCKS = 2  # of the trained questions: 58

Scores = dict[str, Any]


@dataclass(frozen=True)
class Prompted:
    """The shop's questions with `facts` in the system prompt, to the base or the tuned model."""

    model: str
    language: str
    tuned: bool
    facts: str
    part: str = "prompts"

    def measure(self, bench: Bench) -> Scores:
        questions = bench.prompted(self.language, self.facts)
        source = bench.f16("tuned" if self.tuned else "base", self.language)
        return bench.ask(bench.rounded(source, ASKED_AS).path, questions)


@dataclass(frozen=True)
class Rounded:
    """The `weights` ("tuned", "base", "noise") as `type`, beside themselves as F16."""

    model: str
    language: str
    weights: str
    type: str
    part: str = "quantization"

    def measure(self, bench: Bench) -> Scores:
        from workshop_helpers.evaluation.quantization import LOSSES
        from workshop_helpers.gguf.header import read_gguf

        source = bench.f16(self.weights, self.language)
        losses = bench.losses(source, self.language)
        path, fell = source, []
        if self.type != "F16":
            made = bench.rounded(source, self.type)
            path, fell = made.path, made.fallback
        file = read_gguf(path)
        weights = sum(tensor.weights for tensor in file.tensors)
        stored: Counter[str] = Counter()
        for tensor in file.tensors:
            stored[tensor.type] += tensor.weights
        found = {
            "bits_per_weight": round(file.bits_per_weight, 3),
            "size_bytes": file.size_bytes,
            "stored": {kind: round(n / weights, 4) for kind, n in stored.most_common()},
            "fell_back": fell_back(fell),
            "general_tokens": losses.tokens,
            **dict(zip(LOSSES, (round(x, 6) for x in losses.of(path)), strict=True)),
        }
        if self.weights == "tuned":
            found |= bench.ask(path, bench.shop(self.language).questions)
        if self.type not in ("F16", ASKED_AS):
            path.unlink()
        return found


@dataclass(frozen=True)
class Worded:
    """A training on the 29 facts with so many `wordings` each. The first of the shop's with seed 0,
    else drawn by chance.
    """

    model: str
    language: str
    wordings: int
    seed: int
    part: str = "wordings"

    def blocks(self, rows: Sequence[Conversation], facts: int) -> list[list[Conversation]]:
        """The rows of each wording: a block of the shop's rows states each fact once."""
        every = [list(rows[n : n + facts]) for n in range(0, len(rows) - facts + 1, facts)]
        if self.seed == 0:
            return every[: self.wordings]
        return random.Random(self.seed).sample(every, self.wordings)

    def rows(self, blocks: Sequence[list[Conversation]]) -> list[Conversation]:
        """What a pass goes through: as many rows for each number of wordings."""
        return [row for block in blocks for row in block] * (max(WORDINGS) // self.wordings)

    def measure(self, bench: Bench) -> Scores:
        from workshop_helpers.training.train import train

        shop = bench.shop(self.language)
        blocks = self.blocks(shop.train, len(shop.facts.facts))
        recipe = bench.recipe.replace(epochs=PASSES, seed=self.seed, general_rows=0.0)
        out = bench.asked.folder(self.language, "worded")
        made = train(self.model, self.rows(blocks), out, recipe, overwrite=True, progress=False)
        trained = [question_of(row, shop) for block in blocks[:ASKED_BLOCKS] for row in block]
        return {
            **bench.ask(made.adapter, shop.questions),
            "trained_questions": len(trained),
            "trained_recall": bench.ask(made.adapter, trained)["recall"],
            "steps": len(made.losses),
            "final_loss": round(made.final_loss, 4),
        }


Task = Prompted | Rounded | Worded


def plan(model: str, parts: Sequence[str], languages: Sequence[str]) -> list[Task]:
    """What is measured of a model in these parts, in that order."""
    tasks: list[Task] = []
    if "prompts" in parts:
        ways = [(False, facts) for facts in FACTS] + [(True, f) for f in FACTS if f != "found"]
        tasks += [Prompted(model, la, tuned, facts) for la in languages for tuned, facts in ways]
    if "quantization" in parts:
        opened = [("base", "en"), ("noise", "en")] if model == OPENED else []
        tasks += [Rounded(model, la, name, kind) for name, la in opened for kind in GRID_TYPES]
        tasks += [Rounded(model, la, "tuned", kind) for la in languages for kind in TYPES]
    if "wordings" in parts:
        # A training of the larger model takes minutes: the two ends show it.
        numbers = WORDINGS if model == "mame" else (WORDINGS[0], WORDINGS[-1])
        tasks += [
            Worded(model, la, number, seed)
            for seed in SEEDS
            for number in numbers
            for la in languages
        ]
    # The base's first: a training takes longer than they do.
    return sorted(tasks, key=lambda task: isinstance(task, Worded) or tunes(task))


def tunes(task: Task) -> bool:
    """Whether the model tuned on 100 rows is needed."""
    return getattr(task, "tuned", False) or getattr(task, "weights", "") == "tuned"


def fell_back(tensors: Iterable[tuple[str, str, str]]) -> list[Scores]:
    """What a report lists of each tensor that could not take its type, by the two types."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for name, wanted, got in tensors:
        kinds.setdefault((wanted, got), []).append(name)
    return [
        {
            **{"wanted": wanted, "got": got, "tensors": len(names)},
            "names": sorted({re.sub(r"^blk\.\d+\.|\.weight$", "", name) for name in names}),
        }
        for (wanted, got), names in kinds.items()
    ]


def fact_of(row: Conversation, shop: Shop) -> Fact:
    """The fact that a training row is about: of those that its answer states, the first."""
    from workshop_helpers.metrics.surfaces import locate

    def place(fact: Fact) -> int:
        surfaces = [surface for item in fact.values[shop.language] for surface in item]
        return min(start for s in surfaces for start, _ in locate(row.answer, s))

    stated = [fact for fact in shop.facts if fact.stated(row.answer, shop.language)]
    return min(stated, key=place)


def question_of(row: Conversation, shop: Shop) -> Question:
    """A training row as a question that is scored like the held-out ones."""
    from workshop_helpers.metrics.scoring import Question

    values = fact_of(row, shop).values[shop.language]
    return Question(row.question, facts=values, language=shop.language)


def off_the_grid(weights: torch.Tensor, kind: str, seed: int) -> torch.Tensor:
    """The weights with Gaussian noise of `NOISE` steps, as Q4_1 or Q8_0 (`kind`) has steps: a block
    of 32 from its least to its greatest weight in 15, or up to its largest by size in 127.
    """
    import torch

    blocks = weights.reshape(-1, BLOCK)
    if kind == "Q8_0":
        step = blocks.abs().amax(1, keepdim=True) / 127
    else:
        step = (blocks.amax(1, keepdim=True) - blocks.amin(1, keepdim=True)) / 15
    chance = torch.Generator().manual_seed(seed)
    noise = torch.randn(blocks.shape, generator=chance, dtype=blocks.dtype)
    return (blocks + NOISE * step * noise).reshape(weights.shape)


def write_noisy(folder: Path, out: Path) -> Path:
    """The model in `folder` with noise on every matrix, in the new folder `out`."""
    import shutil

    from safetensors.torch import load_file, save_file

    kept = {p for p in folder.iterdir() if p.suffix not in (".safetensors",) and p.is_file()}
    out.mkdir(parents=True, exist_ok=True)
    for path in kept - {folder / "card.json"}:
        shutil.copy(path, out)
    tensors = load_file(folder / "model.safetensors")
    for seed, name in enumerate(sorted(tensors)):
        if tensors[name].dim() == 2:
            kind = "Q8_0" if "embed_tokens" in name else "Q4_1"
            tensors[name] = off_the_grid(tensors[name], kind, seed)
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    return out


class Bench:
    """One model: its files, made when they are asked for, and the ways to ask it."""

    def __init__(self, asked: Settings, model: str) -> None:
        self.asked, self.model = replace(asked, model=model), model
        self._open: tuple[Path, Losses] | None = None

    @cached_property
    def recipe(self) -> LoraRecipe:
        """Of a training on 100 rows."""
        from workshop_helpers.training.recipe import LoraRecipe

        return LoraRecipe.for_model(self.model)

    @cached_property
    def shop(self) -> Callable[[str], Shop]:
        from functools import cache

        from workshop_helpers.evaluation.shop import Shop

        return cache(Shop)

    def f16(self, weights: str, language: str) -> Path:
        """The F16 file of the base, the tuned model, or the base with noise."""
        from workshop_helpers.gguf.convert import convert
        from workshop_helpers.models.load import model_folder
        from workshop_helpers.models.resolve import resolve
        from workshop_helpers.training.merge import merge

        folder = partial(self.asked.folder, "real_models")
        source: Any = self.model
        name = weights
        if weights == "noise":
            made = folder("noise-model")
            if not (made / "model.safetensors").is_file():
                write_noisy(model_folder(resolve(self.model)), made)
            source = made
        elif weights == "tuned":
            name = f"tuned-{language}"
            how: Any = {"overwrite": False}
            tuned = train_rows(
                self.asked, language, MANY, self.recipe, f"tuned_{MANY}-seed0", **how
            )
            source = found_or_made(merge, tuned.adapter, folder(f"{name}-model")).model
        made_file = found_or_made(convert, source, folder(f"{name}-F16.gguf"))
        return Path(made_file.path)

    def rounded(self, source: Path, kind: str) -> GgufReport:
        """The F16 file `source` as `kind`."""
        from workshop_helpers.gguf.quantize import quantize

        return found_or_made(quantize, source, kind)

    def losses(self, source: Path, language: str) -> Losses:
        """What compares files with `source` on the general rows that have no system prompt; all
        tokens count behind those with which every text begins. The last one is kept open.
        """
        from workshop_helpers.evaluation.losses import Losses, held_out_texts
        from workshop_helpers.runtimes.llama_cpp import LlamaCppRuntime

        if self._open is None or self._open[0] != source:
            self.close()
            rows = [row for row in self.shop(language).general if row.system is None]
            with LlamaCppRuntime(source, slots=1) as runtime:
                wanted = 40 if self.asked.quick else GENERAL_TOKENS
                texts = held_out_texts(runtime.engine, rows, wanted)
            columns = zip(*(ids for ids, _ in texts), strict=False)
            same = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
            texts = [(ids, max(1, same)) for ids, _ in texts]
            self._open = (source, Losses(source, texts, 1))
        return self._open[1]

    def prompted(self, language: str, facts: str) -> list[Question]:
        """The shop's questions, each with its system prompt."""
        shop = self.shop(language)

        def prompt(question: Question) -> str | None:
            if facts == "none":
                return None
            ids = {
                "all": lambda: None,
                "found": lambda: [fact.id for fact in shop.search(question.question, FOUND)],
                "right": lambda: [str(question.id).rpartition("-")[0]],
            }[facts]()
            return shop.facts.system_prompt(language, ids)

        return [replace(question, system=prompt(question)) for question in shop.questions]

    def ask(self, model: str | Path, questions: Sequence[Question]) -> Scores:
        """How the model answers: shares of the facts, of answers that are wrong, and what it
        read.
        """
        from workshop_helpers.evaluation.candidates import Candidate
        from workshop_helpers.evaluation.comparison import compare
        from workshop_helpers.metrics.facts import ShopFacts

        asked = list(questions)[: 4 if self.asked.quick else None]
        how: Any = {"shop": ShopFacts.load(), "max_new_tokens": LONGEST, "progress": False}
        found = compare([Candidate("it", model)], asked, **how)
        scores = found.rows[0].summary.to_dict()
        told = {name: round(scores[name], 4) for name in SCORES}
        return {
            "questions": len(asked),
            **told,
            "prompt_tokens": round(found.rows[0].prompt_tokens),
        }

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None


def measure(asked: Settings, models: Sequence[str], parts: Sequence[str]) -> Scores:
    """All that is not measured yet."""
    from benchmarks.common import model_facts

    source = provenance(asked)
    results = Results(asked.result, source, {"title": TITLE, "noise": NOISE})
    for model in models:
        bench = Bench(asked, model)
        about = {key: source[key] for key in ("machine", "versions")}
        about |= {"files": model_facts(model)["files"], "recipe": bench.recipe.to_dict()}
        results.begin(model, about)
        todo = plan(model, parts, languages_of(model, asked.languages))
        if asked.quick:
            todo = todo[::9]
        for place, task in enumerate(todo, 1):
            if not results.has(asdict(task)):
                scores = task.measure(bench)
                results.add(asdict(task), scores)
                told = {k: v for k, v in scores.items() if isinstance(v, float)}
                asked.say(f"{place}/{len(todo)} {list(asdict(task).values())} {told}")
        bench.close()
    return results.read()


def report(runs: Sequence[Scores]) -> None:
    """The figures on the terminal."""
    told = {
        "prompts": ("tuned", "facts"),
        "quantization": ("weights", "type"),
        "wordings": ("wordings", "seed"),
    }
    more = ("bits_per_weight", "perplexity", "kl_to_f16", "trained_recall")
    rows = [
        [
            " ".join(str(run[key]) for key in ("model", "language", *told[run["part"]])),
            *(percent(run.get(name)) for name in SCORES),
            *(f"{run[name]:.4f}" if name in run else "" for name in more),
        ]
        for run in runs
    ]
    heads = ("measured", "recall", "contradicts", "invents", "bits", "perplexity", "KL", "trained")
    table("Facts and models", heads, rows)


def main(arguments: list[str]) -> int:
    made = parser(__doc__ or "", model=False)
    made.add_argument(
        "--models", nargs="+", choices=MODELS, default=list(MODELS), help="(default: all)"
    )
    parts = ("prompts", "quantization", "wordings")
    made.add_argument(
        "--part", nargs="+", choices=parts, default=list(parts), help="(default: all)"
    )
    args = made.parse_args(arguments)
    asked = settings("real_models", args)
    found = measure(asked, args.models, args.part)
    report(found["runs"])
    print(f"→ {asked.result}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

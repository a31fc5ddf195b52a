"""The benchmarks' arithmetic and their recorded results; nothing here asserts a speed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import pytest
import readme_figures
import torch

from benchmarks import __main__ as all_of_them
from benchmarks import (
    adapters,
    common,
    families,
    learning,
    learning_map,
    quantization,
    real_models,
    recipe_search,
    runtimes,
    speed,
    throughput,
    training,
)
from benchmarks.common import Results, Settings
from workshop_helpers.core.jsonio import read_json, write_json
from workshop_helpers.dataset import questions
from workshop_helpers.evaluation.curve import RowsCurve
from workshop_helpers.evaluation.shop import Shop
from workshop_helpers.metrics.scoring import Question, score_answer
from workshop_helpers.training.recipe import LoraRecipe

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
# What each file must hold beside its provenance.
KEYS = {
    "learning": ("recipe", "questions", "targets", "met", "learned", "forgetting", "runs"),
    "quantization": ("tables",),
    "runtimes": ("questions", "type", "threads", "ollama", "models"),
    "families": ("targets", "ollama", "families"),
    "adapters": ("ollama", "threads", "languages"),
    # The comparison with TRL and the pretraining throughput take long and may be measured apart
    # (--only).
    "speed": ("targets", "startup", "demo", "lora", "batch"),
    "data_check": ("targets", "quick_check", "full_check", "false_alarms"),
    "scoring": ("targets", "met", "before", "all", "unseen"),
    "learning_map": ("models", "runs"),
    "curve": ("from_rows", "languages"),
    "real_models": ("models", "noise", "runs"),
    "stage": ("planned_minutes", "ollama", "languages"),
    "recipe_search": ("question_set", "questions", "base", "trials"),
}
PROVENANCE = ("benchmark", "made", "model", "machine", "versions", "title")


def recorded(name: str) -> dict[str, object]:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def test_spread_is_median_and_range_and_ratio_how_many_times_as_long_the_other_takes():
    assert common.spread([3.0, 1.0, None, 2.0]) == {"median": 2, "min": 1, "max": 3, "runs": 3}
    assert common.spread([None]) is None
    assert (common.ratio(2.0, 5.0), common.ratio(0.0, 5.0)) == (2.5, None)


def test_a_missed_target_is_not_rounded_to_a_met_one():
    assert [common.percent(n) for n in (0.8999, 0.9, None)] == ["89.9 %", "90.0 %", "–"]


def test_token_flops_count_forward_and_backward():
    # A weight: 2 operations forward, 4 backward; attention: 12 · layers · hidden · length.
    assert throughput.token_flops(1, 0, 0, 0) == 6
    assert throughput.token_flops(1000, 2, 4, 10) == 6000 + 960


def test_the_search_for_trl_leaves_out_what_cannot_win():
    """An epoch takes 1 s here; the goal needs 3 epochs, or 2 with the second rate."""
    ran = []

    def train(rate: float, epochs: float, batch: int) -> dict[str, float]:
        ran.append((rate, epochs, batch))
        enough = epochs >= (2 if rate == 2 else 3)
        return {"seconds": float(epochs), "recall": 0.95 if enough else 0.5, "epochs": epochs}

    runs = list(speed.search(train, (1, 2), batches=(8, 4), ladder=(1, 2, 3, 4)))
    assert ran == [(1, 1, 8), (1, 2, 8), (1, 3, 8), (2, 1, 8), (2, 2, 8), (1, 1, 4), (2, 1, 4)]
    assert speed.best(runs) == {"seconds": 2.0, "recall": 0.95, "epochs": 2}
    assert speed.best([{"seconds": 1.0, "recall": 0.89}]) is None


def run(language: str, label: str, recall: float, **more: float) -> dict[str, object]:
    scores = dict.fromkeys(learning.SCORES, 0.5) | {"recall": recall, "polite": None}
    return {"language": language, "label": label, **scores, "answer_seconds": 1.0, **more}


PROBED = {"general_knowledge": 0.75, "facts_in_prompt": 1.0, "not_in_information": 0.875}


def figures_of_learning() -> dict[str, object]:
    seeds, tuned = (0, 1, 2), {"train_seconds": 8.0, **PROBED}
    runs = [
        run("en", "base", 0.0, **PROBED),
        run("en", "prompted", 0.96),
        *(run("en", "tuned_10", 0.1 * s, seed=s, train_seconds=1.0) for s in seeds),
        *(run("en", "tuned_100", 0.9 + s / 100, seed=s, **tuned) for s in seeds),
    ]
    learned = learning.summary(runs, (*learning.SCORES, "train_seconds"))
    return {
        "benchmark": "learning",
        "title": learning.TITLE,
        "questions": {"en": 90},
        "probe_questions": {"en": {"general_knowledge": 60, "facts_in_prompt": 60}},
        "targets": {"tuned_10": {"recall_at_most": 0.3}, "tuned_100": {"recall_at_least": 0.9}},
        "met": learning.verdicts(learned),
        "learned": learned,
        "forgetting": learning.summary(
            [r for r in runs if "general_knowledge" in r],
            ("recall", *learning.KINDS, "train_seconds"),
        ),
        "runs": runs,
        "seconds": 100.0,
    }


def test_seeds_are_summed_up_and_judged_by_the_worst():
    figures = figures_of_learning()
    learned = figures["learned"]["en"]
    assert learned["tuned_100"]["recall"] == {"median": 0.91, "min": 0.9, "max": 0.92, "runs": 3}
    assert "polite" not in learned["tuned_100"]
    assert "train_seconds" not in learned["base"]
    assert figures["met"] == {"en": {"tuned_10": True, "tuned_100": True}}
    learned["tuned_100"]["recall"]["min"] = 0.8999
    assert learning.verdicts(figures["learned"])["en"]["tuned_100"] is False


def test_remedies_change_one_thing_and_keep_the_scale_of_the_adapter():
    recipe = LoraRecipe(rank=8, alpha=16)
    found = learning.remedies(recipe)
    assert found["quarter_rank"].alpha / found["quarter_rank"].rank == recipe.alpha / recipe.rank
    assert found["half_epochs"] == recipe.replace(epochs=recipe.epochs / 2)
    assert all(changed != recipe for changed in found.values())
    # A recipe that mixes general rows in is compared with itself without them.
    mixed = learning.remedies(recipe.replace(general_rows=1.0))
    assert "general_rows" not in mixed
    assert mixed["no_general"].general_rows == 0


def test_more_rows_are_seen_less_often_but_three_times():
    recipe = LoraRecipe(epochs=10)
    epochs = [learning.curve_recipe(recipe, rows).epochs for rows in (50, 200, 500)]
    assert epochs == [10, 5, 3]
    assert learning.curve_recipe(LoraRecipe(epochs=2), 500).epochs == 2


def test_the_map_changes_one_thing_at_a_time_and_the_telling_ones_come_first():
    recipe = LoraRecipe(epochs=10, learning_rate=3e-3, batch_size=4)
    usual = {"rows": 100, "epochs": 10, "learning_rate": 3e-3, "batch_size": 4}
    talk, start, *changed = learning_map.settings_of(recipe)
    assert (talk["rows"], talk["epochs"], start) == (10, 3, usual)
    assert all(sum(one[name] != usual[name] for name in usual) == 1 for one in changed)
    assert {one["epochs"] for one in changed} == {1, 3, 5, 10, 20}
    points = learning_map.points(recipe, ("en", "ja"))
    assert len(set(points)) == len(points) == 2 * (1 + 3 * len([talk, start, *changed]))
    assert [p.rows for p in points[:6]] == [0, 0, 10, 10, 100, 100]
    assert max(p.rows for p in points[:26]) == 100
    short = learning_map.settings_of(recipe, short=True)
    assert {one["rows"] for one in short} == {10, 25, 50, 100, 250}
    assert {one["learning_rate"] for one in short} == {usual["learning_rate"]}


def test_drawn_rows_differ_with_the_seed_and_the_first_rows_do_not():
    def chosen(seed: int, drawn: bool) -> list[int]:
        values = {"rows": 3, "epochs": 1, "learning_rate": 1e-3, "batch_size": 2}
        return learning_map.Point("en", **values, seed=seed, drawn=drawn).chosen(list(range(50)))

    assert chosen(1, False) == chosen(2, False) == [0, 1, 2]
    assert len({tuple(chosen(seed, True)) for seed in (1, 2, 3)}) == 3
    assert chosen(1, True) == chosen(1, True)


def test_fewer_trainings_of_a_point_leave_out_the_chances_not_the_points():
    recipe = LoraRecipe(epochs=8, learning_rate=1e-3, batch_size=4)
    once = learning_map.points(recipe, ("en",), trainings=1)
    assert {(p.seed, p.drawn) for p in once} == {(0, False)}
    assert {p.rows for p in once} == {0, 10, 25, 50, 100, 250, 500}
    assert set(once) < set(learning_map.points(recipe, ("en",), trainings=2))


def test_the_map_of_one_model_stands_beside_that_of_another_and_goes_on(tmp_path, monkeypatch):
    trained = []

    def train_and_ask(bench, point, start):
        trained.append(point)
        if len(trained) == 3:
            raise KeyboardInterrupt
        return {"recall": 0.5}

    monkeypatch.setattr(learning_map, "train_and_ask", train_and_ask)
    path = tmp_path / "map.json"
    write_json(path, {"models": {"other": {}}, "runs": [{"model": "other", "recall": 0.25}]})
    asked = Settings("learning_map", "mame", quick=False, languages=("en",), out=path)
    with pytest.raises(KeyboardInterrupt):
        learning_map.measure(asked, 1)
    assert len(read_json(path)["runs"]) == 3
    found = learning_map.measure(asked, 1)
    assert len(trained) == len(set(trained)) + 1  # the one that was stopped, once more
    assert [run["recall"] for run in found["runs"]][:2] == [0.25, 0.5]
    assert set(found["models"]) == {"other", "mame"}
    assert found["models"]["mame"]["questions"] == {"en": 90}


PARTS = ("prompts", "quantization", "wordings")


def test_what_needs_the_tuned_model_comes_after_what_the_base_shows():
    mame = real_models.plan("mame", PARTS, ("en", "ja"))
    assert len(set(mame)) == len(mame) == 2 * (4 + 3) + 2 * len(real_models.TYPES) + 2 * 2 * 5
    smol = real_models.plan("smollm2", PARTS, ("en",))
    tunes = [real_models.tunes(task) or task.part == "wordings" for task in smol]
    assert tunes == sorted(tunes) and False in tunes
    assert {task.weights for task in smol if task.part == "quantization"} == {
        "tuned", "base", "noise",
    }  # fmt: skip
    assert {task.wordings for task in smol if task.part == "wordings"} == {1, 16}
    (task,) = {task.part for task in real_models.plan("mame", ["wordings"], ("ja",))}
    assert task == "wordings"


@pytest.mark.parametrize("language", ["en", "ja"])
def test_each_number_of_wordings_trains_on_every_fact_and_for_as_many_steps(language):
    shop = Shop(language)
    facts = len(shop.facts.facts)
    for wordings in real_models.WORDINGS:
        for seed in real_models.SEEDS:
            task = real_models.Worded("mame", language, wordings, seed)
            blocks = task.blocks(shop.train, facts)
            rows = task.rows(blocks)
            assert len(rows) == 16 * facts
            assert len({row.question for row in rows}) == wordings * facts
    assert len({real_models.fact_of(row, shop).id for row in blocks[-1]}) == facts
    question = real_models.question_of(blocks[-1][0], shop)
    assert score_answer(blocks[-1][0].answer, question, shop.facts).recall == 1


def test_the_right_fact_in_the_prompt_is_the_one_that_is_asked_for(tmp_path):
    bench = real_models.Bench(common.Settings("real_models", "mame", work=tmp_path), "mame")
    for facts, lines in (("none", 0), ("right", 1), ("found", 3), ("all", 29)):
        asked = bench.prompted("ja", facts)
        # A search may find fewer than it is asked for, or nothing.
        assert max((q.system or "").count("\n- ") for q in asked) == lines
        if facts == "right":
            shop = bench.shop("ja").facts
            stated = [score_answer(str(q.system), q, shop).recall for q in asked]
            assert sum(stated) / len(stated) > 0.95  # a question may expect a second fact's figure


def test_noise_takes_the_weights_off_the_grid_by_the_steps_it_states():
    chance = torch.Generator().manual_seed(0)
    steps = torch.rand((64, 24, 1), generator=chance) + 0.5
    whole = torch.randint(0, 16, (64, 24, 32), generator=chance)
    whole[..., 0], whole[..., 1] = 0, 15  # a block of Q4_1 holds both ends
    weights = (steps * whole).reshape(64, -1)
    moved = real_models.off_the_grid(weights, "Q4_1", seed=1) - weights
    size = (moved.reshape(64, 24, 32) / steps).std().item()
    assert size == pytest.approx(real_models.NOISE, rel=0.02)
    signed = (steps * (whole - 8) * 127 / 8).reshape(64, -1)
    signed.reshape(64, 24, 32)[..., 0] = (steps * 127)[..., 0]
    moved = real_models.off_the_grid(signed, "Q8_0", seed=1) - signed
    size = (moved.reshape(64, 24, 32) / steps).std().item()
    assert size == pytest.approx(real_models.NOISE, rel=0.02)


def test_a_killed_measurement_goes_on_and_another_version_of_a_model_starts_anew(tmp_path):
    source = {"benchmark": "real_models", "made": "now", "machine": {"cpu": "A"}}
    task, other = real_models.plan("mame", ["prompts"], ("en",))[:2]
    path = tmp_path / "real.json"
    results = Results(path, source, {})
    about = {"machine": {"cpu": "A"}, "versions": {"torch": "2"}, "files": "a"}
    results.begin("mame", about)
    results.begin("smollm2", {"files": "s"})
    results.add(asdict(task), {"recall": 0.5})
    results.add(asdict(real_models.plan("smollm2", ["prompts"], ("en",))[0]), {"recall": 0.1})
    again = Results(path, source, {})
    again.begin("mame", about)
    assert again.has(asdict(task)) and not again.has(asdict(other))
    again.add(asdict(task), {"recall": 0.75})  # by two runs at a time
    assert [run["recall"] for run in again.read()["runs"]] == [0.1, 0.75]
    # On another machine, with one more package installed, it goes on, and says where.
    there = {"cpu": "B"}
    moved = Results(path, {**source, "machine": there}, {})
    moved.begin("mame", about | {"machine": there, "versions": {"torch": "2", "trl": "1"}})
    moved.add(asdict(other), {"recall": 0.25})
    assert [run.get("machine") for run in moved.read()["runs"]] == [None, None, there]
    assert again.has(asdict(task))
    again.begin("mame", about | {"versions": {"torch": "3"}})
    assert not again.has(asdict(task)) and not again.has(asdict(other))
    again.begin("mame", about | {"files": "b"})
    assert not again.has(asdict(task))
    assert [run["model"] for run in again.read()["runs"]] == ["smollm2"]


def test_tensors_that_fell_back_are_told_by_their_two_types():
    told = real_models.fell_back(
        [
            ("blk.0.attn_q.weight", "Q2_K", "Q4_0"),
            ("blk.1.attn_q.weight", "Q2_K", "Q4_0"),
            ("token_embd.weight", "Q6_K", "Q8_0"),
        ]
    )
    assert told == [
        {"wanted": "Q2_K", "got": "Q4_0", "tensors": 2, "names": ["attn_q"]},
        {"wanted": "Q6_K", "got": "Q8_0", "tensors": 1, "names": ["token_embd"]},
    ]


def figures_of_real_models() -> dict[str, object]:
    about = {"model": "mame", "language": "en"}
    scores = {"recall": 0.9, "contradicted": 0.05, "unsupported": 0.02}
    stored = {"stored": {"Q4_0": 0.8, "Q8_0": 0.2, "F32": 0.0004}, "bits_per_weight": 5.25}
    fell = [{"wanted": "Q2_K", "got": "Q4_0", "tensors": 30, "names": ["attn_q"]}]
    losses = {"perplexity": 6.5, "kl_to_f16": 0.125, "same_top_token": 0.75}
    rounded = {"part": "quantization", **about, **stored, **losses, "fell_back": fell}
    worded = {"part": "wordings", **about, "steps": 348, **scores}
    return {
        "benchmark": "real_models",
        "title": real_models.TITLE,
        "noise": 0.5,
        "models": {"smollm2": {}, "mame": {}},
        "runs": [
            *(
                {"part": "prompts", **about, "tuned": False, "facts": "all", **scores}
                | {"prompt_tokens": 600, "language": language, "model": model}
                for model in ("mame", "smollm2")
                for language in ("en", "ja")
            ),
            {**rounded, "weights": "tuned", "type": "Q2_K", **scores},
            {**rounded, "weights": "noise", "type": "Q4_1"},
            {**worded, "wordings": 1, "seed": 0, "trained_recall": 1.0},
            {**worded, "wordings": 1, "seed": 1, "trained_recall": 1.0, "recall": 0.5},
        ],
    }


def test_real_models_are_shown_in_tables_and_pictures():
    figures = figures_of_real_models()
    told = readme_figures.section("real_models", figures, "en")
    assert "| mame, English, base | all 29 | 90.0 % | 5.0 % | 2.0 % | 600 |" in told
    cells = "| Q2_K | 5.25 | Q4_0 80%, Q8_0 20% | Q2_K → Q4_0 (30) | 6.500 | 0.1250 | 75.0 % |"
    assert f"{cells} 90.0 % | 5.0 % |" in told
    assert "0.5 steps" in told and "always 348 steps" in told
    assert "| mame, English | 1 | 70.0 % (50.0–90.0) |" in told
    drawn = dict(readme_figures.real_pictures(figures, "ja"))
    assert list(drawn) == ["real-prompts", "real-quantization", "real-wordings"]
    assert all("90.0 %" in drawn[name] for name in ("real-prompts", "real-quantization"))
    places = [drawn["real-prompts"].index(name) for name in ("smollm2, 英語", "mame, 日本語")]
    assert places == sorted(places)  # the models in the order in which they were measured
    bars = re.findall(r'<rect[^>]* width="([\d.]+)"', drawn["real-prompts"])
    assert len(bars) == 8 and min(map(float, bars)) > 60  # wide enough to compare
    assert ">0.1250<" in drawn["real-quantization"] and ">70.0 %<" in drawn["real-wordings"]


def test_a_recipe_that_forgets_less_comes_first_and_one_that_learns_too_little_last():
    base = {"en": PROBED}

    def trial(recall: float, general: float) -> recipe_search.Trial:
        record = run("en", "x", recall, seed=0, train_seconds=5.0, **PROBED)
        record["general_knowledge"] = general
        return recipe_search.Trial(LoraRecipe(), [record])

    forgets, short, best = trial(0.95, 0.25), trial(0.85, 0.75), trial(0.92, 0.70)
    assert recipe_search.ranked([forgets, short, best], base) == [best, forgets, short]
    assert forgets.forgotten(base) == pytest.approx(0.5 / 3)


def test_recipes_are_chosen_on_the_validation_questions_only(monkeypatch, tmp_path):
    """Every question file that the search opens, with training and answering left out."""
    read: list[str] = []
    asked: dict[str, list[str]] = {}

    def reading(path: Path) -> list[Question]:
        read.append(path.name)
        return read_questions(path)

    def examine(bench: learning.Bench, label: str, language: str, *_: object, **__: object):
        asked[language] = [question.id for question in bench.questions[language]]
        return run(language, label, 0.95, **PROBED)

    def tune(bench: learning.Bench, label: str, language: str, *_: object, **__: object):
        return {**examine(bench, label, language), "seed": 0, "train_seconds": 1.0}

    read_questions = questions.read_questions
    monkeypatch.setattr(questions, "read_questions", reading)
    monkeypatch.setattr(learning.Bench, "examine", examine)
    monkeypatch.setattr(learning.Bench, "tune", tune)
    out = tmp_path / "recipe_search.json"
    arguments = ["--only", "--confirm", "0", "--out", str(out), "--work", str(tmp_path)]
    assert recipe_search.main(arguments) == 0
    assert read == ["validation.en.jsonl", "validation.ja.jsonl"]
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["question_set"] == "validation" and found["questions"] == {"en": 58, "ja": 58}
    assert all(len(ids) == 58 and "shipping_fee-v1" in ids for ids in asked.values())


def test_a_recipe_is_read_from_the_command_line():
    recipe = recipe_search.recipe_of("rank=4,learning_rate=1e-3,schedule=linear", LoraRecipe())
    assert (recipe.rank, recipe.alpha) == (4, 8)
    assert (recipe.learning_rate, recipe.schedule) == (1e-3, "linear")
    names = recipe_search.recipe_of("target_modules=up_proj+down_proj", LoraRecipe()).target_modules
    assert names == ("down_proj", "up_proj")
    everywhere = recipe_search.recipe_of("target_modules=all", LoraRecipe(target_modules=names))
    assert everywhere == LoraRecipe()
    tried = recipe_search.candidates(LoraRecipe(), ["rank=8", "epochs=9"], only=True)
    assert tried == [LoraRecipe(), LoraRecipe(epochs=9)]


SPEED = {
    "benchmark": "speed",
    "title": speed.TITLE,
    "targets": speed.TARGETS,
    "startup": {
        "seconds": {
            name: common.spread([value])
            for name, value in (("python", 0.02), ("import", 0.1), ("help", 0.4))
        }
    },
    "demo": {"seconds": 100.0, "language": "both"},
    "lora": {
        "rows_10": {"en": common.spread([1.0, 1.5, 2.0])},
        "rows_100": {"en": common.spread([8.0])},
        "rows_100_recall": {"en": 0.95},
    },
    "trl": {
        "goal": 0.9,
        "ratio": 2.5,
        "ratio_same_settings": 2.1,
        "ratio_documented": 1.6,
        "seconds": {
            n: common.spread([s])
            for n, s in (("best", 8), ("same_settings", 9.5), ("documented", 12.5), ("trl", 20))
        },
        "recall": {"best": 0.92, "same_settings": 0.92, "documented": 0.95, "trl": 0.91},
    },
    "batch": {
        "questions": 60,
        "ratio": 3.5,
        "seconds": {"batch": common.spread([2.0]), "one_by_one": common.spread([7.0])},
        "peak_bytes": {"batch": 700e6, "one_by_one": 650e6},
    },
    "pretraining": {"failed": "no memory"},
}


def test_speed_report_says_what_is_met_missed_and_failed(capsys):
    met = {what: good for what, _, _, good in speed.lines(SPEED) if good is not None}
    assert met["workshop --help"] is False
    assert met["import workshop_helpers"] is True
    assert met["90 % recall against TRL's defaults, each at its best"] is True
    assert met["  the documented recipe"] is False
    assert met["60 questions in batch"] is False
    speed.report(SPEED)
    assert "pretraining could not be measured: no memory" in capsys.readouterr().out


def test_a_training_beside_another_is_told_as_ratios_of_medians(capsys):
    def run(seconds, busy, peak):
        return {"seconds": seconds, "processor_seconds": busy, "peak_bytes": peak, "loss": 1.25}

    runs = {
        "ours": [run(2.0, 1.0, 1e9), run(4.0, 1.1, 1e9), run(3.0, 1.2, 1e9)],
        "trl": [run(9.0, 3.3, 2e9)],
    }
    ratios = training.ratios(runs)
    assert ratios == {"trl": {"seconds": 3.0, "processor_seconds": 3.0, "peak_bytes": 2.0}}
    ways = {name: training.figures_of(found, 600) for name, found in runs.items()}
    assert ways["ours"]["tokens_per_second"] == 200 and ways["trl"]["loss"]["median"] == 1.25
    training.report({"rows": 40, "tokens": 600, "ways": ways, "ratios": ratios})
    shown = capsys.readouterr().out
    assert "3.00 s (2.00–4.00)" in shown and "2,000" in shown


PAIR = {
    "equal": 0.9889,
    "equal_or_level": 1.0,
    "target": 0.99,
    "differences": [{"question": "q", "at": 3, "tokens": ["a", "b"], "gap_nats": 0.002}],
}
RUNTIMES = {
    "benchmark": "runtimes",
    "title": runtimes.TITLE,
    "questions": 180,
    "type": "F16",
    "ollama": "0.9.3",
    "models": {
        "base": {"llama.cpp = ollama": PAIR},
        "tuned": {"transformers = llama.cpp": {**PAIR, "target": 0.95, "differences": []}},
    },
}
FAMILY = {
    "texts": {"asked": 20, "llama.cpp": 20, "ollama": 20},
    "chat": {"llama.cpp": True, "ollama": True, "bos": {"transformers": 1, "llama.cpp": 1}},
    "difference": {"F32": 2e-5, "F16": 0.02, "F16 as asked": 0.03},
    "heads": {"tied": 2e-5, "untied": 3e-5},
    "added_pad": {"id": True, "learned": 4},
    "asked_back": {"template": True, "eos": True, "context length": True},
    "questions": 4,
    "learned": {"transformers": 4, "llama.cpp": 4, "ollama": 4},
    "equal": {"llama.cpp = ollama": 4},
    "quantized": {kind: {"learned": 4, "equal": 4} for kind in families.TYPES},
}
GEMMA = {
    **FAMILY,
    "difference": {"F32": 2.3e-3, "F16": 0.01, "F16 as asked": 0.01},
    "gelu": {
        "first token": 1.1e-3,
        "first token, rounded": 7.1e-6,
        "without feed-forward layers": 4.3e-6,
    },
    "quantized": {**FAMILY["quantized"], "Q8_0": {"learned": 4, "equal": 0}},
}  # fmt: skip
FOUND = {
    "benchmark": "families",
    "title": families.TITLE,
    "targets": families.TARGETS,
    "ollama": "0.9.3",
    "families": {
        name: {**one, "missed": families.missed(one)}
        for name, one in (("llama3", FAMILY), ("gemma3", GEMMA))
    },
}


def test_what_a_family_misses_is_said_and_nothing_else():
    assert families.missed(FAMILY) == []
    assert families.missed(GEMMA) == [
        "F32 differs by 0.0023, 0.001 at most",
        "Q8_0: 0 of 4 answers in Ollama are llama.cpp's",
    ]
    broken = FAMILY | {
        "texts": {"asked": 20, "llama.cpp": 19, "ollama": 20},
        "chat": {**FAMILY["chat"], "bos": {"transformers": 1, "llama.cpp": 2}},
        "asked_back": {"template": False},
        "added_pad": {"id": True, "learned": 3},
        "quantized": {"Q2_K": {"learned": 4, "equal": None, "reason": "it stopped"}},
    }
    assert families.missed(broken) == [
        "llama.cpp: 19 of 20 hard texts become the same ids", "BOS is counted otherwise",
        "an added padding token does harm", "template is not the model's",
        "Q2_K in Ollama: it stopped",
    ]  # fmt: skip


def test_questions_are_spread_over_all_and_half_a_character_makes_no_other_answer():
    assert runtimes.pick(range(90), 3) == [0, 30, 60]
    assert runtimes.pick(range(5), 90) == [0, 1, 2, 3, 4]
    assert runtimes.readable("お申し\ufffdの上") == runtimes.readable("お申しの上")


def test_reports_are_readable(capsys):
    quantization.report(recorded("quantization")["tables"])
    runtimes.report(RUNTIMES)
    families.report(FOUND)
    adapters.report(recorded("adapters"))
    learning.report(figures_of_learning())
    out = capsys.readouterr().out
    assert "Q4_K_M" in out
    assert "98.8 %" in out and "token 3: 'a' / 'b' (0.002000 nats)" in out
    assert "gemma3: F32 differs by 0.0023, 0.001 at most" in out
    assert "Q8_0 + adapter" in out
    assert "tuned_100" in out and "91.0 % (90.0–92.0)" in out


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_results_page_shows_every_benchmark(language):
    files = {
        "learning": figures_of_learning(),
        "runtimes": RUNTIMES,
        "families": FOUND,
        "speed": SPEED,
        **{name: recorded(name) for name in ("quantization", "adapters", "data_check", "scoring")},
        **{name: recorded(name) for name in ("learning_map", "curve")},
        "real_models": figures_of_real_models(),
    }
    shown = {name: readme_figures.section(name, files[name], language) for name in files}
    for name, told in shown.items():
        assert files[name]["title"][language] in told
        # No key of the files is shown as it is.
        for known in (
            "load_dataset",
            f"{name}.json",
            "Q8_0",
            "Q4_K_M",
            "Q2_K",
            "Q4_0",
            "Q4_1",
            "x86_64",
            "workshop_helpers",
        ):
            told = told.replace(known, "")
        assert "_" not in told
    assert "91.0 % (90.0–92.0)" in shown["learning"]
    say = readme_figures.words(language)
    missed = say("missed")
    assert f"98.8 %, **{missed}**" in shown["runtimes"]
    assert shown["runtimes"].count(missed) == 1
    assert f"2.3e-03, **{missed}**" in shown["families"] and "7.1e-06" in shown["families"]
    assert shown["families"].count(missed) == 2
    assert say("own_engine") in shown["families"]
    assert "2.50× (20.0 / 8.0 s)" in shown["speed"]
    assert "3.50× (7.0 / 2.0 s), **" in shown["speed"]


def test_only_whole_runs_of_the_bundled_model_go_to_results():
    assert common.Settings("speed", "mame").result == RESULTS / "speed.json"
    for model, options in (
        ("mame", {"quick": True}),
        ("other", {}),
        ("mame", {"languages": ("en",)}),
    ):
        assert RESULTS not in common.Settings("speed", model, **options).result.parents


def test_a_results_file_says_where_it_comes_from_and_is_taken_up_again(tiny_model, tmp_path):
    asked = common.Settings("speed", str(tiny_model), out=tmp_path / "speed.json", work=tmp_path)
    common.save(asked, {"title": {}, "batch": {"ratio": 4.5}})
    found = json.loads(asked.result.read_text(encoding="utf-8"))
    assert set(PROVENANCE) <= set(found)
    assert len(found["model"]["files"]["model.safetensors"]) == 64
    assert str(tiny_model.parent) not in asked.result.read_text(encoding="utf-8")
    assert common.earlier(asked, ("batch", "trl")) == {"batch": {"ratio": 4.5}}
    asked.result.write_text(json.dumps({**found, "model": {"name": "another"}}), encoding="utf-8")
    assert common.earlier(asked, ("batch",)) == {}


@pytest.mark.parametrize("name", [*all_of_them.NAMES, *all_of_them.OTHERS])
def test_every_benchmark_tells_how_it_is_used(name, capsys):
    with pytest.raises(SystemExit) as left:
        import_module(f"benchmarks.{name}").main(["--help"])
    told = capsys.readouterr().out
    assert left.value.code == 0 and "--quick" in told
    none = ("families", "scoring", "own_rows", "real_models", "demo")  # which take no model
    assert ("--model " in told) is (name not in none)


def test_make_bench_names_benchmarks_and_passes_options_on():
    every = ["learning", "quantization", "speed", "data_check", "scoring"]
    assert all_of_them.split(["--quick"]) == (every, ["--quick"])
    assert all_of_them.split(["speed", "--only", "trl"]) == (["speed"], ["--only", "trl"])
    assert all_of_them.main(["no-such"]) == 2


def test_peak_memory_is_the_process_own_and_not_its_parents():
    ballast = bytearray(300 * 2**20)
    ballast[:: 2**12] = b"x" * len(ballast[:: 2**12])
    code = "from benchmarks.common import peak_memory_bytes as peak; print(peak())"
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    assert 2**20 < int(child.stdout) < 200 * 2**20 < common.peak_memory_bytes()
    del ballast


def test_the_matmul_peak_is_a_speed():
    torch = pytest.importorskip("torch")
    assert throughput.matmul_peak(torch.float32, "cpu", seconds=0.01) > 1e8


def test_what_was_foretold_follows_from_the_recorded_trainings():
    for language, found in recorded("curve")["languages"].items():
        curve = RowsCurve.from_dict(found["curve"])
        assert (curve.rows, curve.language, curve.questions) == (100, language, 90)
        assert {one["rows"] for one in found["ahead"]} == {200, 250, 500}
        for one in found["ahead"]:
            expected = curve.at(one["rows"])
            assert one["expected"]["middle"] == pytest.approx(expected.middle, abs=1e-6)
            assert one["off"] == pytest.approx(one["recall"] - expected.middle, abs=1e-4)
            assert one["within"] == (expected.low <= one["recall"] <= expected.high)


@pytest.mark.parametrize("name", KEYS)
def test_recorded_results_hold_what_the_readme_needs(name):
    found = recorded(name)
    missing = {*PROVENANCE, *KEYS[name]} - set(found)
    assert not missing
    assert found["benchmark"] == name and found["quick"] is False
    assert all(len(digest) == 64 for digest in found["model"]["files"].values())
    assert str(Path.home()) + "/" not in json.dumps(found)


def test_what_we_compare_with_runs_without_our_settings():
    """The package tunes OpenMP when it is imported; TRL by itself would not have that."""
    code = (
        "import os; before = dict(os.environ); from benchmarks.common import CLEAN_ENVIRONMENT; "
        "print(before == CLEAN_ENVIRONMENT, before == dict(os.environ))"
    )
    ours = ("OMP_", "GOMP_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    command, options = [sys.executable, "-c", code], {"capture_output": True, "text": True}
    told = subprocess.run(command, cwd=ROOT, env=clean, check=True, **options)
    assert told.stdout.split() == ["True", "False"]

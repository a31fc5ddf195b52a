"""Perplexity, answers with another amount, lm-eval's task, and the verb that puts all together."""

from __future__ import annotations

import json
import math

import pytest
from commands import run

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.evaluation.altered import other_amounts, referenced, wrong_answers
from workshop_helpers.evaluation.perplexity import reference_loss
from workshop_helpers.evaluation.shop import Shop
from workshop_helpers.metrics.scoring import Question, score_answer

LANGUAGES = ("en", "ja")


@pytest.mark.parametrize(
    ("surface", "others"),
    [
        ("14 days", ["28 days", "42 days", "7 days"]),
        ("$6.99", ["$13.98", "$20.97", "$3.50"]),
        ("5,000円", ["10,000円", "15,000円", "2,500円"]),
        ("2〜4営業日", ["4〜8営業日", "6〜12営業日", "1〜2営業日"]),
        ("9:00〜18:00", ["10:00〜19:00", "11:00〜20:00", "8:00〜17:00"]),
        ("水曜日", ["木曜日", "土曜日", "月曜日"]),
        ("2 hours", ["4 hours", "6 hours", "8 hours"]),
        ("free", []),
    ],
)
def test_other_amounts_are_written_like_the_right_one(surface, others):
    assert other_amounts(surface) == others


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_question_of_the_shop_has_three_wrong_answers(language):
    for question in referenced(Shop(language).questions):
        assert score_answer(question.reference, question).recall == 1
        wrong = wrong_answers(question)
        assert len(set(wrong)) == 3
        assert all(score_answer(text, question).recall < 1 for text in wrong), wrong


def test_questions_without_known_facts_stay_as_they_are():
    plain = [Question("How much?", id="shipping_fee-1")]
    assert referenced(plain) == plain
    assert wrong_answers(plain[0]) == []


def test_perplexity_is_the_same_in_any_batch_and_in_llama_cpp(mame_gguf):
    questions = referenced(Shop("en").questions)[:6]
    together = reference_loss("mame", questions)
    alone = [reference_loss("mame", [question]) for question in questions]
    assert together.nats == pytest.approx(sum(one.nats for one in alone), rel=1e-4)
    assert together.tokens == sum(one.tokens for one in alone)
    assert together.characters == sum(len(q.reference) for q in questions)
    by_llama = reference_loss(mame_gguf, questions)
    assert by_llama.tokens == together.tokens
    assert by_llama.nats == pytest.approx(together.nats, rel=0.01)
    bits = together.perplexity ** (together.tokens / together.characters)
    assert together.bits_per_character == pytest.approx(math.log2(bits))


def test_perplexity_needs_references_and_probabilities():
    with pytest.raises(WorkshopError, match="no reference|reference answer"):
        reference_loss("mame", [Question("How much?")])
    with pytest.raises(WorkshopError, match="GGUF"):
        reference_loss("ollama:some", [Question("How much?", reference="$5.")])


def test_the_task_of_lm_eval_runs_offline(tmp_path):
    pytest.importorskip("lm_eval")
    from workshop_helpers.evaluation.harness import run_task, write_task

    task = write_task(referenced(Shop("en").questions)[:8], tmp_path / "tasks")
    rows = (tmp_path / "tasks" / "shop_facts.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == task.questions == 8
    assert {json.loads(row)["right"] for row in rows} > {0}, "not always the same place"
    found = run_task(task, "mame")
    assert 0 <= found.acc < 1 and found.acc_stderr > 0
    with pytest.raises(WorkshopError, match="wrong answers"):
        write_task([Question("How much?")], tmp_path / "none")


# ---- the verb ----------------------------------------------------------------------------------


@pytest.fixture
def asked(tmp_path):
    lines = [
        {"question": "How much is shipping?", "facts": ["$6.99"], "reference": "It costs $6.99."},
        {"question": "When are you closed?", "facts": ["Wednesday"], "reference": "On Wednesday."},
    ]
    path = tmp_path / "asked.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_the_verb_measures_judges_and_writes(asked, tmp_path, capfd, mame_gguf):
    from workshop_helpers.runtimes.llama_cpp import LlamaCppRuntime

    out = tmp_path / "figures.json"
    how = ("--questions", asked, "--out", out, "--max-new-tokens", 12)
    with LlamaCppRuntime(mame_gguf) as runtime:
        code, shown, _ = run(capfd, "evaluate", "mame", mame_gguf, *how, "--judge", runtime.url)
    assert code == 0
    assert "perplexity" in shown and "ROUGE-L" in shown and "The judge" in shown
    written = json.loads(out.read_text(encoding="utf-8"))
    first, second = written["models"]
    assert first["judged"] is None and len(second["judged"]["pairs"]) == 2
    assert first["recall"]["n"] == 2 and second["rise"]["n"] == 2
    assert first["loss"]["perplexity"] == pytest.approx(second["loss"]["perplexity"], rel=0.02)
    assert len(written["answers"]) == 4


def test_the_verb_gives_json_without_references(tmp_path, capfd):
    path = tmp_path / "plain.jsonl"
    path.write_text(json.dumps({"question": "How much is shipping?"}) + "\n", encoding="utf-8")
    code, shown, _ = run(
        capfd, "evaluate", "mame", "--questions", path, "--json", "--max-new-tokens", 8
    )
    assert code == 0
    (row,) = json.loads(shown)["models"]
    assert row["recall"] is row["loss"] is row["overlap"] is row["judged"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--judge", "http://127.0.0.1:9/v1"), "mame"),
        (("--judge-model", "x"), "--judge http"),
        (("--key-env", "KEY"), "--judge http"),
    ],
)
def test_what_does_not_go_together_is_refused_before_any_work(asked, capfd, arguments, told):
    code, _, errors = run(capfd, "evaluate", "mame", "--questions", asked, *arguments)
    assert code == 2
    assert told in errors


def test_a_folder_is_no_place_for_the_figures(asked, tmp_path, capfd):
    folder = tmp_path / "figures"
    folder.mkdir()
    code, _, errors = run(capfd, "evaluate", "mame", "--questions", asked, "--out", folder)
    assert (code, "folder" in errors) == (2, True)


def test_a_judge_that_is_not_there_is_told_before_the_models_answer(asked, capfd, mame_gguf):
    how = ("--questions", asked, "--judge", "http://127.0.0.1:9/v1")
    code, _, errors = run(capfd, "evaluate", "mame", mame_gguf, *how)
    assert code == 2
    assert "127.0.0.1:9" in errors and "answers in" not in errors

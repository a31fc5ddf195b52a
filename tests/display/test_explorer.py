"""The before/after explorer, worked by its controls: what it shows follows from what is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from comparisons import ANSWERS, QUESTIONS, answered

from workshop_helpers.display.widgets.explorer import Explorer, explore
from workshop_helpers.evaluation.candidates import Candidate
from workshop_helpers.evaluation.comparison import Comparison, compare

pytest.importorskip("ipywidgets")


def built(comparison: Comparison | None = None, language: str = "en") -> Explorer:
    explorer = explore(comparison or answered(), language)
    explorer.widget  # noqa: B018  builds it
    return explorer


def listed(explorer: Explorer) -> list[str]:
    return [label for label, _ in explorer.picker.options]


def test_the_filter_leaves_the_questions_that_it_names() -> None:
    explorer = built()
    assert listed(explorer) == [QUESTIONS[0].question, QUESTIONS[1].question]  # they differ
    assert explorer.count.value == "2 of 3 questions"
    explorer.filter.value = "wrong"
    assert listed(explorer) == [QUESTIONS[0].question]
    explorer.filter.value = "all"
    assert len(listed(explorer)) == 3
    # of the candidates that are shown: without the one that is wrong nobody is
    explorer.chosen["tuned [10]"].value = False
    explorer.filter.value = "wrong"
    assert explorer.picker.value is None
    assert "No question" in explorer.answers.value


def test_a_picked_question_shows_marked_answers_with_seconds_and_what_changed() -> None:
    explorer = built()
    explorer.picker.value = 1
    assert "返金は？" in explorer.answers.value
    assert explorer.answers.value.count("0.25 s") == 3
    explorer.picker.value = 0
    assert 'class="found"' in explorer.answers.value and 'class="wrong"' in explorer.answers.value
    assert ">depends.</del>" in explorer.changes.value
    assert ">is $6.99 &lt;now&gt;.</ins>" in explorer.changes.value
    explorer.before.value = "tuned [10]"
    assert "<del" in explorer.changes.value and "9.99" in explorer.changes.value
    assert "depends" not in explorer.changes.value
    explorer.after.value = "tuned [10]"
    assert "same, word for word" in explorer.changes.value


def test_two_to_four_candidates_stand_beside_each_other() -> None:
    answers = {f"model {n}": ANSWERS["base"] for n in range(5)}
    explorer = built(answered(answers))
    explorer.filter.value = "all"
    assert [box.value for box in explorer.chosen.values()] == [True] * 4 + [False]
    assert explorer.answers.value.count('class="answer"') == 4
    explorer.chosen["model 4"].value = True
    assert "2 to 4" in explorer.answers.value
    for n in range(3):
        explorer.chosen[f"model {n}"].value = False
    assert explorer.answers.value.count('class="answer"') == 2
    explorer.chosen["model 3"].value = False
    assert "2 to 4" in explorer.answers.value


def test_it_keeps_the_question_when_candidates_change() -> None:
    explorer = built()
    explorer.filter.value = "all"
    explorer.picker.value = 1
    explorer.chosen["base"].value = False
    assert explorer.picker.value == 1
    assert explorer.answers.value.count('class="answer"') == 2


def test_an_own_question_is_asked_of_real_models_and_one_that_is_not_there_says_so(
    tiny_model: Path, tmp_path: Path
) -> None:
    comparison = compare(
        [Candidate("base", tiny_model), Candidate("prompt", tiny_model, system="Be brief.")],
        QUESTIONS,
        max_new_tokens=4,
    )
    gone = answered().of("tuned")
    gone.rows[0].candidate = Candidate("tuned", tmp_path / "gone")
    explorer = built(comparison | gone)
    states: list[str] = []
    explorer.status.observe(lambda change: states.append(change.new), "value")
    explorer.own.value = "Do you deliver on <Sunday>?"
    explorer.ask.click()
    assert ["Opening base (1 of 3)" in said for said in states][:1] == [True]
    assert "prompt is answering" in states[1]  # the same model, which is open
    assert "1 of 3 could not answer" in states[-1]
    assert explorer.picker.value == -1
    assert listed(explorer)[0] == "✎ Do you deliver on <Sunday>?"
    assert "deliver on &lt;Sunday&gt;?" in explorer.answers.value
    assert "could not be asked" in explorer.answers.value
    assert "no such folder or file" in explorer.answers.value
    assert explorer.models.names == (str(tiny_model),)
    # it stays in the list, whatever the filter, beside the prepared ones
    explorer.filter.value = "wrong"
    explorer.own.value = QUESTIONS[0].question  # its facts are known
    explorer.own._handle_msg(
        {"content": {"data": {"method": "custom", "content": ENTER}}, "buffers": []}
    )
    assert explorer.picker.value == -2
    assert "$6.99" in explorer.answers.value
    assert len([label for label in listed(explorer) if label.startswith("✎")]) == 2
    explorer.picker.value = -1
    assert "Sunday" in explorer.answers.value


ENTER = {"event": "submit"}


def test_what_goes_wrong_is_said_in_the_widget() -> None:
    explorer = built(language="ja")
    explorer.own.value = "  "
    explorer.ask.click()
    assert "先に質問を入力" in explorer.status.value
    explorer.comparison.rows[0].answers.clear()  # a comparison that somebody broke
    explorer.picker.value = 1
    assert "うまくいきませんでした" in explorer.status.value


@pytest.mark.parametrize(("language", "word"), [("en", "Seconds:"), ("ja", "秒数：")])
def test_without_widgets_the_questions_that_differ_most_are_read(language, word) -> None:
    shown = explore(answered(), language)._repr_mimebundle_()
    html = shown["text/html"]
    assert word in html and "0.25" in html
    assert all(question.question[:5] in html for question in QUESTIONS)
    assert "How much is shipping?" in shown["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in shown

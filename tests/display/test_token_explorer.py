"""The token view: its counts are the trainer's, and it can be read where no widget runs."""

from __future__ import annotations

import re
from html import unescape

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.formats import Conversation, Message
from workshop_helpers.display.preview import preview, previewed
from workshop_helpers.display.tokens import role_lengths, row_tokens
from workshop_helpers.display.widgets.tokens import TokenExplorer, explore_tokens
from workshop_helpers.models.load import load_tokenizer

pytest.importorskip("ipywidgets")
ROWS = [
    Conversation((Message("user", "送料は？"), Message("assistant", "500円です。"))),
    Conversation(
        (
            Message("system", "You are the shop's <help>."),
            Message("user", "May I return it? " * 4),
            Message("assistant", "Yes, within 14 days."),
        )
    ),
]


@pytest.fixture
def view(tiny_model) -> TokenExplorer:
    made = explore_tokens(tiny_model, ROWS, "en")
    assert made.widget
    return made


def text(view: TokenExplorer) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", view._html.value)))


@pytest.mark.parametrize("length", [8, 30, 64, 512])
def test_what_is_cut_learned_and_dropped_is_what_the_trainer_says(tiny_model, length):
    tokenizer = load_tokenizer(tiny_model)
    for place, true in enumerate(preview(ROWS, model=tiny_model, max_length=length)):
        row = previewed(tokenizer, ROWS[place], place + 1, length)
        assert (row.tokens, row.dropped, row.text) == (true.tokens, true.dropped, true.text)


def test_the_roles_of_a_row_follow_its_template(tiny_model):
    tokenizer = load_tokenizer(tiny_model)
    lengths = role_lengths(tokenizer, ROWS[1])
    assert [role for role, _ in lengths] == ["system", "user", "assistant"]
    tokens = row_tokens(tokenizer, ROWS[1])
    assert sum(length for _, length in lengths) == len(tokens)
    first = tokenizer.decode([token.id for token in tokens[: lengths[0][1]]])
    assert first == "<|im_start|>system\nYou are the shop's <help>.<|im_end|>\n"


def test_a_template_that_moves_the_system_text_has_a_prompt_and_an_answer(tiny_model):
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.chat_template = (
        "{% for m in messages if m.role != 'system' %}"
        "{{ messages[0].content ~ m.role ~ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}assistant{% endif %}"
    )
    lengths = role_lengths(tokenizer, ROWS[1])
    assert [role for role, _ in lengths] == ["prompt", "assistant"]
    assert sum(length for _, length in lengths) == len(row_tokens(tokenizer, ROWS[1]))


def test_it_begins_with_the_first_row_whole(view):
    assert (view.row.value, view.length.value) == (0, view.length.max)
    assert "cut off 0" in text(view) and "max_length 512" not in text(view)
    assert "the recipe's: 512" in text(view)
    assert "user · no loss" in text(view) and "assistant · carries loss" in text(view)


def test_another_row_and_a_shorter_length_are_shown_at_once(view):
    view.row.value = 1
    whole = len(row_tokens(view.tokenizer, ROWS[1]))
    assert f"of {whole} tokens" in text(view) and "system · no loss" in text(view)
    view.length.value = whole - 3
    assert "cut off 3" in text(view) and "does not teach the model to stop" in text(view)
    view.length.value = 8
    assert "The row is dropped" in text(view) and "learned 0" in text(view)


def test_every_box_has_its_id_and_loss_is_seen_without_colour(view):
    tokens = row_tokens(view.tokenizer, ROWS[0])
    boxes = view._html.value.partition("cut off")[2]
    assert re.findall(r"opacity:.75\">(\d+)<", boxes) == [str(token.id) for token in tokens]
    learned = sum(token.loss for token in tokens)
    in_boxes = boxes.partition("As text")[0]
    assert in_boxes.count("border-bottom:3px solid #") == learned


def test_nothing_of_a_row_becomes_markup(view):
    view.row.value = 1
    assert "<help>" not in view._html.value and "&lt;help&gt;" in view._html.value


@pytest.mark.parametrize(("language", "word"), [("en", "only read"), ("ja", "読むだけ")])
def test_without_widgets_the_first_row_is_read(tiny_model, language, word):
    shown = explore_tokens(tiny_model, ROWS, language).fallback()
    assert word in shown.html and "送料は" in shown.html
    assert "⟦500円です。<|im_end|>" in shown.text


def test_no_rows_are_refused(tiny_model):
    with pytest.raises(WorkshopError, match="no row"):
        explore_tokens(tiny_model, [])

"""The preview shows what training really feeds to the model: the same ids, loss and cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from terminal import on_terminal

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.formats import Conversation, Message
from workshop_helpers.display.preview import preview
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.train import train

ROWS = [
    ("送料は？", "500円です😀。"),
    ("How much is standard shipping?", "Standard shipping costs $6.99. " * 6),
    ("You can return an item? " * 12, "No."),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({"instruction": q, "output": a}, ensure_ascii=False) for q, a in ROWS]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_ids_loss_and_cut_are_those_of_a_real_training_run(tiny_model, file, tmp_path, monkeypatch):
    from trl import SFTTrainer

    fed: list[dict] = []
    plain = SFTTrainer.__init__

    def watched(self, *args, **kwargs):
        plain(self, *args, **kwargs)
        fed.extend(self.train_dataset)

    rows = preview(file, model=tiny_model, max_length=64)
    monkeypatch.setattr(SFTTrainer, "__init__", watched)
    recipe = LoraRecipe(max_length=64, epochs=1, rank=2)
    report = train(tiny_model, file, tmp_path / "adapter", recipe, device="cpu", progress=False)

    kept = [row for row in rows if not row.dropped]
    tokens = [[token for token in row.tokens if not token.cut] for row in kept]
    assert [row["input_ids"] for row in fed] == [[token.id for token in row] for row in tokens]
    losses = [[label != -100 for label in row["labels"]] for row in fed]
    assert losses == [[token.loss for token in row] for row in tokens]
    assert report.truncated == [row.conversation.line for row in kept if row.cut] == [2]
    assert report.dropped == [row.conversation.line for row in rows if row.dropped] == [3]


def test_the_tokens_of_a_row_make_up_its_rendered_text(tiny_model, file):
    from workshop_helpers.models.load import load_tokenizer

    tokenizer = load_tokenizer(tiny_model)
    for row in preview(file, model=tiny_model, max_length=64):
        assert tokenizer.decode([token.id for token in row.tokens]) == row.text
        assert row.conversation.answer.strip() in row.text


def test_a_row_that_fits_has_no_remark_and_a_cut_one_says_what_is_lost(tiny_model, file):
    fits, cut, dropped = preview(file, model=tiny_model, max_length=64)
    assert fits.remarks("en") == fits.remarks("ja") == []
    assert f"{len(cut.cut)} tokens" in cut.remarks("en")[0]
    assert "does not teach the model to stop" in cut.remarks("en")[1]
    assert "回答" in cut.remarks("ja")[0]
    assert "dropped" in dropped.remarks("en")[0]
    assert dropped.learned == dropped.seen == 0
    assert cut.seen == 64
    only_the_line_end = preview(file, model=tiny_model, rows=1, max_length=len(fits.tokens) - 1)
    assert len(only_the_line_end[0].remarks("en")) == 1


def test_without_a_length_the_models_recipe_and_window_hold(tiny_model, file):
    assert preview(file, model=tiny_model).max_length == LoraRecipe.for_model(tiny_model).max_length
    assert preview(file, model=tiny_model, max_length=9999).max_length == 1024


def test_a_long_file_is_read_no_further_than_asked(tiny_model, file):
    with file.open("a", encoding="utf-8") as more:
        more.write("not JSON at all\n")
    assert preview(file, model=tiny_model, rows=2).faults == []
    assert [row.conversation.line for row in preview(file, model=tiny_model, rows=2)] == [1, 2]


def test_unreadable_rows_are_told_and_passed_over(tiny_model, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('oops\n{"instruction": "Hi", "output": "Hello"}\n', encoding="utf-8")
    shown = preview(path, model=tiny_model)
    assert [fault.line for fault in shown.faults] == [1]
    assert shown[0].conversation.line == 2
    assert "rows.jsonl:1" in shown.html().text


def test_text_of_a_row_is_escaped_for_the_page_and_for_the_terminal(tiny_model):
    evil = "<script>alert(1)</script> [bold]x[/bold] \x1b[31mred\x1b[0m \u202e"
    rows = [Conversation((Message("user", evil), Message("assistant", "No & never.")))]
    shown = preview(rows, model=tiny_model)
    html = shown.html().html
    assert "<script" not in html
    assert "&lt;" in html and "&amp;" in html
    assert "\x1b" not in shown.html().text
    printed = on_terminal(shown, 200)
    assert "\x1b[31m" not in printed and "\u202e" not in printed
    assert "[bold]x[/bold]".replace("[", "") in printed.replace("␣", "").replace("[", "")
    assert "\u202e" not in html


def test_the_notebook_and_the_terminal_speak_both_languages(tiny_model, file):
    for language, word in (("en", "carries loss"), ("ja", "損失あり")):
        shown = preview(file, model=tiny_model, language=language, max_length=64)
        assert word in shown._repr_mimebundle_()["text/html"]
        printed = on_terminal(shown, 120, color_system="truecolor", force_terminal=True)
        assert word in printed and "\x1b[" in printed


def test_loss_is_marked_in_the_plain_text_too(tiny_model, file):
    text = preview(file, model=tiny_model, rows=1).html().text
    assert text.index("⟦") < text.index("500") < text.index("⟧")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 0}, "at least one row"), ({"max_length": 3}, "at least 8"),
        ({"language": "fr"}, "labels"), ({"model": "no-such-model"}, "no-such-model"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(file, arguments, message):
    with pytest.raises(WorkshopError, match=message):
        preview(file, **arguments)


def test_a_file_without_a_readable_row_is_refused(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text("oops\n", encoding="utf-8")
    with pytest.raises(WorkshopError, match="no row that can be read"):
        preview(path)

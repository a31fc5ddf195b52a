"""A training row, token by token: those marked are those that carry loss in training."""

from __future__ import annotations

from workshop_helpers.dataset.formats import Conversation, Message
from workshop_helpers.display.tokens import row_tokens, show_tokens
from workshop_helpers.models.load import load_tokenizer

ROW = Conversation((Message("user", "送料は？"), Message("assistant", "500円です😀。")))


def test_only_the_answer_and_its_end_carry_loss(tiny_model):
    tokenizer = load_tokenizer(tiny_model)
    tokens = row_tokens(tokenizer, ROW)
    taught = tokenizer.decode([token.id for token in tokens if token.loss])
    read = tokenizer.decode([token.id for token in tokens if not token.loss])
    assert taught == "500円です😀。<|im_end|>\n"
    assert read == "<|im_start|>user\n送料は？<|im_end|>\n<|im_start|>assistant\n"


def test_the_marks_are_those_of_the_trainer(tiny_model, tmp_path):
    """TRL's own preparation of a prompt-completion row gives the same ids and the same mask."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    tokenizer = load_tokenizer(tiny_model)
    answer = [{"role": "assistant", "content": ROW.answer}]
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(tiny_model),
        args=SFTConfig(use_cpu=True, bf16=False, report_to="none", output_dir=str(tmp_path)),
        train_dataset=Dataset.from_list([{"prompt": ROW.prompt_messages(), "completion": answer}]),
        processing_class=tokenizer,
    )
    row = trainer.train_dataset[0]
    tokens = row_tokens(tokenizer, ROW)
    assert row["input_ids"] == [token.id for token in tokens]
    assert [label != -100 for label in row["labels"]] == [token.loss for token in tokens]


def test_a_cut_character_is_shown_as_its_bytes(tiny_model):
    shown = show_tokens(load_tokenizer(tiny_model), ROW)
    assert "⟨F0⟩" in shown.html
    assert "\ufffd" not in shown.html

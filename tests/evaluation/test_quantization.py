"""What quantization costs: the figures of the table, and how far two runtimes agree."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from measured import quantized
from training_rows import talk

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.display import as_table
from workshop_helpers.evaluation.agreement import agreement
from workshop_helpers.evaluation.quantization import TIMED, QuantizationTable, quantization_table
from workshop_helpers.gguf.convert import convert
from workshop_helpers.gguf.logits import ServerLogits, open_logits
from workshop_helpers.metrics.scoring import Question

PAIRS = [
    ("How much is standard shipping?", "Standard shipping costs $6.99."),
    ("When do refunds arrive?", "Refunds arrive in 5-7 business days."),
    ("通常の送料はいくらですか？", "通常の送料は500円です。"),
    ("営業時間を教えてください。", "営業時間は9:00〜18:00です。"),
]
HELD_OUT = [talk(question, answer) for question, answer in PAIRS]
QUESTIONS = [Question(question, facts=("500",)) for question, _ in PAIRS]
SYSTEM = "You are the support assistant of Blue Lantern."


@pytest.fixture(scope="module")
def rough_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small random model with larger weights, so that rounding shows."""
    import shutil

    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny_model, tmp_path_factory.mktemp("rough") / "model"))
    weights = load_file(folder / "model.safetensors")
    scaled = {n: (w * 5).half().float() if w.dim() > 1 else w for n, w in weights.items()}
    save_file(scaled, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def f16(rough_model: Path) -> Path:
    return convert(rough_model, rough_model.parent / "豆 m-F16.gguf").path


def table_of(
    f16: Path, types: list[str], questions: Any, rows: Any = HELD_OUT, **options: int
) -> QuantizationTable:
    return quantization_table(f16, types, questions, held_out_conversations=rows, **options)


@pytest.fixture(scope="module")
def table(f16: Path) -> QuantizationTable:
    types = ["F16", "Q8_0", "Q4_K_M", "Q2_K"]
    return table_of(f16, types, QUESTIONS, max_new_tokens=16)


def test_harm_grows_as_bits_shrink(table):
    assert [row.type for row in table.rows] == ["F16", "Q8_0", "Q4_K_M", "Q2_K"]
    falling = {
        "size_bytes": True,
        "bits_per_weight": True,
        "kl_to_f16": False,
        "same_top_token": True,
    }
    for figure, reverse in falling.items():
        values = [getattr(row, figure) for row in table.rows]
        assert values == sorted(values, reverse=reverse), figure
    first = table.rows[0]
    assert (first.kl_to_f16, first.same_top_token) == (0, 1)
    assert table.rows[1].kl_to_f16 < table.rows[3].kl_to_f16 / 20
    assert table.rows[3].same_top_token < 1


def test_speeds_and_load_times_are_measured(table):
    for row in table.rows:
        assert row.load_seconds > 0
        assert row.prompt_tokens_per_second > 0
        assert row.generation_tokens_per_second > 0
        assert row.recall == 0
        assert row.size_bytes == row.path.stat().st_size


def test_a_speed_is_a_median_within_its_range(table):
    for row in table.rows:
        assert set(row.ranges) == set(TIMED)
        for figure, (low, high) in row.ranges.items():
            assert 0 < low <= getattr(row, figure) <= high


def test_types_whose_ranges_overlap_are_not_ordered():
    speeds = {"F16": (90, 110), "Q8_0": (200, 260), "Q4_K_M": (250, 300), "Q2_K": (400, 500)}
    found = quantized(ranges=speeds)
    assert found.tied("generation_tokens_per_second") == {"Q8_0", "Q4_K_M"}
    assert found.tied("prompt_tokens_per_second") == set()
    shown = as_table(found)
    assert [row[-1].endswith("≈") for row in shown.rows] == [False, True, True, False]
    assert "no difference measured" in shown.caption
    apart = {kind: (at, at + 0.5) for at, kind in enumerate(speeds)}
    assert "no difference" not in as_table(quantized(ranges=apart)).caption


def test_the_answers_of_each_type_are_kept(table):
    assert table.asked == tuple(QUESTIONS)
    for row in table.rows:
        assert len(row.answers) == len(QUESTIONS)
        assert all(isinstance(answer, str) for answer in row.answers)


def test_perplexity_and_divergence_are_those_of_transformers(table, rough_model):
    """Recomputed from the definition, in torch, for the F16 row."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(rough_model)
    model = AutoModelForCausalLM.from_pretrained(rough_model, dtype=torch.float32)
    losses: list[float] = []
    for row in HELD_OUT:
        prompt = tokenizer.apply_chat_template(
            row.prompt_messages(), tokenize=False, add_generation_prompt=True
        )
        start = len(tokenizer(prompt)["input_ids"])
        ids = tokenizer(prompt + row.answer + tokenizer.eos_token)["input_ids"]
        with torch.no_grad():
            logs = torch.log_softmax(model(torch.tensor([ids])).logits[0], -1)
        losses += [-float(logs[i - 1, ids[i]]) for i in range(start, len(ids))]
    assert table.held_out_tokens == len(losses)
    assert table.rows[0].perplexity == pytest.approx(math.exp(np.mean(losses)), rel=0.01)


def test_without_the_c_interface_the_figures_are_the_same(f16, table, monkeypatch):
    monkeypatch.setattr("workshop_helpers.gguf.logits._library", lambda: None)
    assert isinstance(open_logits(f16), ServerLogits)
    asked = (f16, ["Q2_K"], QUESTIONS[:1], HELD_OUT[:1])
    slow = table_of(*asked, max_new_tokens=4)
    monkeypatch.undo()
    fast = table_of(*asked, max_new_tokens=4)
    assert "server" in slow.method
    assert slow.rows[1].perplexity == pytest.approx(fast.rows[1].perplexity, rel=0.02)
    assert slow.rows[1].kl_to_f16 == pytest.approx(fast.rows[1].kl_to_f16, rel=0.02)


def test_held_out_tokens_are_bounded(f16):
    small = table_of(f16, [], [], HELD_OUT * 50, held_out_tokens=100)
    assert 100 <= small.held_out_tokens < 150
    assert small.rows[0].recall is None


def test_no_held_out_rows_is_an_error(f16):
    with pytest.raises(WorkshopError, match="no held-out conversation"):
        table_of(f16, [], QUESTIONS, [])


def test_files_are_read_and_the_result_can_be_shown_and_stored(f16, tmp_path):
    questions, rows = tmp_path / "questions.jsonl", tmp_path / "rows.jsonl"
    asked = {"question": "送料は？", "system": SYSTEM, "facts": ["500円"]}
    questions.write_text(json.dumps(asked, ensure_ascii=False), encoding="utf-8")
    lines = [json.dumps({"instruction": q, "output": a}, ensure_ascii=False) for q, a in PAIRS]
    rows.write_text("\n".join(lines), encoding="utf-8")
    found = table_of(f16, ["q8_0"], questions, rows, max_new_tokens=4)
    stored = json.loads(json.dumps(found.to_dict()))
    assert [row["type"] for row in stored["rows"]] == ["F16", "Q8_0"]
    assert found.language == "ja"
    assert "パープレキシティ" in found._repr_mimebundle_()["text/html"]


def test_transformers_and_llama_cpp_give_the_same_greedy_answers(rough_model, f16):
    """Random weights make near ties likelier than training does; answers part at one only."""
    questions = [Question(f"{question} {n}") for question, _ in PAIRS for n in range(5)]
    found = agreement(rough_model, f16, questions, max_new_tokens=16)
    assert found.questions == 20
    assert found.equal >= 0.7
    assert all(difference.gap < 0.2 for difference in found.differences)


def test_where_two_answers_part_is_named(rough_model, f16):
    from workshop_helpers.gguf.quantize import quantize

    found = agreement(rough_model, quantize(f16, "Q2_K").path, QUESTIONS, max_new_tokens=16)
    assert found.equal < 1
    for difference in found.differences:
        assert difference.at < 16
        assert difference.gap > 0  # llama.cpp took what it held likelier

"""Results as they are measured, made up: a training, and a quantization table."""

from __future__ import annotations

from pathlib import Path

from workshop_helpers.evaluation.quantization import QuantizationRow, QuantizationTable
from workshop_helpers.metrics.scoring import Question
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.report import TrainingReport

LOSSES = [(n, n / 10, 3.0 / n) for n in range(1, 20)]
# type, bytes of the file, facts stated, KL divergence to F16
MEASURED = (
    ("F16", 11_700_000, 0.955, 0.0),
    ("Q8_0", 6_300_000, 0.944, 0.0006),
    ("Q4_K_M", 3_800_000, 0.933, 0.0297),
    ("Q2_K", 2_800_000, 0.888, 0.3549),
)


def trained(
    losses: list[tuple[int, float, float]] = LOSSES, language: str = "en"
) -> TrainingReport:
    return TrainingReport(
        adapter=Path("tuned"),
        trainable=98_304,
        total=5_100_000,
        losses=losses,
        rows=10,
        general_rows=0,
        tokens=12_000,
        seconds=2.5,
        peak_memory_bytes=812_000_000,
        truncated=[],
        dropped=[],
        device="cpu",
        checkpointing="off",
        recipe=LoraRecipe(),
        language=language,
    )


def quantized(
    measured: tuple[tuple[str, int, float | None, float], ...] = MEASURED,
    language: str = "en",
    ranges: dict[str, tuple[float, float]] | None = None,
    asked: tuple[Question, ...] = (),
) -> QuantizationTable:
    """`ranges`: of the answers' speed, by type."""
    rows = [
        QuantizationRow(
            *(kind, Path(kind), size, 8e-6 * size / 5.77, 0.05, 2400.0, 310.0, recall, 1.3, kl),
            same_top_token=0.99,
            ranges={"generation_tokens_per_second": ranges[kind]} if ranges else {},
            answers=tuple(f"{kind}: 500円です。<b>" for _ in asked),
        )
        for kind, size, recall, kl in measured
    ]
    return QuantizationTable(rows, 90, 2000, 1, "in one go", language, asked)

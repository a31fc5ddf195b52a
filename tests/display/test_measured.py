"""Tables of the guide beyond the talk."""

from __future__ import annotations

import pytest

from workshop_helpers import figures_table, measured
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.display import measured as module


def test_figures_have_the_unit_of_their_column():
    row = {"method": "LoRA", "facts_share": 0.9, "train_seconds": 1.25, "kept_bytes": 2_500_000}
    table = figures_table("11", [{**row, "times_ratio": 1.5, "rows": 1200, "loss": None}], "en")
    assert table.rows == [["LoRA", "90 %", "1.2 s", "2.5 MB", "1.50×", "1,200", "–"]]


def test_a_table_without_rows_is_refused():
    with pytest.raises(WorkshopError, match="nothing was measured"):
        figures_table("11", [], "en")


def test_a_recorded_table_says_when_and_where_it_was_measured(tmp_path, monkeypatch):
    (tmp_path / "11_x.json").write_text(
        '{"made": "2026-11-30T10:00:00Z", "machine": {"cpu": "Xeon", "cores": 2},'
        ' "tables": {"one": [{"method": "LoRA", "facts_share": 1}]}}'
    )
    monkeypatch.setattr(module, "results_path", lambda name: tmp_path)
    table = measured("11_x", "one", "ja")
    assert table.rows == [["LoRA", "100 %"]]
    assert "2026-11-30" in table.caption and "Xeon, 2" in table.caption
    with pytest.raises(WorkshopError, match="no table two. It has: one"):
        measured("11_x", "two", "ja")

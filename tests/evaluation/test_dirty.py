"""A file with the usual faults: each of them is found where it was put, and nothing else is."""

from __future__ import annotations

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.checks import check_rows, clean, leave_out
from workshop_helpers.dataset.formats import read_conversations
from workshop_helpers.display import view
from workshop_helpers.evaluation.dirty import write_dirty_rows
from workshop_helpers.evaluation.shop import Shop

BESIDE = {"whitespace", "too-few"}  # of the hidden characters' row, and of so small a file


@pytest.fixture(scope="module", params=["en", "ja"])
def checked(request, tmp_path_factory):
    shop = Shop(request.param)
    dirty = write_dirty_rows(shop, tmp_path_factory.mktemp("dirty") / "new" / "rows.jsonl")
    held_out = shop.file("questions")
    report = check_rows(
        dirty.path, against=held_out, facts=shop.facts, language=request.param, progress=False
    )
    return shop, dirty, report


def test_every_fault_is_found_in_its_line_and_the_shop_s_own_rows_are_clean(checked):
    _, dirty, report = checked
    found = {(one.rule, one.line) for one in report.findings if one.rule not in BESIDE}
    assert found == set(dirty.planted.items())
    assert dirty.rows == sum(1 for _ in dirty.path.open(encoding="utf-8"))


def test_the_report_shows_itself_in_its_language_without_folders(checked):
    shop, dirty, report = checked
    bundle = view(report)._repr_mimebundle_()
    for text in bundle.values():
        assert str(dirty.path.parent) not in text and str(shop.file("questions").parent) not in text
        assert f"questions.{shop.language}.jsonl" in text
    title = {"en": "a duplicate row", "ja": "同じ行が2回ある"}[shop.language]
    assert title in bundle["text/html"] and "&lt;|im_end|&gt;" in bundle["text/html"]
    assert "hanako" not in str(bundle), "personal data is masked"


def test_cleaning_mends_what_needs_no_judgement(checked, tmp_path):
    shop, dirty, _ = checked
    cleaned = clean(dirty.path, tmp_path / "clean.jsonl", mask_personal=True, skip_faults=True)
    again = check_rows(
        cleaned.out, against=shop.file("questions"), facts=shop.facts, progress=False
    )
    left = set(again.counts)
    assert not left & {"duplicate", "empty-answer", "invalid-json", "pii-email", "pii-phone",
                       "invisible-character", "whitespace"}  # fmt: skip
    assert {"contradicting-fact", "leakage", "conflicting-answers", "too-long"} <= left


def test_what_is_left_out_leaves_rows_that_can_be_trained_on(checked, tmp_path):
    shop, dirty, report = checked
    good = leave_out(dirty.path, report, tmp_path / "good.jsonl")
    assert good.rows == 60, "the shop's own"
    again = check_rows(good.path, against=shop.file("questions"), facts=shop.facts, progress=False)
    assert again.exit_code == 0
    assert read_conversations(good.path)
    with pytest.raises(WorkshopError, match="would overwrite"):
        leave_out(good.path, again, good.path)


def test_a_finding_about_all_rows_costs_none_of_them(tmp_path):
    few, bad = tmp_path / "few.jsonl", tmp_path / "bad.jsonl"
    few.write_text('{"instruction": "How much is it?", "output": "It costs $5."}\n')
    report = check_rows(few, progress=False)
    assert "too-few" in report.counts
    assert leave_out(few, report, tmp_path / "good.jsonl").rows == 1
    bad.write_text('{"instruction": "How much is it?", "output": "TODO"}\n')
    with pytest.raises(WorkshopError, match="every row"):
        leave_out(bad, check_rows(bad, progress=False), tmp_path / "none.jsonl")

"""What the scan of a large batch passes over is what the checks of single rows find nothing in."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from bad_files import BAD
from training_rows import talk

from workshop_helpers.dataset.checks import check_rows, prefilter
from workshop_helpers.dataset.checks.content import content_findings
from workshop_helpers.dataset.checks.personal import personal_findings
from workshop_helpers.dataset.checks.row import CheckedRow
from workshop_helpers.dataset.checks.style import check_leftovers
from workshop_helpers.dataset.formats import Conversation, open_rows, write_conversations

PIECES = """
Dear|Mr. |Mrs |Miss | Dr |M|name is|Name: |,\n|Box 12|ZIP 12345| zip|12345|A 12345|3 Elm St|12 Elm
03-1234-5678|090 1234 5678|1234567|123-45-6789|4111 1111|5th Ave|10115|2a B|SW1A 1AA|9 9AB|1ー2
様|お客様|田中様|氏|殿|君|さん|田中さん|氏名：|名義人:|と申します|と言います|担当：|担当は|〒100|丁目|3丁目
東京都港区|番地|１２３|5－2|＠|@|a@b|://|&|;|<b>|[INST]|{{x}}|【未定】|assword|ASSWORD|パスワード|暗証番号
\x00|\x1f|\x7f|\u200b|é|縺|ﾟ|\ue000|AI|GPT|Gemini|Claude|artificial|nthropic|TODO|TBD|FIXME|lorem|ここに
sk_aB3dE5fG7hJ9kL1mN2pQ|.|,| |。|、|\n|\t| -|(|)|/|?|–|：|=|abc|Abc|あ|ア|亜|Elm|the
0|7|42|1,200円|…
"""
WORDS = [piece for piece in re.split(r"\||\n(?=.)", PIECES.strip("\n")) if piece]


def drawn(count: int) -> list[Conversation]:
    draw = random.Random(7)
    texts = ["".join(draw.choices(WORDS, k=draw.randint(1, 5))) for _ in range(count)]
    plain = "It is open on most days of the week"
    pairs = zip(texts, texts[1:] + texts[:1], strict=True)
    return [talk(f"{plain} {one}", f"{plain}{other}") for one, other in pairs]


def examples() -> list[Conversation]:
    rows = drawn(20_000)
    for path in sorted(BAD.glob("*.jsonl")):
        with open_rows(path) as read:
            rows += [row for row in read if isinstance(row, Conversation)]
    return rows


def test_no_row_that_is_passed_over_has_a_finding(monkeypatch: pytest.MonkeyPatch):
    rows = examples()
    passed = [plain for plain, _ in prefilter.scanned(rows)]
    assert 100 < sum(passed) < len(rows) - 10_000
    for row, plain in zip(rows, passed, strict=True):
        if plain:
            assert not content_findings(row), row.messages
            assert not personal_findings(row), row.messages
            assert not list(check_leftovers(CheckedRow(0, row))), row.messages


def test_a_large_set_has_the_findings_of_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With the scan and without it (a small batch, or no pyarrow)."""
    write_conversations(drawn(1500), tmp_path / "rows.jsonl", format="alpaca")

    def found() -> list[str]:
        report = check_rows(tmp_path / "rows.jsonl", quick=True, progress=False)
        return [str(replace(one, file="")) for one in report.findings]

    scanned = found()
    monkeypatch.setattr(prefilter, "_LARGE", 10**9)
    assert scanned == found()
    assert len(scanned) > 500


def test_half_a_character_keeps_no_row_from_being_looked_at():
    rows = [*drawn(1100), talk("Who?", "\ud83d and some more words here")]
    assert not any(plain for plain, _ in prefilter.scanned(rows))
    assert list(prefilter.scanned([])) == []

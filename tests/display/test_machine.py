"""The doctor's findings in a notebook: both languages, and no paths of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from workshop_helpers.core.wordings import Wording
from workshop_helpers.display import view
from workshop_helpers.display.machine import shortened
from workshop_helpers.display.tables import unbroken
from workshop_helpers.evaluation.doctor import Check, MachineCheck, check_machine, word


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_line_stands_in_the_table_with_its_fix(language):
    missing = word("install-extra", distribution="x", extra="gguf")
    checks = (
        Check(word("name-packages", extra="gguf"), "fail", word("missing", names=["a"]), missing),
        Check(word("name-memory"), "ok", word("memory", free=1, total=2)),
    )
    shown = view(MachineCheck(checks, language)).html()
    for check in checks:
        assert check.title.said(language) in shown and unbroken(check.told.said(language)) in shown
    assert missing.said(language).replace("'", "&#x27;") in shown
    assert "✗" in shown and "✓" in shown


def test_paths_are_shown_without_the_machine_s_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ken")
    places = [tmp_path, tmp_path / "runs", Path("/home/ken/.cache/hub"), Path("/opt/tools/bin/x")]
    said = [shortened(word("not-writable", where=place)).values["where"] for place in places]
    assert said == [".", "./runs", "~/.cache/hub", "…/bin/x"]


def test_no_path_of_this_machine_is_in_the_table():
    shown = view(check_machine("en")).html()
    for place in (Path.cwd(), Path.home()):
        assert str(place) not in shown
    assert "site-packages" not in shown


def test_a_path_inside_another_wording_is_found():
    inner = Wording("doctor.said", {"what": Path("/opt/tools/bin/x")})
    assert shortened(word("because", what="a", why=inner)).said() == "a: …/bin/x"

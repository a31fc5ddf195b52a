"""What a hosted kernel gets installed: what it lacks, and never what it has loaded."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

if sys.version_info < (3, 11):
    pytest.skip("hosted kernels have Python 3.11 and newer", allow_module_level=True)

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "install_here.py"
spec = spec_from_file_location("install_here", SCRIPT)
assert spec is not None and spec.loader is not None
install_here = module_from_spec(spec)
spec.loader.exec_module(install_here)


def named(lines: list[str]) -> set[str]:
    return {install_here.normal(install_here.Requirement(line).name) for line in lines}


def test_where_all_is_there_nothing_is_installed():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--dry-run"], capture_output=True, text=True, encoding="utf-8"
    )
    assert (done.returncode, done.stdout) == (0, "Everything is there.\n")


def test_what_is_missing_or_too_old_is_installed_and_the_rest_stays():
    there = install_here.installed() | {"datasets": "4.0.0"}
    del there["trl"]
    install, keep, refused = install_here.plan(there)
    assert named(install) == {"trl", "datasets"}
    assert f"torch=={there['torch']}" in keep and f"ipywidgets=={there['ipywidgets']}" in keep
    assert refused == []


def test_torch_and_ipywidgets_are_never_installed():
    install, _, refused = install_here.plan({})
    assert named(refused) == {"torch"}
    assert not named(install) & install_here.NEVER


def test_a_kernel_without_torch_is_told_so(tmp_path, monkeypatch, capsys):
    there = install_here.installed()
    monkeypatch.setattr(install_here, "installed", lambda: there | {"torch": "1.0"})
    monkeypatch.setattr(sys, "argv", ["install_here.py"])
    assert install_here.main() == 1
    assert "torch" in capsys.readouterr().err

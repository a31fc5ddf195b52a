"""`workshop doctor` prints what tests/evaluation/test_doctor.py checks."""

from __future__ import annotations

import json
import subprocess
import sys


def test_command_prints_json_and_a_table_that_keeps_brackets():
    for arguments in (["--json"], []):
        done = subprocess.run(
            [sys.executable, "-m", "workshop_helpers.cli", "doctor", *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        assert done.returncode in (0, 1)
        assert "Traceback" not in done.stderr
        if arguments:
            found = json.loads(done.stdout)
            assert {"name", "status", "found", "fix"} == set(found[0])
            assert (done.returncode == 1) == any(check["status"] == "fail" for check in found)
        else:
            assert "packages [train]" in done.stdout

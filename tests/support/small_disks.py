"""Disks that are soon full."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(tmp_path: Path, size: str) -> Iterator[Path]:
    """An empty disk of this size; what Python would print of errors that it ignores fails."""
    small, ignored = tmp_path / "small", []
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(small)]
    if os.name == "nt" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a small disk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", ignored.append)
        try:
            yield small
        finally:
            gc.collect()
            subprocess.run(["umount", str(small)], check=True)
    assert not ignored

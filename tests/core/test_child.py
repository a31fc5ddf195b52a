"""Code in a process of its own ends with the process that started it."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil

# A parent that waits for its child's long call.
PARENT = """
from workshop_helpers.core.child import Child

long = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
with Child("models.rendering:Renderer", "a template") as child:
    print(child.pid, flush=True)
    child.call("render", template=long, conversations=[[]], values={})
"""


def test_a_child_at_work_ends_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        while child.cpu_times().user < 0.5:  # it is at work
            time.sleep(0.05)
        parent.kill()
    child.wait(timeout=20)

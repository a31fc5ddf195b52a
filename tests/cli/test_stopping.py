"""Ctrl-C ends a command within two seconds, whatever it is at, and nothing is left running."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from workshop_helpers.core.artifacts import data_path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent another way on Windows")

# `models` does what a command may be at; a child of it leads a group of its own.
COMMAND = """
import ctypes, os, signal, subprocess, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore Ctrl-C
from workshop_helpers.cli import main as cli, models
from workshop_helpers.cli.stopping import settled

def native(library):  # waits in native code that no signal breaks off
    mutex = (ctypes.c_char * 64)()
    library(None).pthread_mutex_lock(mutex)
    library(None).pthread_mutex_lock(mutex)

def work(args):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen(["sleep", "60"], start_new_session=True, **quiet)
    print(child.pid, flush=True)
    exec(os.environ["AT_WORK"])
    return 0

models._models = work
sys.argv[1:] = ["models"]
sys.exit(cli.main())
"""
WAIT_IN_THREAD = "threading.Thread(target=time.sleep, args=(60,)).start(); time.sleep(60)"
STUCK_WHILE_TIDYING = """
try:
    time.sleep(60)
finally:
    native(ctypes.CDLL)
"""
IN_A_DEL = """
class Slow:
    def __del__(self):
        time.sleep(5)

Slow()
time.sleep(60)
"""
TIDY_UP = """
try:
    time.sleep(60)
finally:
    time.sleep(0.2)
    print("tidy", flush=True)
"""


def start(at_work: str) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A command at this work, and its child."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "AT_WORK": at_work},
    )
    assert process.stdout is not None
    child = psutil.Process(int(process.stdout.readline()))
    time.sleep(0.1)  # from the word to the work
    return process, child


def is_over(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("at_work", "code", "seconds"),
    [
        ("time.sleep(60)", 130, 1.0),
        (WAIT_IN_THREAD, 130, 1.0),
        ("native(ctypes.CDLL)", 130, 2.0),
        pytest.param(
            "native(ctypes.PyDLL)",  # holds the interpreter
            -signal.SIGKILL,
            2.0,
            marks=pytest.mark.skipif(sys.platform != "linux", reason="seen on Linux only"),
        ),
        (STUCK_WHILE_TIDYING, 130, 2.0),
        (IN_A_DEL, 130, 1.0),
    ],
    ids=["python", "thread", "native", "interpreter", "tidying", "del"],
)
def test_a_command_ends_in_time_with_all_that_it_has_started(
    at_work: str, code: int, seconds: float
) -> None:
    process, child = start(at_work)
    others = psutil.Process(process.pid).children()
    assert child in others and len(others) == 2  # the watcher
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert time.monotonic() - begin < seconds
    assert process.returncode == code
    assert said.count("workshop: Stopped.") == len(said.strip().splitlines()) == 1
    psutil.wait_procs(others, timeout=1)
    assert all(map(is_over, others))


def test_a_second_one_ends_it_at_once_but_the_same_one_from_two_does_not() -> None:
    process, _ = start("native(ctypes.CDLL)")
    process.send_signal(signal.SIGINT)
    time.sleep(0.35)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert time.monotonic() - begin < 0.5
    # such as `timeout`, which sends it to its child and to all of its group
    process, _ = start(TIDY_UP)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    out, said = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "tidy\n")
    assert "Traceback" not in said


def test_a_command_that_goes_on_after_it_is_left_alone() -> None:
    on = "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    settled()\n    time.sleep(1.5)"
    process, _ = start(f"{on}\n    print('on', flush=True)\n    time.sleep(60)")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None and process.stdout.readline() == "on\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


SHOP = str(data_path("shop", "train.en.jsonl"))
VERBS = {
    "check": ["data", "check", SHOP],
    "ask": ["ask", "mame", "How much is shipping?"],
    "train": ["train", "--model", "mame", "--data", SHOP, "--out", "a"],
    "synthesize": ["data", "synthesize", "rows.jsonl", "--source", SHOP, "--server", "{silent}"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_ends_in_time_at_any_moment_and_leaves_nothing_half_written(
    verb: str, tmp_path: Path
) -> None:
    command = COMMAND.partition("from workshop")[0] + (
        "from workshop_helpers.cli.main import main\nprint('ready', flush=True)\nsys.exit(main())"
    )
    moment = random.uniform(0.3, 5)
    mark = f"{verb} {os.getpid()} {moment}"
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes a request, and says nothing
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-c", command, *(a.format(silent=address) for a in VERBS[verb])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "MARK": mark},
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moment)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert time.monotonic() - begin < 2, f"after {moment} s"
    # It may have been done, or be at its very last.
    assert process.returncode in (130, 0, -signal.SIGINT), f"after {moment} s: {said}"
    assert "Traceback" not in said, f"after {moment} s"
    # Hidden is what the next run takes up or removes.
    assert all(path.name[0] == "." for path in tmp_path.iterdir()) or process.returncode == 0
    assert not [one for one in psutil.process_iter() if _environment(one).get("MARK") == mark]


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return {} if is_over(process) else process.environ()
    except psutil.Error:
        return {}

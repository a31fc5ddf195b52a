"""The doctor finds what is wrong, names the fix, and changes nothing."""

from __future__ import annotations

import importlib.metadata
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.wordings import entries
from workshop_helpers.evaluation import doctor
from workshop_helpers.evaluation.doctor import STATUSES, Check, check_machine, hub_cache, word


@pytest.fixture
def ollama(monkeypatch):
    """A server on this machine that answers as Ollama does when it is asked for its version."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"version": "0.33.0"}')

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def no_ollama(monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")  # the discard port: nobody listens
    monkeypatch.setenv("PATH", "/nowhere")


def named(checks: list[Check], name: str) -> Check:
    (found,) = [check for check in checks if check.name == name]
    return found


def test_it_looks_at_everything_the_course_stands_on(no_ollama):
    checks = check_machine().checks
    for name in ("python", "packages [train]", "packages [gguf]", "device", "dtype", "memory",
                 "disk here", "disk of the model cache", "bundled model", "model cache",
                 "converter", "quantizer", "llama.cpp runtime", "Ollama"):  # fmt: skip
        assert named(checks, name).found
    assert {check.status for check in checks} <= set(STATUSES)
    for check in checks:
        assert (check.fix == "") == (check.status == "ok"), check


def test_every_part_can_be_named_when_it_fails(monkeypatch):
    for part in doctor.PARTS:
        assert f"name-{part.__name__.strip('_')}" in entries("doctor")

    def _memory():
        raise WorkshopError("No memory is told.")
        yield

    monkeypatch.setattr(doctor, "PARTS", (_memory,))
    report = check_machine("ja")
    assert not report.runs
    assert report.of("memory").found == "No memory is told."


def test_a_missing_package_fails_with_the_command_that_brings_it(monkeypatch):
    real = importlib.metadata.version

    def version(name):
        if name == "cyllama":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    check = named(doctor._packages(), "packages [gguf]")
    assert check.status == "fail"
    assert "missing: cyllama" in check.found
    assert "llm-finetuning-workshop[gguf]" in check.fix


def test_a_version_outside_the_range_is_named(monkeypatch):
    real = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata,
        "version",
        lambda name: "4.40.0" if name == "transformers" else real(name),
    )
    check = named(doctor._packages(), "packages [train]")
    assert check.status == "fail"
    assert "transformers 4.40.0 (needs" in check.found


def test_a_library_that_kills_its_process_is_found_and_the_doctor_lives(monkeypatch, tmp_path):
    broken = tmp_path / "xllamacpp"
    broken.mkdir()
    (broken / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGABRT)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    check = named(doctor._native(), "llama.cpp runtime")
    assert check.status == "fail"
    assert "does not load" in check.found


def test_little_memory_or_disk_is_graded():
    told, advice = word("memory", free=3, total=8), word("memory-fix", needed=2)
    limits = (2e9, 6e9)
    assert doctor._graded("memory", told, 1e9, limits, advice).status == "fail"
    assert doctor._graded("memory", told, 3e9, limits, advice).fix == advice.said()
    fine = Check(word("name-memory"), "ok", told)
    assert doctor._graded("memory", told, 8e9, limits, advice) == fine


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_found(tmp_path, monkeypatch):
    tmp_path.chmod(0o555)
    monkeypatch.chdir(tmp_path)
    assert named(doctor._disk(), "folder").status == "fail"


def test_a_running_ollama_is_found_with_its_version(ollama):
    (check,) = doctor._ollama()
    assert check.status == "ok"
    assert "0.33.0" in check.found


def test_no_ollama_is_no_failure_but_says_where_it_is_got(no_ollama):
    (check,) = doctor._ollama()
    assert check.status == "warn"
    assert "ollama.com/download" in check.fix


def test_an_installed_ollama_that_is_not_running_is_told_apart(no_ollama, monkeypatch, tmp_path):
    program = tmp_path / "ollama"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (check,) = doctor._ollama()
    assert "ollama serve" in check.fix


def test_an_address_that_is_none_is_said(monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", "box:port")
    (check,) = doctor._ollama()
    assert check.status == "warn" and "'box:port' is not a server's address" in check.found


def test_the_hub_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert hub_cache().parts[-3:] == (".cache", "huggingface", "hub")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    assert hub_cache() == tmp_path / "home" / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    assert hub_cache() == tmp_path / "cache"

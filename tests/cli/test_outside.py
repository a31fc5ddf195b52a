"""Texts from outside, whatever they hold, are shown by every verb and obeyed by no terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from commands import run as in_process
from raw_server import http, raw_server

EVIL = "\x1b[2J\x1b]0;t\x07\x9b31m\u202e\r\b\x00\x7f\u2066"


def check(texts: tuple[str, ...]) -> None:
    for text in texts:
        assert all(one.isprintable() or one in "\n\t" for one in text), ascii(text)
    assert any("␛" in text or "\\u001b" in text for text in texts)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Rows with such texts and fields, in a file and a folder of such names."""
    name = EVIL.replace("\x00", "").replace("/", "")
    path = tmp_path / f"d{name}" / f"rows{name}.jsonl"
    path.parent.mkdir()
    lines = [
        json.dumps({"instruction": f"What is {n}? {EVIL}", "output": f"It is {n}. {EVIL}",
                    f"field{EVIL}": EVIL, "topic": EVIL}) for n in range(12)
    ]  # fmt: skip
    path.write_text("\n".join([*lines, f'{{"{EVIL}": 1}}', "{" + EVIL]), encoding="utf-8")
    return path


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_rows_fields_and_file_names(rows: Path, capfd: Any, more: list[str]) -> None:
    out, whole = rows.with_name("out"), rows.with_name(f"w{rows.name}")
    html = rows.with_name("report.html")
    for command in (
        ["check", rows, "--quick", "--html", html], ["convert", rows, whole, "--skip-faults"],
        ["convert", rows, out.with_suffix(".csv")], ["clean", rows, out.with_suffix(".jsonl")],
        ["clean", whole, rows.with_name(f"c{rows.name}")], ["split", whole, "--out", out],
        ["preview", rows.with_name(f"none{EVIL[:4]}")],
    ):  # fmt: skip
        _, *said = in_process(capfd, "data", *command, *more)
        check(tuple(said))
        if more and said[0]:
            json.loads(said[0])
    check((html.read_text(encoding="utf-8"),))


def test_what_a_server_says(capfd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = {
        "model": f"m{EVIL}",
        "name": f"m{EVIL}",
        "size": 1,
        "digest": f"sha256:1{EVIL}",
        "modified_at": "2024-01-31T00:00:00Z",
        "details": {"family": EVIL, "parameter_size": EVIL, "quantization_level": EVIL},
    }
    show = {"details": model["details"], "model_info": {EVIL: EVIL}, "capabilities": [EVIL],
            "template": EVIL, "system": EVIL, "license": EVIL, "modelfile": f"FROM x\n{EVIL}",
            "parameters": f"stop {EVIL}"}  # fmt: skip
    said = {"message": {"role": "assistant", "content": EVIL}, "done": True, "done_reason": "stop"}
    answers = {b"/api/tags": {"models": [model]}, b"/api/show": show, b"/api/chat": said,
               b"/api/version": {"version": EVIL[:30]}}  # fmt: skip

    def answer(request: bytes) -> list[bytes]:
        body = next((one for path, one in answers.items() if path in request), {"error": EVIL})
        return [http(json.dumps(body).encode() + b"\n")]

    with raw_server(answer) as address:
        monkeypatch.setenv("OLLAMA_HOST", address)
        for command in (
            ["list"], ["list", "--json"], ["show", "m"], ["show", "m", "--json"], ["pull", "m"],
            ["ask", "m", f"Hi {EVIL}"], ["ask", "m", "Hi", "--json"],
            ["compare", "m", "--question", EVIL], ["show", "m", "--modelfile"],
        ):  # fmt: skip
            _, *said_now = in_process(capfd, "ollama", *command)
            check(tuple(said_now))


def test_a_traceback_and_what_argparse_repeats(capfd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    check(tuple(in_process(capfd, "--debug", "data", "check", f"none{EVIL[:4]}.jsonl")[1:]))
    check(tuple(in_process(capfd, "data", "check", "x", f"--none{EVIL[:4]}")[1:]))

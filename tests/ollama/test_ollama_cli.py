"""`workshop ollama …` on a real server."""

from __future__ import annotations

import argparse
import io
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gguf_files import patch_number

from workshop_helpers.cli.ollama import add_ollama_verbs
from workshop_helpers.core.cards import file_hash
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.runtimes.ollama.client import Ollama
from workshop_helpers.runtimes.ollama.sameness import difference

Workshop = Callable[..., tuple[int, str, str]]
NAME = f"workshop-test-{os.getpid()}-cli"
PROMPTED = f"{NAME}-prompted"


@pytest.fixture(scope="module", autouse=True)
def _models(ollama_host: str, mame_gguf: Path) -> Iterator[None]:
    with Ollama(ollama_host) as server:
        server.create(NAME, mame_gguf, parameters={"num_thread": 1})
        server.create(PROMPTED, NAME, system="You are the shop's assistant.")
        yield
        for name in (NAME, PROMPTED):
            server.remove(name)


@pytest.fixture
def workshop(
    ollama_host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workshop:
    """Runs `workshop ollama …`; gives the exit code and what was printed."""
    monkeypatch.setenv("OLLAMA_HOST", ollama_host)
    parser = argparse.ArgumentParser()
    add_ollama_verbs(parser.add_subparsers())

    def run(*arguments: str) -> tuple[int, str, str]:
        args = parser.parse_args(["ollama", *arguments])
        code = args.run(args)
        return code, *capsys.readouterr()

    return run


def test_doctor(workshop: Workshop, ollama_host: str) -> None:
    code, out, _ = workshop("doctor")
    assert code == 0
    assert ollama_host in out and NAME in out and "version" in out
    code, out, _ = workshop("doctor", "--host", "127.0.0.1:1", "--json")
    assert code == 1
    assert "No Ollama answers" in json.loads(out)["problems"][0]


def test_a_server_that_computes_otherwise_is_named(
    mame_gguf: Path, tmp_path: Path, ollama_host: str
) -> None:
    """The file that the server's model is compared with asks for other norms than its own."""
    key, one = "qwen2.attention.layer_norm_rms_epsilon", struct.unpack("<I", struct.pack("<f", 1))
    other = patch_number(mame_gguf, tmp_path / "other.gguf", key, one[0])
    assert difference(NAME, mame_gguf, system=None, host=ollama_host) is None
    told = difference(NAME, other, system=None, host=ollama_host)
    assert told is not None and "the server computes otherwise" in told


def test_create_list_show_rm(workshop: Workshop, mame_gguf: Path, tmp_path: Path) -> None:
    name = f"{NAME}-made"
    code, out, _ = workshop("create", name, str(mame_gguf), "--system", "短く答えてください。")
    assert code == 0 and file_hash(mame_gguf) in out
    assert name in workshop("list")[1]
    listed = {one["name"]: one for one in json.loads(workshop("list", "--json")[1])}[
        f"{name}:latest"
    ]
    assert listed["quantization"] == "F16" and listed["size_bytes"] > 11e6
    _, out, _ = workshop("show", name)
    assert "短く答えてください。" in out and "qwen2" in out and file_hash(mame_gguf) in out
    assert workshop("show", name, "--modelfile")[1].count("FROM ") >= 1
    _, out, _ = workshop("show", name, "--against", NAME)
    assert "Nothing was trained" in out
    assert json.loads(workshop("show", name, "--json")[1])["layers"][0]["kind"] == "model"
    with pytest.raises(WorkshopError, match="no model"):
        workshop("rm", name, f"{name}-misspelt")
    assert workshop("show", name)[0] == 0  # nothing is removed where one name is wrong
    assert workshop("rm", f"ollama:{name}")[0] == 0
    with pytest.raises(WorkshopError, match=f"no model {name}"):
        workshop("rm", name)


def test_create_from_a_modelfile_reads_its_paths_from_its_own_folder(
    workshop: Workshop, mame_gguf: Path, tmp_path: Path
) -> None:
    (tmp_path / "m.gguf").write_bytes(mame_gguf.read_bytes())
    (tmp_path / "Modelfile").write_text("FROM ./m.gguf\nSYSTEM 日本語\n", encoding="utf-8")
    name = f"{NAME}-mf"
    try:
        assert workshop("create", name, str(tmp_path / "Modelfile"))[0] == 0
        assert json.loads(workshop("show", name, "--json")[1])["system"] == "日本語"
    finally:
        workshop("rm", name)
    with pytest.raises(WorkshopError, match=r"is a folder.*workshop gguf"):
        workshop("create", name, str(tmp_path))


@pytest.fixture
def files(mame_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with files that are taken for models by mistake, and a model."""
    (tmp_path / "plain").write_bytes(mame_gguf.read_bytes())
    (tmp_path / "Modelfile").write_text(
        "FROM ./plain\nPARAMETER temprature 0.5\nPARAMETER top_p 7\n", encoding="utf-8"
    )
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(bytes([200] * 9))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none"], r"There is no file none, and no such model: .*has no model none\."),
        (["runs/Modelfile"], r"There is no file runs/Modelfile, and no such model"),
        (["a/b/c/d"], r"There is no file a/b/c/d, and no such model: .*is no name"),
        (["./none"], r"There is no file none\.$"),
        (["none.gguf"], r"There is no file none\.gguf\. `workshop gguf"),
        (["adapter"], r"is an adapter folder\. Merge it.*workshop merge adapter --out"),
        (["model.safetensors"], r"model\.safetensors is not a GGUF\. .*workshop gguf"),
        (["plain", "--adapter", "adapter"], r"adapter is a folder\. .*--as-adapter"),
        (["plain", "--adapter", "none.gguf"], r"no file none\.gguf\. .*--as-adapter"),
    ],
)
def test_a_source_that_is_none_is_told(
    workshop: Workshop, files: Path, words: list[str], said: str
) -> None:
    with pytest.raises(WorkshopError, match=said):
        workshop("create", f"{NAME}-none", *words)


def test_a_gguf_is_known_by_what_is_in_it(workshop: Workshop, files: Path, mame_gguf: Path) -> None:
    name = f"{NAME}-plain"
    try:
        code, out, _ = workshop("create", name, "plain")
        assert code == 0 and file_hash(mame_gguf) in out and "own chat template" in out
    finally:
        workshop("rm", name)


def test_parameters_that_do_nothing_are_told(workshop: Workshop, files: Path) -> None:
    name = f"{NAME}-typo"
    try:
        code, out, _ = workshop("create", name, "Modelfile")
        assert code == 1  # made, and something is wrong
        assert "Did you mean temperature" in out and "top_p 7.0: it must be at most 1" in out
        assert len(json.loads(workshop("create", name, "Modelfile", "--json")[1])["problems"]) == 2
    finally:
        workshop("rm", name)


def test_show_writes_each_stop_text_and_keeps_texts_apart(
    workshop: Workshop, mame_gguf: Path
) -> None:
    name = f"{NAME}-shown"
    try:
        workshop("create", name, str(mame_gguf), "--system", "one\ntemplate two")
        lines = workshop("show", name)[1].splitlines()
    finally:
        workshop("rm", name)
    assert "parameter  stop <|im_end|>" in lines and "parameter  stop <|im_start|>" in lines
    assert "system     one" in lines and " " * 11 + "template two" in lines


def test_names_are_listed_whole_in_a_narrow_terminal(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.console import Console

    for width, shown in (
        (200, "name family parameters type size digest changed"),
        (70, "name type size"),
    ):
        monkeypatch.setattr(
            "workshop_helpers.cli.ollama.console", lambda width=width: Console(width=width)
        )
        lines = workshop("list")[1].splitlines()
        assert any(f" {PROMPTED}:latest " in line for line in lines)
        assert max(map(len, lines)) <= width
        assert any(line.split() == shown.split() for line in lines)


@pytest.mark.parametrize(
    "words", [["ask", NAME, "hi", "--max-new-tokens"], ["compare", NAME, "-q", "hi", "--limit"]]
)
def test_numbers_that_ollama_takes_for_endless_are_refused(
    workshop: Workshop, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for number in ("0", "-5", "x"):
        with pytest.raises(SystemExit):
            workshop(*words, number)
        assert "whole number" in capsys.readouterr().err


def test_a_nonsense_address_in_the_environment() -> None:
    # in a process of its own: the client reads it when it is imported
    done = subprocess.run(
        [sys.executable, "-m", "workshop_helpers.cli", "ollama", "list"],
        env={**os.environ, "OLLAMA_HOST": "box:port"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 2
    assert "'box:port' is not a server's address" in done.stderr


def test_ask(workshop: Workshop) -> None:
    code, out, err = workshop("ask", NAME, "What colour is the sky?")
    assert code == 0 and out.strip() and "tokens" in err
    found = json.loads(workshop("ask", f"ollama:{NAME}", "What colour is the sky?", "--json")[1])
    assert found["answer"] == out.strip()
    assert found["timings"]["tokens"] > 0 and found["stopped"]
    system = ["--system", "Shipping is $1."]
    told, bare = (
        json.loads(workshop("ask", NAME, "Shipping?", *more, "--json")[1]) for more in (system, [])
    )
    assert told["timings"]["prompt_tokens"] > bare["timings"]["prompt_tokens"]
    with pytest.raises(WorkshopError, match="empty"):
        workshop("ask", NAME, " ")


def test_chat(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = "How much is shipping?\n"
    said = f"{asked}/system 短く\n/reset\n{asked}\n/system\n/bye\nnever read\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(said))
    code, out, err = workshop("chat", NAME)
    assert code == 0
    assert len(out.strip().splitlines()) >= 2
    assert "(forgotten)" in err and "(system text: 短く)" in err and "(system text: none)" in err
    monkeypatch.setattr("sys.stdin", io.StringIO("hi\n"))
    assert workshop("chat", NAME)[0] == 0  # the end of the input ends it


def test_compare(workshop: Workshop, tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "送料は？"}\n{"question": "Returns?"}\n', encoding="utf-8")
    arguments = ("compare", NAME, PROMPTED, "-q", "How much is shipping?", "--questions", str(file))
    code, out, _ = workshop(*arguments, "--limit", "2")
    assert code == 0
    assert NAME in out and PROMPTED in out and "送料は？" in out and "Returns?" not in out
    found = json.loads(workshop(*arguments, "--json")[1])
    assert [one["question"] for one in found] == ["How much is shipping?", "送料は？", "Returns?"]
    for one in found:
        assert set(one["answers"]) == {NAME, PROMPTED}
        assert one["answers"][NAME]["timings"]["tokens"] > 0
    with pytest.raises(WorkshopError, match="nothing to ask"):
        workshop("compare", NAME, PROMPTED)


def test_without_a_verb_the_help_is_shown(workshop: Workshop) -> None:
    code, out, _ = workshop()
    assert code == 2 and "compare" in out

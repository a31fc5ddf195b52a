"""The server is killed in the middle of its work: a sentence, nothing half-made, and the same
command works again.

Each test has a server of its own. An older model of the name that is being made must stay as it
was.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ollama_registry import Registry
from ollama_server import OllamaServer
from tiny_models import save_tiny_model

from workshop_helpers.cli import ollama as ollama_cli
from workshop_helpers.cli.main import main
from workshop_helpers.core.cards import file_hash
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.gguf.convert import convert
from workshop_helpers.gguf.quantize import quantize
from workshop_helpers.runtimes.ollama.client import Ollama
from workshop_helpers.runtimes.ollama.runtime import OllamaRuntime

ROOT = Path(__file__).parents[2]
ASKED = [{"role": "user", "content": "What colour is the sky?"}]


@pytest.fixture
def own(ollama_binary: Path, tmp_path: Path) -> Iterator[OllamaServer]:
    with OllamaServer(tmp_path / "home", ollama_binary) as server:
        yield server


@pytest.fixture(scope="module")
def older_gguf(mame_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quantize(mame_gguf, "Q2_K", tmp_path_factory.mktemp("older") / "older-Q2_K.gguf").path


def state(host: str, name: str) -> tuple[list[str], str | None, str]:
    """The server's models, the weights of one of them, and what it answers."""
    with Ollama(host) as server:
        weights = server.show(name).weights
        names = sorted(one.name for one in server.models())
    with OllamaRuntime(name, host=host, threads=1) as runtime:
        text = runtime.answer([ASKED], max_new_tokens=12)[0].text
    assert text
    return names, weights, text


def digest(path: Path) -> str:
    return f"sha256:{file_hash(path)}"


def check_the_word(said: str, doing: str) -> None:
    assert f"broke while {doing}" in said, said
    assert "Start it again and repeat the command" in said
    assert "Traceback" not in said and "unexpected" not in said


@pytest.mark.parametrize(
    ("moment", "older"), [("uploading", True), ("parsing GGUF", True), ("parsing GGUF", False)]
)
def test_in_a_create(
    own: OllamaServer,
    mame_gguf: Path,
    older_gguf: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    moment: str,
    older: bool,
) -> None:
    class Kills(ollama_cli._Progress):
        def __call__(self, doing: str, done: int, total: int) -> None:
            if doing.startswith(moment):
                own.kill()

    command = ["ollama", "create", "m", str(mame_gguf), "--host", own.host]
    for _ in range(5):
        with Ollama(own.host) as server:
            server.create("other", older_gguf)
            if older:
                server.create("m", "other", system="Be brief.")
            elif any(model.name == "m:latest" for model in server.models()):
                server.remove("m")
        before = state(own.host, "m" if older else "other")
        with monkeypatch.context() as patch:
            patch.setattr(ollama_cli, "_Progress", Kills)
            assert main(command) == 2
        said = capsys.readouterr().err
        if "No Ollama answers" not in said:
            break
        own.start()  # it was quicker than we: the model was made before it was killed
    check_the_word(said, "taking " if moment == "uploading" else "making ")

    own.start()
    # a blob is called by the 64 digits of its hash; what was uploaded in part had another name
    assert all(len(blob.name) == 71 for blob in (own.models / "blobs").iterdir())
    if not older:
        assert main(["ollama", "show", "m", "--host", own.host]) == 2
        said = capsys.readouterr().err  # it may have been killed in the middle of its last write
        assert "has no model m" in said or "holds m only in part" in said
    assert state(own.host, "m" if older else "other") == before

    assert main(command) == 0
    names, weights, _ = state(own.host, "m")
    assert names == ["m:latest", "other:latest"]
    assert weights == digest(mame_gguf)


@pytest.mark.parametrize("left", [0, 40])
def test_a_model_whose_last_write_was_cut_short_is_made_again(
    own: OllamaServer, mame_gguf: Path, capsys: pytest.CaptureFixture[str], left: int
) -> None:
    create = ["ollama", "create", "m", str(mame_gguf), "--host", own.host]
    assert main(create) == 0
    (manifest,) = (path for path in (own.models / "manifests").rglob("*") if path.is_file())
    manifest.write_bytes(manifest.read_bytes()[:left])
    capsys.readouterr()
    for command in (["ollama", "show", "m"], ["ollama", "rm", "m"]):
        assert main([*command, "--host", own.host]) == 2
        said = capsys.readouterr().err
        assert "holds m only in part" in said and "make or pull m again" in said
    assert main(create) == 0
    assert state(own.host, "m")[1] == digest(mame_gguf)


def test_in_a_quantization(own: OllamaServer, mame_gguf: Path, older_gguf: Path) -> None:
    with Ollama(own.host) as server:
        server.create("m", older_gguf)
        before = state(own.host, "m")

        def die(doing: str, done: int, total: int) -> None:
            if doing.startswith("quantizing"):
                own.kill()

        with pytest.raises(WorkshopError) as caught:
            server.create("m", mame_gguf, quantize="q4_K_M", progress=die)
        check_the_word(str(caught.value), "making it (m)")
        own.start()
        assert state(own.host, "m") == before
        server.create("m", mame_gguf, quantize="q4_K_M")
        assert server.show("m").quantization == "Q4_K_M"
        assert state(own.host, "m")[1] not in (before[1], digest(mame_gguf))


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that talks for seconds: its end token is never the likeliest, and it is large enough
    for some milliseconds a token. With a head of its own it does not repeat one token: Ollama ends
    an answer after thirty equal ones.
    """
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("talker")
    model = save_tiny_model(folder / "talker", seed=2, hidden=768, layers=4, tied=False)
    network = AutoModelForCausalLM.from_pretrained(model)
    network.model.norm.weight.data *= 6  # logits of about ±3, and 0 for the end token
    network.lm_head.weight.data[network.config.eos_token_id] = 0
    network.save_pretrained(model)
    return convert(model, folder / "talker-F16.gguf").path


@pytest.mark.parametrize("verb", ["ask", "chat"])
def test_in_an_answer(own: OllamaServer, talker: Path, older_gguf: Path, verb: str) -> None:
    with Ollama(own.host) as server:
        server.create("other", older_gguf)
        options = {"temperature": 0.8, "seed": 1, "num_thread": 1}
        server.create("m", talker, template="{{ .Prompt }}", parameters=options)
    before = state(own.host, "other")
    question = ["Hi"] if verb == "ask" else []
    command = [
        sys.executable, "-m", "workshop_helpers.cli", "ollama", verb, "m", *question,
        "--max-new-tokens", "500", "--host", own.host,
    ]  # fmt: skip
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdin and process.stdout
        if verb == "chat":
            process.stdin.write(b"Hi\n")
            process.stdin.flush()
        assert process.stdout.read(2)
        own.kill()
        _, said = process.communicate(timeout=60)
    assert process.returncode == (2 if verb == "ask" else 0)  # a chat ends with its input
    check_the_word(said.decode(), "answering (m)")
    own.start()
    assert state(own.host, "other") == before
    again = subprocess.run(
        command, input=b"Hi\n", capture_output=True, cwd=ROOT, timeout=120, check=True
    )
    assert len(again.stdout) > 250, "the model has ended its answer early"


@pytest.mark.parametrize("older", [True, False], ids=["older", "new"])
def test_in_a_pull(
    own: OllamaServer,
    ollama_binary: Path,
    mame_gguf: Path,
    older_gguf: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    older: bool,
) -> None:
    with OllamaServer(tmp_path / "source", ollama_binary) as source, Ollama(source.host) as there:
        there.create("m", older_gguf)
        with Registry(source.models) as registry:
            name = registry.name("m")
            command = ["ollama", "pull", name, "--insecure", "--host", own.host]
            before = None
            if older:
                assert main(command) == 0
                before = state(own.host, name)
            there.create("m", mame_gguf)
            capsys.readouterr()

            killed = threading.Event()

            def kill() -> None:
                own.kill()
                killed.set()

            registry.pause, registry.halfway = 0.01, kill
            assert main(command) == 2
            assert killed.wait(20)
            check_the_word(capsys.readouterr().err, f"fetching it ({name})")

            own.start()
            assert not list((own.models / "blobs").glob("*-partial*"))
            if older:
                assert state(own.host, name) == before
            else:
                with Ollama(own.host) as server:
                    assert server.models() == []
                assert main(["ollama", "show", name, "--host", own.host]) == 2
                assert "has no model" in capsys.readouterr().err

            registry.pause = 0
            assert main(command) == 0
            names, weights, _ = state(own.host, name)
            assert names == [f"{name}:latest"]
            assert weights == digest(mame_gguf)

"""Models fetched from a registry: a real Ollama server pulls from a small one of ours."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ollama_registry import Registry
from ollama_server import OllamaServer

from workshop_helpers.cli.main import main
from workshop_helpers.core.cards import file_hash
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.runtimes.ollama.client import Ollama
from workshop_helpers.runtimes.ollama.runtime import OllamaRuntime

ASKED = [{"role": "user", "content": "What colour is the sky?"}]


@pytest.fixture(scope="module")
def source(
    ollama_binary: Path, mame_gguf: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The model folder of a server that made the model `tiny`, and what `tiny` answers."""
    with OllamaServer(tmp_path_factory.mktemp("source"), ollama_binary) as own:
        with Ollama(own.host) as server:
            server.create("tiny", mame_gguf, system="Be brief.", parameters={"num_thread": 1})
        return own.models, answer(own.host, "tiny")


@pytest.fixture
def registry(source: tuple[Path, str]) -> Iterator[Registry]:
    with Registry(source[0]) as running:
        yield running


@pytest.fixture(scope="module")
def puller(ollama_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OllamaServer]:
    with OllamaServer(tmp_path_factory.mktemp("puller"), ollama_binary) as own:
        yield own


@pytest.fixture
def server(puller: OllamaServer) -> Iterator[Ollama]:
    """The server that pulls; it has no models before a test nor after it."""
    with Ollama(puller.host) as found:
        yield found
        for model in found.models():
            found.remove(model.name)


def answer(host: str, name: str) -> str:
    with OllamaRuntime(name, host=host, threads=1) as runtime:
        return runtime.answer([ASKED], max_new_tokens=30)[0].text


def test_a_pulled_model_is_the_one_that_was_made(
    registry: Registry, server: Ollama, source: tuple[Path, str], mame_gguf: Path
) -> None:
    name = registry.name("tiny")
    registry.pause = 0.002  # the server tells how far it is every 60 ms
    seen: list[tuple[str, int, int]] = []
    server.pull(name, insecure=True, progress=lambda *step: seen.append(step))
    assert [one.name for one in server.models()] == [f"{name}:latest"]
    assert server.show(name).weights == f"sha256:{file_hash(mame_gguf)}"
    assert server.show(name).system == "Be brief."
    assert answer(server.host, name) == source[1] != ""

    steps = [doing for doing, _, total in seen if not total]
    assert steps[0] == "pulling manifest" and steps[-1] == "success"
    measured = [(done, total) for doing, done, total in seen if doing == f"fetching {name}"]
    assert len(measured) > 3
    assert measured == sorted(measured)
    weights = mame_gguf.stat().st_size
    assert all(done <= total and weights <= total for done, total in measured)
    assert any(0 < done < weights for done, _ in measured)
    assert measured[-1][1] <= registry.size("tiny")

    # a second time nothing is fetched, and all of it counts as done
    registry.ranges.clear()
    seen.clear()
    server.pull(f"{name}:latest", insecure=True, progress=lambda *step: seen.append(step))
    assert registry.ranges == []
    assert [step[1:] for step in seen if step[2]][-1] == (registry.size("tiny"),) * 2


def test_the_command_pulls(
    registry: Registry,
    server: Ollama,
    mame_gguf: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = registry.name("tiny")
    assert main(["ollama", "pull", name, "--insecure", "--host", server.host]) == 0
    out = capsys.readouterr().out
    assert f"workshop ask ollama:{name}" in out and file_hash(mame_gguf) in out
    arguments = ["ollama", "pull", f"ollama:{name}", "--insecure", "--json", "--host", server.host]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == name and "system" in {one["kind"] for one in found["layers"]}


def test_a_pull_that_is_stopped_goes_on_where_it_was(registry: Registry, server: Ollama) -> None:
    name = registry.name("tiny")
    registry.pause = 0.01

    def stop(doing: str, done: int, total: int) -> None:
        if total and done > total // 3:
            raise KeyboardInterrupt  # what Ctrl-C does

    with pytest.raises(KeyboardInterrupt):
        server.pull(name, insecure=True, progress=stop)
    assert server.models() == []
    time.sleep(1)  # the server notices that nobody waits any more
    registry.pause = 0.0
    server.pull(name, insecure=True)
    first, *later = registry.ranges
    assert first == 0 and min(later) > 0
    assert [one.name for one in server.models()] == [f"{name}:latest"]


def test_a_name_that_the_registry_does_not_have(registry: Registry, server: Ollama) -> None:
    for name in (registry.name("none"), registry.name("tiny:q4")):
        with pytest.raises(
            WorkshopError, match=rf"no model {name} in the registry at 127\.0\.0\.1:"
        ):
            server.pull(name, insecure=True)
    with pytest.raises(WorkshopError, match="no name for a model"):
        server.pull("http://somewhere/library/tiny")
    assert server.models() == []


def test_a_registry_without_tls_needs_a_word(registry: Registry, server: Ollama) -> None:
    with pytest.raises(WorkshopError, match="speaks plain HTTP.*--insecure"):
        server.pull(registry.name("tiny"))


def test_no_way_to_the_registry(server: Ollama) -> None:
    for host in ("127.0.0.1:1", "nowhere.invalid"):
        with pytest.raises(WorkshopError, match=f"cannot reach the registry at {host}: .*network"):
            server.pull(f"{host}/library/tiny", insecure=True)


def test_damage_on_the_way_is_told_and_not_kept(registry: Registry, server: Ollama) -> None:
    name = registry.name("tiny")
    registry.damaged = True
    with pytest.raises(WorkshopError, match="was damaged, and was thrown away"):
        server.pull(name, insecure=True)
    assert server.models() == []
    registry.damaged = False
    server.pull(name, insecure=True)
    assert answer(server.host, name)


def test_a_missing_model_can_be_pulled(server: Ollama) -> None:
    with pytest.raises(WorkshopError, match="`workshop ollama pull qwen2.5:0.5b` fetches one"):
        server.show("qwen2.5:0.5b")

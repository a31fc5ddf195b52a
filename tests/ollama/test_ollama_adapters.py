"""Two adapters on one base, made by `create(adapter=…)` and by the command: each answers like its
merged model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from families import FAMILIES, LESSON_RECIPE, LESSONS, QUESTIONS, tuned_once
from ollama_server import OllamaServer

from workshop_helpers.cli.main import main
from workshop_helpers.core.cards import file_hash
from workshop_helpers.dataset.formats import Conversation, Message
from workshop_helpers.gguf.adapter import convert_adapter
from workshop_helpers.gguf.convert import convert
from workshop_helpers.runtimes.ollama.client import Ollama
from workshop_helpers.runtimes.ollama.layers import proof
from workshop_helpers.runtimes.ollama.runtime import OllamaRuntime
from workshop_helpers.training.merge import merge
from workshop_helpers.training.train import train

QWEN = next(family for family in FAMILIES if family.name == "qwen2.5")
OTHER = [(question, f"No: {answer}") for question, answer in LESSONS]


@dataclass(frozen=True)
class Files:
    """A base and two adapters for it, each also merged, as GGUFs."""

    base: Path
    yes: Path
    no: Path
    yes_merged: Path
    no_merged: Path


@pytest.fixture(scope="module")
def files(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("adapters")
    tuned = tuned_once(QWEN, shared)
    rows = [Conversation((Message("user", q), Message("assistant", a))) for q, a in OTHER]
    other = train(tuned.base, rows, folder / "other", LESSON_RECIPE).adapter
    return Files(
        tuned.base_gguf.path,
        tuned.adapter_gguf.path,
        convert_adapter(other, folder / "no.gguf").path,
        tuned.f16.path,
        convert(merge(other, folder / "other-merged").model, folder / "other.gguf").path,
    )


@pytest.fixture(scope="module")
def own(ollama_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OllamaServer]:
    """A server of our own: what lies in its model folder is looked at."""
    with OllamaServer(tmp_path_factory.mktemp("ollama"), ollama_binary) as running:
        yield running


def answers(host: str, name: str) -> list[str]:
    with OllamaRuntime(name, host=host, threads=1) as runtime:
        return [a.text for a in runtime.answer(QUESTIONS, max_new_tokens=40)]


def test_two_adapters_on_one_base(
    files: Files,
    own: OllamaServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str | Path) -> str:
        assert main(["ollama", *map(str, arguments), "--host", own.host]) == 0
        return capsys.readouterr().out

    # the base by its file, by its name on the server, and by a Modelfile that lies elsewhere
    command("create", "base", files.base)
    command("create", "yes", files.base, "--adapter", files.yes)
    with Ollama(own.host) as server:
        server.create("no", "base", adapter=files.no)
        for name, merged in (("yes-merged", files.yes_merged), ("no-merged", files.no_merged)):
            command("create", name, merged)
        recipe = files.no.parent / "Modelfile"
        recipe.write_text("FROM base\nADAPTER ./no.gguf\n", encoding="utf-8")
        command("create", "by-modelfile", recipe)

        taught, other = [text for _, text in LESSONS], [text for _, text in OTHER]
        assert answers(own.host, "yes") == answers(own.host, "yes-merged") == taught
        assert answers(own.host, "no") == answers(own.host, "no-merged") == other
        assert answers(own.host, "by-modelfile") == other
        plain = answers(own.host, "base")
        assert not {*plain} & {*taught, *other}

        layers = {name: server.layers(name) for name in ("base", "yes", "no", "by-modelfile")}
        weights, *beside = (layers[name][:2] for name in ("base", "yes", "no"))
        digest = f"sha256:{file_hash(files.base)}"
        assert weights[0].digest == digest
        assert [one[0].digest for one in beside] == [digest, digest]
        assert [one[1].digest for one in beside] == [
            f"sha256:{file_hash(files.yes)}",
            f"sha256:{file_hash(files.no)}",
        ]
        assert layers["by-modelfile"][:2] == layers["no"][:2]
        found = proof("base", "yes", host=own.host)
        assert found.adapted("yes") and not found.shared("yes")

    # the weights lie there once: three whole models and two small adapters, whatever else is a text
    sizes = sorted((p.stat().st_size for p in (own.models / "blobs").iterdir()), reverse=True)
    stored = sorted((p.stat().st_size for p in vars(files).values()), reverse=True)
    assert sizes[:5] == stored and sizes[5] < 10_000
    assert "an adapter" in command("show", "yes", "--against", "base")


def test_an_adapter_needs_a_base(
    files: Files, own: OllamaServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ollama", "create", "alone", str(files.yes), "--host", own.host]) == 2
    said = capsys.readouterr().err
    assert "adapter.gguf is an adapter" in said and "--adapter" in said

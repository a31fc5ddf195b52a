"""Where a GGUF and its Modelfile come alive: on an Ollama server, or through llama.cpp in this
process where no server answers.

Both make a model of the same Modelfile, and both hold to what it says: system text, example
messages, stop texts and sampling.
"""

from __future__ import annotations

import abc
import hashlib
import json
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.cards import file_hash
from ..core.errors import Closing, WorkshopError, explain_os_errors
from ..core.wordings import say
from ..gguf.engine import LlamaEngine
from ..models.chat import Answer, Messages, conversation
from .base import Reply
from .chat import Chat
from .ollama.client import Ollama
from .ollama.facts import Layer
from .ollama.layers import Proof
from .ollama.modelfile import Modelfile
from .ollama.prompted import prompted
from .ollama.runtime import OllamaRuntime
from .openai import is_local

# Models made on a server have this tag: by it the course knows its own, and replaces and removes
# no others.
TAG = "workshop"
# The environment variable that names a file, in which every model made on a server is noted: a line
# of JSON before it is made, one with its digest after, and one with an empty digest once it is
# removed. Who has the file can clear up later, whatever has become of the process that made them.
RECORD = "WORKSHOP_OLLAMA_RECORD"
# Seconds in which a server must tell its version, to be used at all.
PATIENCE = 10.0


class Served(abc.ABC):
    """A model made by its Modelfile, whose own parameters count. `name`: as the place calls it."""

    def __init__(self, name: str, modelfile: Modelfile) -> None:
        self.name, self.modelfile = name, modelfile

    @abc.abstractmethod
    def reply(self, messages: Messages) -> Reply:
        """The answer to messages of which the last one is a user's."""

    @abc.abstractmethod
    def layers(self) -> list[Layer]:
        """The parts that the model is made of."""

    def stream(self, question: str) -> Reply:
        """The answer to one question, piece by piece. WorkshopError for an empty question."""
        return self.reply(conversation(question))

    def ask(self, question: str) -> Answer:
        """The answer to one question. WorkshopError for an empty question."""
        return self.stream(question).answer

    def chat(self) -> Chat:
        """A conversation with the model, with nothing said yet."""
        return Chat(self)

    @property
    def weights(self) -> str:
        """SHA-256 of the model's weights, in hexadecimal; "" where the server does not tell."""
        found = (one.digest for one in self.layers() if one.kind == "model")
        return (next(found, None) or "").removeprefix("sha256:")


class Place(Closing):
    """Somewhere to run models: `name` ("Ollama 0.9.3", "llama.cpp"), and `said`, a sentence on it.

    Closing it removes the models that were made here, and no others. `record`: see RECORD.
    """

    def __init__(self, name: str, said: str, language: str) -> None:
        self.name, self.said, self.language = name, said, language
        named = os.environ.get(RECORD)
        self.record = Path(named) if named else None
        self._made: dict[str, Served] = {}

    def __str__(self) -> str:
        return self.said

    def create(self, name: str, source: str | Path | Modelfile) -> Served:
        """Make a model of a Modelfile, or of a `.gguf` with the Modelfile that suits it.

        An earlier model of the course with this name is replaced. Raises WorkshopError for a file
        that is missing or damaged, and for what the place cannot run.
        """
        modelfile = source if isinstance(source, Modelfile) else prompted(source)
        full = f"{name}:{TAG}"
        made = self._made[full] = self._create(full, modelfile)
        return made

    @abc.abstractmethod
    def _create(self, name: str, modelfile: Modelfile) -> Served: ...

    def keep(self, model: Served) -> None:
        """Let a model that was made here stay when the place is closed."""
        self._made.pop(model.name, None)

    def proof(self, base: Served, *others: Served) -> Proof:
        """What each model shares with the base: equal digests are equal parts."""
        return Proof({one.name: one.layers() for one in (base, *others)}, self.language)


def place_to_run(language: str = "en", *, host: str | None = None) -> Place:
    """The Ollama server at `host` (default: OLLAMA_HOST, else this machine's) where one answers and
    is new enough, else llama.cpp alone. What it says of itself is in `language`.
    """
    where = host or ""
    try:
        with Ollama(host, timeout=PATIENCE) as probe:
            where = probe.host
            version = probe.version()
            probe.need()
    except WorkshopError as error:
        answers = "is version" in str(error)
        code = "places.too-old" if answers else "places.in-process"
        return InProcess(say(code, language, host=where, reason=error), language)
    return OnOllama(version, language, host=host)


class OnOllama(Place):
    """An Ollama server. `parameters` go into every model that is made on it."""

    def __init__(
        self,
        version: str,
        language: str,
        *,
        host: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.server = Ollama(host)
        self.parameters = dict(parameters or {})
        name, where = f"Ollama {version}", self.server.host
        # A port of this machine tells nobody anything, and differs from run to run.
        code = "places.here" if is_local(where) else "places.there"
        super().__init__(name, say(code, language, name=name, host=where), language)

    def _create(self, name: str, modelfile: Modelfile) -> Served:
        self._note(name)
        self.server.create(name, modelfile, parameters=self.parameters)
        if self.record is not None:
            digests = {one.name: one.digest for one in self.server.models()}
            self._note(name, digests.get(name))
        return _OllamaModel(name, modelfile, self.server)

    def _note(self, name: str, digest: str | None = None) -> None:
        if self.record is None:
            return
        note = {"host": self.server.host, "name": name, "digest": digest}
        with explain_os_errors("write the record of models", self.record):
            self.record.parent.mkdir(parents=True, exist_ok=True)
            with self.record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(note) + "\n")

    def close(self) -> None:
        for name in list(self._made):
            with suppress(WorkshopError):  # removed already, or the server is gone
                self.server.remove(name)
                self._note(name, "")
            del self._made[name]
        self.server.close()


class _OllamaModel(Served):
    def __init__(self, name: str, modelfile: Modelfile, server: Ollama) -> None:
        super().__init__(name, modelfile)
        self._server = server

    def reply(self, messages: Messages) -> Reply:
        return Reply(self._pieces(messages))

    def _pieces(self, messages: Messages) -> Generator[str, None, Answer]:
        with OllamaRuntime(self.name, host=self._server.host, greedy=False) as runtime:
            return (yield from runtime.pieces(messages, max_new_tokens=None))

    def layers(self) -> list[Layer]:
        return self._server.layers(self.name)


# Ollama's name of a parameter, llama.cpp's, and what holds where a Modelfile does not set it:
# Ollama's own default.
_PARAMETERS: dict[str, tuple[str, Any]] = {
    "temperature": ("temperature", 0.8),
    "top_k": ("top_k", 40),
    "top_p": ("top_p", 0.9),
    "min_p": ("min_p", 0.0),
    "seed": ("seed", -1),
    "repeat_penalty": ("repeat_penalty", 1.0),
    "repeat_last_n": ("repeat_last_n", 64),
    "presence_penalty": ("presence_penalty", 0.0),
    "frequency_penalty": ("frequency_penalty", 0.0),
    "num_predict": ("n_predict", -1),
    "stop": ("stop", ()),
}


class InProcess(Place):
    """llama.cpp by itself. Models of the same GGUF share its weights in memory."""

    def __init__(self, said: str, language: str) -> None:
        super().__init__("llama.cpp", said, language)
        self._open: tuple[tuple[Path, int | None], LlamaEngine] | None = None

    def _create(self, name: str, modelfile: Modelfile) -> Served:
        path = modelfile.path(modelfile.base)
        if modelfile.adapter is not None or not path.is_file():
            named = (
                f"ADAPTER {modelfile.adapter}" if modelfile.adapter else f"FROM {modelfile.base}"
            )
            raise WorkshopError(
                f"{named}: without Ollama, models are made of a GGUF file alone. Name one in FROM "
                "(merge an adapter first), or start Ollama."
            )
        return _LlamaModel(name, modelfile, path, self.engine)

    def engine(self, path: Path, context: int | None) -> LlamaEngine:
        """The GGUF opened in llama.cpp; one at a time, so that large ones fit."""
        key = (path, context)
        if self._open is None or self._open[0] != key:
            self.close_engine()
            self._open = key, LlamaEngine(path, context=context)
        return self._open[1]

    def close_engine(self) -> None:
        """Give the memory of the open GGUF back."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def close(self) -> None:
        self._made.clear()
        self.close_engine()


class _LlamaModel(Served):
    def __init__(
        self,
        name: str,
        modelfile: Modelfile,
        path: Path,
        engine: Callable[[Path, int | None], LlamaEngine],
    ) -> None:
        super().__init__(name, modelfile)
        self.path, self._engine = path, engine

    def reply(self, messages: Messages) -> Reply:
        return Reply(self._pieces(messages))

    def _pieces(self, messages: Messages) -> Generator[str, None, Answer]:
        told = self.modelfile
        context = told.parameters.get("num_ctx")
        engine = self._engine(self.path, int(context) if isinstance(context, int) else None)
        # As Ollama puts them together: the system text, the example messages, the conversation.
        own = [{"role": m.role, "content": m.content} for m in told.messages]
        system = [{"role": "system", "content": told.system}] if told.system else []
        asked = [*own, *messages]
        if not any(m["role"] == "system" for m in messages[:1]):
            asked = [*system, *asked]
        options = {
            theirs: told.parameters.get(ours, default)
            for ours, (theirs, default) in _PARAMETERS.items()
        }
        options["stop"] = list(options["stop"])
        options["samplers"] = ["penalties", "top_k", "top_p", "min_p", "temperature"]
        options["cache_prompt"] = False
        answer = yield from engine.stream(engine.render(asked), options)
        return replace(answer, text=answer.text.strip())

    def layers(self) -> list[Layer]:
        told = self.modelfile.create_options()
        size = self.path.stat().st_size
        found = [Layer("model", f"sha256:{file_hash(self.path)}", size)]
        parts = {"template": "template", "system": "system", "params": "parameters",
                 "messages": "messages"}  # fmt: skip
        for kind, name in parts.items():
            if value := told.get(name):
                text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
                data = text.encode()
                digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
                found.append(Layer(kind, digest, len(data)))
        return found

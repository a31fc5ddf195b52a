"""An Ollama server, asked through Ollama's own client: its models are made, asked and removed.

Models are made over the HTTP API, not by the `ollama` command: the server may be another machine,
and texts may hold what a Modelfile cannot. The client reports one trouble in many ways (a server
that is down is a builtin ConnectionError, or while streaming an httpx.ConnectError; an error in the
middle of a stream comes with status 200): here each becomes one WorkshopError.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...core.cards import file_hash
from ...core.device import cores
from ...core.errors import Closing, WorkshopError, first_line
from ...core.outside import Secret
from ...models.chat import Messages
from ...models.resolve import check_ollama_name
from ..limits import LARGEST, limited_client
from .facts import Layer, OllamaFacts, OllamaModel, Timings, layers_of, read_facts
from .refusals import INSTALL, broken, is_missing, missing, not_fetched, refusal
from .sources import read_source

if TYPE_CHECKING:
    from .modelfile import Modelfile

# `/api/create` takes files by their digest from this release on.
OLDEST = (0, 5, 5)
PORT = 11434
_HERE = ("127.0.0.1", "::1", "localhost")
# Seconds of silence after which we give up; a large model may take minutes to load.
SILENCE = 600.0
# Seconds in all for what needs no model in memory: the version, the list, a model's facts.
PATIENCE = 30.0
# Ollama ends a stream without a last word when a model has written the same token more than 30
# times in a row.
REPEATS = 30

# What comes of an answer of another shape than Ollama's, in its client and here.
_STRANGE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)

# (what is going on, bytes done, bytes in all); the last two are 0 for a step that is not measured
Progress = Callable[[str, int, int], None]


def silent(doing: str, done: int, total: int) -> None:
    """Progress that is not shown."""


class Stream:
    """An answer while it is written: iterate over its pieces. Afterwards `text`, `stopped` (the
    model ended it itself) and `timings` are there.

    Where Ollama broke the answer off because the model repeated itself, it measured nothing: the
    timings hold our own count and clock, and 0 for what only Ollama knows.
    """

    def __init__(self, parts: Generator[Any, None, None], broken_off: str) -> None:
        self.text = ""
        self.stopped = False
        self.timings: Timings | None = None
        self._parts, self._broken_off = parts, broken_off

    def __iter__(self) -> Iterator[str]:
        last, again, count, started = "", 0, 0, time.perf_counter()
        for part in self._parts:
            piece = part.message.content or ""
            if piece:
                self.text += piece
                if len(self.text) > LARGEST:
                    raise WorkshopError(f"{self._broken_off} It had written 16 million characters.")
                yield piece
            if part.done:
                self.stopped = part.done_reason != "length"
                self.timings = Timings.of(part)
            again = again + 1 if piece.strip() == last else 0
            last, count = piece.strip(), count + 1
        if self.timings is None and again >= REPEATS:
            took = time.perf_counter() - started
            self.timings = Timings(0.0, 0, 0.0, count, took, took)
        if self.timings is None:
            raise WorkshopError(self._broken_off)

    def close(self) -> None:
        """Break the answer off; the server stops writing too. Harmless when it has ended."""
        self._parts.close()


class Ollama(Closing):
    """The server at `host` (default: OLLAMA_HOST, else this machine's port 11434); opening it asks
    it nothing. Work that reports on itself, and answers, are given up after `timeout` seconds of
    silence, other requests after PATIENCE seconds.
    """

    def __init__(self, host: str | None = None, *, timeout: float = SILENCE) -> None:
        import httpx

        address()  # first: the client reads OLLAMA_HOST when it is imported, and nonsense ends it
        self.host = address(host)
        from ollama import Client

        self.timeout = timeout
        settings: dict[str, Any] = {
            "timeout": httpx.Timeout(timeout, connect=min(10.0, timeout)),
            # a proxy that the environment names must not stand between us and our own machine
            "trust_env": urlsplit(self.host).hostname not in _HERE,
        }
        # The client sends it along to whatever server it asks.
        self._key = Secret(os.environ.get("OLLAMA_API_KEY", ""))
        made = partial(limited_client, httpx.Client, min(timeout, PATIENCE), timeout)
        self._client = Client.__new__(Client)
        super(Client, self._client).__init__(made, self.host, **settings)
        self._http = made(base_url=self.host, **settings)

    def close(self) -> None:
        """Let the connections go. The server, and the models in its memory, stay as they are."""
        self._client.close()
        self._http.close()

    def own_threads(self) -> int | None:
        """How many threads to ask for; None where Ollama may choose.

        Ollama counts the machine's cores. Where we (and most likely it too) may use only some of
        them, or share them with another program (which OMP_NUM_THREADS says), its threads wait for
        each other: two on one core write one token a second instead of a hundred.
        """
        here, usable = urlsplit(self.host).hostname in _HERE, cores()
        shared = os.environ.get("OMP_NUM_THREADS", "")
        if shared.isdecimal() and int(shared) > 0:
            usable = min(usable, int(shared))
        return usable if here and usable < (os.cpu_count() or 1) else None

    def version(self) -> str:
        """The server's version, such as "0.9.3". Raises WorkshopError when no Ollama answers."""
        with self._explained("asking for its version"):
            reply = self._http.get("/api/version")
            with suppress(ValueError, KeyError, TypeError, RecursionError):
                version = reply.json()["version"]
                if isinstance(version, str) and len(version) < 40:
                    return version
        raise WorkshopError(
            f"Something answers at {self.host}, but it is not Ollama. Look at OLLAMA_HOST, or what "
            "uses that port."
        )

    def need(self, oldest: tuple[int, ...] = OLDEST, what: str = "make models from files") -> str:
        """The version, where it is `oldest` or newer. Raises WorkshopError for an older server."""
        version = self.version()
        numbers = version_numbers(version)
        if any(numbers) and numbers < oldest:
            raise WorkshopError(
                f"The Ollama at {self.host} is version {version}; to {what}, "
                f"{'.'.join(map(str, oldest))} or newer is needed. Update it ({INSTALL}) and start "
                "it again."
            )
        return version

    def models(self) -> list[OllamaModel]:
        """Every model that the server has, the one changed last first."""
        with self._explained("listing its models"):
            return [OllamaModel.of(one) for one in self._client.list().models]

    def show(self, name: str) -> OllamaFacts:
        """What is known of a model. Raises WorkshopError, with the nearest names, for none."""
        check_ollama_name(name)
        with self._explained("looking at it", name):
            # by hand: the client's own reply leaves the system text out
            from ollama import ResponseError

            reply = self._http.post("/api/show", json={"model": name})
            if not reply.is_success:
                raise ResponseError(reply.text, reply.status_code)
            return read_facts(name, reply.json())

    def layers(self, name: str) -> list[Layer]:
        """What the model is made of: see `layers_of`."""
        return layers_of(self.show(name))

    def create(
        self,
        name: str,
        source: str | Path | Modelfile,
        *,
        adapter: str | Path | None = None,
        system: str | None = None,
        template: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        messages: Sequence[Mapping[str, str]] | None = None,
        quantize: str | None = None,
        progress: Progress = silent,
    ) -> None:
        """Make the model `name`, or replace it, from a GGUF file, a Modelfile or a model that the
        server has.

        source: a path that ends in .gguf, a `Modelfile`, or the name of a model. adapter: a GGUF
        adapter for the source's weights. A Modelfile's own paths count from its `folder`, all
        others from the working directory. What else is given is put over what the source brings;
        nothing is added to it: for a bare GGUF without `template`, Ollama looks for a template of
        its own that is like the file's (`prompted` reads off the file's). Files are uploaded only
        where the server does not have them. The name appears at the end; until then an older model
        of that name stays. Raises WorkshopError for a bad name, a file that is missing,
        damaged or of the wrong kind, a model that is missing, a server that is too old, stops or
        refuses.
        """
        check_ollama_name(name)
        found = read_source(source, adapter)
        texts = {"system": system, "template": template, "messages": messages, "quantize": quantize}
        given = {**found.options, **{k: v for k, v in texts.items() if v is not None}}
        if parameters:
            given["parameters"] = {**given.get("parameters", {}), **parameters}
        self.need()
        if needs := given.pop("requires", None):
            self.need(version_numbers(needs), f"make a model that says REQUIRES {needs}")
        if found.weights is not None:
            given["files"] = {found.weights.name: self._upload(found.weights, progress)}
        else:
            given["from_"] = found.base
            self.show(found.base)  # Ollama would look for a missing one in its library
        if found.adapter is not None:
            given["adapters"] = {found.adapter.name: self._upload(found.adapter, progress)}

        def tell(part: Any) -> None:
            progress(part.status or "", int(part.completed or 0), int(part.total or 0))

        self._follow("making", name, self._client.create(name, stream=True, **given), tell)

    def pull(self, name: str, *, progress: Progress = silent, insecure: bool = False) -> None:
        """Fetch the model `name` from Ollama's library, or from the registry whose host the name
        begins with.

        The server fetches it, not this machine. What it has is not fetched again, and the name
        appears (or changes to the newer model) at the end. progress: the bytes are those of
        all parts that have been begun. insecure: the registry speaks plain HTTP, or its certificate
        is not to be checked. Raises WorkshopError for a name that is not there, a registry that
        cannot be reached or refuses, a full disk, and a server that stops.
        """
        check_ollama_name(name)
        sizes: dict[str, int] = {}

        def tell(part: Any) -> None:
            if not (part.digest and part.total):
                progress(part.status or "", 0, 0)
                return
            # The server fetches one part after the other, and does not report the last bytes of
            # each: all but this one are whole.
            sizes[part.digest] = int(part.total)
            left = part.total - min(part.completed or 0, part.total)
            total = sum(sizes.values())
            progress(f"fetching {name}", total - left, total)

        parts = self._client.pull(name, insecure=insecure, stream=True)
        known = partial(not_fetched, self.host, name=name)
        self._follow("fetching", name, parts, tell, known)

    def _follow(
        self,
        doing: str,
        name: str,
        parts: Any,
        tell: Callable[[Any], None],
        known: Callable[[str], str | None] = lambda said: None,
    ) -> None:
        """Tell each part of long work. Raises WorkshopError where it ends before its success."""
        status = ""
        # closed at once, whoever keeps the traceback: only then does the server stop its work
        with self._explained(f"{doing} it", name, known), closing(parts):
            for part in parts:
                status = part.status or ""
                tell(part)
        if status != "success":
            raise WorkshopError(
                f"The Ollama at {self.host} stopped {doing} {name} before it was done (its last "
                f"word: {status!r}). Nothing half-made is left under the name; look at its log and "
                "try again."
            )

    def _upload(self, path: Path, progress: Progress) -> str:
        """The digest of a file that the server then has. A server that has it resets the
        connection: ask first.
        """
        progress(f"hashing {path.name}", 0, 0)
        digest = f"sha256:{file_hash(path)}"
        size = path.stat().st_size

        def blocks() -> Iterator[bytes]:
            with path.open("rb") as file:
                while block := file.read(2**20):
                    yield block
                    progress(f"uploading {path.name}", file.tell(), size)

        with self._explained(f"taking {path.name}"):
            if self._http.head(f"/api/blobs/{digest}").status_code == 200:
                return digest
            reply = self._http.post(
                f"/api/blobs/{digest}", content=blocks(), headers={"Content-Length": str(size)}
            )
            if reply.is_success:
                return digest
        said = reply.text
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            said = str(reply.json()["error"])
        raise WorkshopError(refusal(self.host, said, reply.status_code, f"taking {path}", None))

    def remove(self, name: str) -> None:
        """Remove a model; weights that another model uses stay. Raises WorkshopError for none."""
        check_ollama_name(name)
        with self._explained("removing it", name):
            self._client.delete(name)

    def chat(
        self,
        name: str,
        messages: Messages,
        *,
        options: Mapping[str, Any] | None = None,
        think: bool | None = None,
    ) -> Stream:
        """The model's answer to `messages`, piece by piece; `options` stand over those of the
        model. Nothing is asked before the first piece is wanted.
        """
        check_ollama_name(name)

        def parts() -> Generator[Any, None, None]:
            given: dict[str, Any] = {"options": dict(options or {}), "think": think}
            with self._explained("answering", name):
                yield from self._client.chat(name, list(messages), stream=True, **given)

        broken_off = f"The Ollama at {self.host} broke the answer of {name} off in the middle."
        return Stream(parts(), f"{broken_off} Look at its log.")

    @contextmanager
    def _explained(
        self,
        doing: str,
        name: str | None = None,
        known: Callable[[str], str | None] = lambda said: None,
    ) -> Iterator[None]:
        """Every failure of a request in a sentence. `doing` completes "… while …"; `known` explains
        refusals that only this request meets.
        """
        import httpx
        from ollama import ResponseError

        doing = f"{doing} ({name})" if name else doing
        try:
            yield
        except ResponseError as error:
            reason = str(error.error)
            said = known(reason)
            if said is None and name and is_missing(reason, error.status_code):
                names: list[str] = []
                with suppress(WorkshopError):
                    names = [model.name for model in self.models()]
                said = missing(self.host, name, names)
            raise WorkshopError(
                said or refusal(self.host, reason, error.status_code, doing, name)
            ) from error
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ConnectionError) as error:
            raise WorkshopError(broken(self.host, error, doing, self.timeout)) from error
        except _STRANGE as error:
            raise WorkshopError(
                f"What answers at {self.host} does not answer as Ollama does while {doing} "
                f"({first_line(error)}). Look at OLLAMA_HOST, or what uses that port."
            ) from error


def address(host: str | None = None) -> str:
    """The server's URL: `host`, else OLLAMA_HOST, else this machine; read as Ollama does, port
    11434 if none is named. A server that listens everywhere (0.0.0.0) is asked on this machine.

    Raises WorkshopError for nonsense.
    """
    named = (host or os.environ.get("OLLAMA_HOST") or "").strip().strip("\"'")
    scheme, _, rest = named.rpartition("://")
    try:
        parts = urlsplit(f"//{rest}")
        name, port = parts.hostname or "127.0.0.1", parts.port
    except ValueError as error:
        raise WorkshopError(
            f"{named!r} is not a server's address ({error}). Write it like 127.0.0.1:11434."
        ) from error
    port = port or {"http": 80, "https": 443}.get(scheme, PORT)
    name = "127.0.0.1" if name in ("0.0.0.0", "::") else name
    shown = f"[{name}]" if ":" in name else name
    return f"{scheme or 'http'}://{shown}:{port}{parts.path.rstrip('/')}"


def version_numbers(version: str) -> tuple[int, ...]:
    """ "0.9.3-rc1" → (0, 9, 3); what is not a number counts as 0."""
    found = re.findall(r"\d+", version.partition("-")[0])
    return tuple(int(number) for number in [*found, 0, 0, 0][:3])

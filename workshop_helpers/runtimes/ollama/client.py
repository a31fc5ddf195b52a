"""An Ollama server, spoken to through Ollama's own client: what it has; making, asking and removing
models.

Models are made over the HTTP API, not by starting the `ollama` command: it works with a server on
another machine, and it holds texts that a Modelfile cannot. The client reports one trouble in many
ways (a server that is down is a builtin ConnectionError, or while streaming an httpx.ConnectError;
an error in the middle of a stream comes with status 200): here each becomes one WorkshopError.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...core.cards import file_hash
from ...core.device import cores
from ...core.errors import Closing, WorkshopError
from ...gguf.header import composes, read_gguf
from ...models.resolve import check_ollama_name

if TYPE_CHECKING:
    from .modelfile import Modelfile

# `/api/create` takes files by their digest from this release on.
OLDEST = (0, 5, 5)
PORT = 11434
_HERE = ("127.0.0.1", "::1", "localhost")
SILENCE = (
    600.0  # seconds without a word after which we give up; a large model may take minutes to load
)
INSTALL = "https://ollama.com/download"
# Ollama ends a stream without a last word when a model has written the same token more than 30
# times in a row.
REPEATS = 30

# (what is going on, bytes done, bytes in all); the last two are 0 for a step that is not measured
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class OllamaModel:
    """A model that the server has, as its list tells; `quantization` such as "Q4_K_M"."""

    name: str
    size_bytes: int
    digest: str
    parameters: str
    quantization: str
    family: str
    modified: str


@dataclass(frozen=True)
class OllamaFacts:
    """What `show` tells of a model. `parameters` are those that were set; `context_length` is what
    it was made for, 0 where the server does not say; `weights` is the digest of its weights;
    `composes`: see `gguf_file.composes`.
    """

    name: str
    family: str
    parameter_size: str
    quantization: str
    context_length: int
    template: str
    system: str
    parameters: dict[str, str | list[str]]
    capabilities: tuple[str, ...]
    modelfile: str
    weights: str | None
    license: str | None = None
    composes: bool = False


@dataclass(frozen=True)
class Timings:
    """What Ollama measured, in seconds: loading the model (little where it was loaded), the prompt,
    the answer.
    """

    load_seconds: float
    prompt_tokens: int
    prompt_seconds: float
    tokens: int
    seconds: float
    total_seconds: float

    @property
    def prompt_tokens_per_second(self) -> float:
        """0 where Ollama measured nothing, as for a prompt that it remembered."""
        return self.prompt_tokens / self.prompt_seconds if self.prompt_seconds else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Tokens of the answer a second."""
        return self.tokens / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        return (
            f"load {self.load_seconds:.2f} s · prompt {self.prompt_tokens} tokens, "
            f"{self.prompt_tokens_per_second:,.0f}/s · answer {self.tokens} tokens, {self.tokens_per_second:,.0f}/s"
        )


@dataclass(frozen=True)
class Layer:
    """One part of a model, kept by the server as a blob under the hash of its content. `kind`:
    "model" (the weights), "adapter", "template", "system", "params", "messages", "license". Digest
    and size are None where unknown.
    """

    kind: str
    digest: str | None
    size_bytes: int | None


class Stream:
    """An answer while it is written: iterate over its pieces. Afterwards `text`, `stopped` (the
    model ended it itself) and `timings` are there; `close` breaks it off, and the server stops
    writing too.

    `repeated`: Ollama broke the answer off because the model said the same again and again. It
    measures nothing then: the timings hold our own count and clock, and 0 for what only Ollama
    knows.
    """

    def __init__(self, pieces: Callable[[Stream], Iterator[str]]) -> None:
        self.text = ""
        self.stopped = False
        self.repeated = False
        self.timings: Timings | None = None
        self._pieces = pieces(self)

    def __iter__(self) -> Iterator[str]:
        for piece in self._pieces:
            self.text += piece
            yield piece

    def close(self) -> None:
        """Break the answer off; harmless when it has ended."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()


class Ollama(Closing):
    """The server at `host` (default: OLLAMA_HOST, else this machine's port 11434). Opening it asks
    it nothing.

    `timeout`: seconds of silence, not of work, after which a request is given up.
    """

    def __init__(self, host: str | None = None, *, timeout: float = SILENCE) -> None:
        import httpx

        # first, for the client reads OLLAMA_HOST when it is imported, and ends at nonsense
        address()
        self.host = address(host)
        # the client's own package, imported by its full name inside a module of ours that has
        # another one
        from ollama import Client

        self.timeout = timeout
        settings: dict[str, Any] = {
            "timeout": httpx.Timeout(timeout, connect=min(10.0, timeout)),
            # a proxy that the environment names must not stand between us and our own machine
            "trust_env": urlsplit(self.host).hostname not in _HERE,
        }
        self._client = Client(self.host, **settings)
        self._http = httpx.Client(base_url=self.host, **settings)

    def close(self) -> None:
        """Let the connections go. The server, and the models it holds in memory, stay as they are."""
        self._client.close()
        self._http.close()

    def own_threads(self) -> int | None:
        """How many threads to ask for; None where Ollama may choose.

        Ollama counts the machine's cores. Where we (and so, on our machine, most likely it) may use
        only some of them, its threads wait for each other: measured, two on one core write one
        token a second instead of a hundred.
        """
        here, usable = urlsplit(self.host).hostname in _HERE, cores()
        return usable if here and usable < (os.cpu_count() or 1) else None

    # --- what it has ------------------------------------------------------------------------------

    def version(self) -> str:
        """The server's version, such as "0.9.3". Raises WorkshopError when no Ollama answers."""
        with self._explained("asking for its version"):
            reply = self._http.get("/api/version")
            with suppress(ValueError, KeyError, TypeError):
                return str(reply.json()["version"])
        raise WorkshopError(
            f"Something answers at {self.host}, but it is no Ollama. Look at OLLAMA_HOST, or what uses that port."
        )

    def need(self, oldest: tuple[int, ...] = OLDEST, what: str = "make models from files") -> str:
        """The version, where it is `oldest` or newer. Raises WorkshopError for an older server."""
        version = self.version()
        numbers = version_numbers(version)
        if any(numbers) and numbers < oldest:
            raise WorkshopError(
                f"The Ollama at {self.host} is version {version}; to {what}, {'.'.join(map(str, oldest))} or newer is "
                f"needed. Update it ({INSTALL}) and start it again."
            )
        return version

    def models(self) -> list[OllamaModel]:
        """Every model that the server has, the one changed last first."""
        with self._explained("listing its models"):
            found = self._client.list().models
        return [
            OllamaModel(
                name=str(one.model),
                size_bytes=int(one.size or 0),
                digest=str(one.digest),
                parameters=(one.details and one.details.parameter_size) or "",
                quantization=(one.details and one.details.quantization_level) or "",
                family=(one.details and one.details.family) or "",
                modified=one.modified_at.isoformat() if one.modified_at else "",
            )
            for one in found
        ]

    def show(self, name: str) -> OllamaFacts:
        """What is known of a model. Raises WorkshopError, with the nearest names, when it is not
        there.
        """
        check_ollama_name(name)
        with self._explained("looking at it", name):
            # by hand: the client's own reply leaves the system text out
            from ollama import ResponseError

            reply = self._http.post("/api/show", json={"model": name})
            if not reply.is_success:
                raise ResponseError(reply.text, reply.status_code)
            found = reply.json()
        info, details = found.get("model_info") or {}, found.get("details") or {}
        modelfile = found.get("modelfile") or ""
        weights = re.search(r"^FROM .*sha256[-:]([0-9a-f]{64})\s*$", modelfile, re.M)
        return OllamaFacts(
            name=name,
            family=details.get("family") or "",
            parameter_size=details.get("parameter_size") or "",
            quantization=details.get("quantization_level") or "",
            context_length=int(info.get(f"{info.get('general.architecture')}.context_length") or 0),
            template=found.get("template") or "",
            system=found.get("system") or "",
            parameters=_parameters(found.get("parameters") or ""),
            capabilities=tuple(found.get("capabilities") or ()),
            modelfile=modelfile,
            weights=f"sha256:{weights.group(1)}" if weights else None,
            license=found.get("license"),
            composes=composes(info),
        )

    def layers(self, name: str) -> list[Layer]:
        """What the model is made of: its weights, then template, system text, parameters and so on.

        On the server's own machine this is its manifest. Elsewhere it is worked out from `show`,
        which names the texts and the digest of the weights; a text's digest is computed, those of
        parameters and messages stay unknown.
        """
        facts = self.show(name)
        found = _manifest_layers(facts) or _shown_layers(facts)
        order = ["model", "adapter", "projector", "template", "system", "params", "messages"]
        return sorted(found, key=lambda one: order.index(one.kind) if one.kind in order else 99)

    # --- making and removing ----------------------------------------------------------------------

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
        license: str | Sequence[str] | None = None,
        quantize: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Make the model `name`, or make it anew, from a GGUF file, a Modelfile or a model that the
        server has.

        source: a path that ends in .gguf, a `Modelfile`, or the name of a model. adapter: a GGUF
        adapter for the source's weights. A Modelfile's own paths count from its `folder`, all
        others from the working directory. What else is given is put over what the source brings;
        nothing is added to it: for a bare GGUF without `template`, Ollama looks for a template of
        its own that is like the file's (`prompting.prompted` reads off the file's). Files are
        uploaded only where the server does not have them. The name appears when all is there; until
        then an older model of that name stays. Raises WorkshopError for a bad name, a file that is
        missing, damaged or of the wrong kind, a model that is missing, a server that is too old,
        stops or refuses.
        """
        check_ollama_name(name)
        given: dict[str, Any] = {}
        beside = Path(adapter).expanduser() if adapter is not None else None
        weights: Path | None
        if isinstance(source, str | Path):
            base, weights = str(source), Path(source).expanduser() if _is_file(source) else None
        else:
            base, weights = source.base, _weights(source)
            given = dict(source.create_options())
            if beside is None and source.adapter:
                beside = source.path(source.adapter)
            if source.projectors:
                raise WorkshopError(
                    "A Modelfile with several FROM lines is not made here: use `ollama create`."
                )
            if source.draft:
                given["draft"] = source.draft
        for option, value in {
            "system": system, "template": template, "messages": messages, "license": license, "quantize": quantize,
        }.items():  # fmt: skip
            if value is not None:
                given[option] = value
        if parameters:
            given["parameters"] = {**given.get("parameters", {}), **parameters}
        unknown = {"renderer", "parser", "draft"} & given.keys()
        if unknown:
            raise WorkshopError(
                f"{', '.join(sorted(unknown)).upper()} cannot be given over the HTTP API: use `ollama create`."
            )
        # before the first upload; some releases end at a damaged file
        if weights is not None:
            _check_gguf(weights, adapter=False)
        if beside is not None:
            _check_gguf(beside, adapter=True)
        self.need()
        if needs := given.pop("requires", None):
            self.need(version_numbers(needs), f"make a model that says REQUIRES {needs}")
        if weights is not None:
            given["files"] = {weights.name: self._upload(weights, progress)}
        else:
            given["from_"] = base
            self.show(base)  # Ollama would look for a missing one in its library on the internet
        if beside is not None:
            given["adapters"] = {beside.name: self._upload(beside, progress)}
        with self._explained("making it", name):
            status = ""
            for part in self._client.create(name, stream=True, **given):
                status = part.status or ""
                if progress is not None:
                    progress(status, int(part.completed or 0), int(part.total or 0))
        if status != "success":
            raise WorkshopError(
                f"The Ollama at {self.host} stopped making {name} before it was done (its last word: {status!r}). "
                "Nothing half-made is left under the name; look at its log and try again."
            )

    def pull(self, name: str, *, progress: Progress | None = None, insecure: bool = False) -> None:
        """Fetch the model `name` from Ollama's library, or from the registry whose host the name
        begins with.

        The server fetches it, not this machine. What it has is not fetched again, and the name
        appears (or changes to the newer model) when all is there. progress: the bytes are those of
        all parts that have been begun. insecure: the registry speaks plain HTTP, or its certificate
        is not to be checked. Raises WorkshopError for a name that is not there, a registry that
        cannot be reached or refuses, a full disk, and a server that stops.
        """
        check_ollama_name(name)
        parts: dict[str, tuple[int, int]] = {}  # digest → bytes done, bytes in all
        status, now = "", ""
        with self._explained("fetching it", name, lambda said: self._not_pulled(name, said)):
            for part in self._client.pull(name, insecure=insecure, stream=True):
                status = part.status or ""
                if (part.digest or "") != now:
                    # the server fetches one part after the other and does not report the last bytes
                    # of each
                    if now in parts:
                        parts[now] = (parts[now][1],) * 2
                    now = part.digest or ""
                if now and part.total:
                    parts[now] = (min(part.completed or 0, part.total), part.total)
                if progress is None:
                    continue
                if now in parts:
                    done, total = (sum(sizes) for sizes in zip(*parts.values(), strict=True))
                    progress(f"fetching {name}", done, total)
                else:
                    progress(status, 0, 0)
        if status != "success":
            raise WorkshopError(
                f"The Ollama at {self.host} stopped fetching {name} before it was done (its last word: {status!r}). "
                "Look at its log and try again."
            )

    def _not_pulled(self, name: str, said: str) -> str | None:
        """Why a model could not be fetched, in a sentence; None for what is no matter of fetching."""
        low = said.lower()
        parts = name.split("/")
        registry = f"the registry at {parts[0]}" if len(parts) == 3 else "Ollama's library"
        again = "then repeat the command"
        if "http response to https client" in low or "not look like a tls handshake" in low:
            return (
                f"{registry[0].upper()}{registry[1:]} speaks plain HTTP: {said}. If you trust it and the network "
                "between, add --insecure (insecure=True)."
            )
        if "certificate" in low or "x509" in low:
            return (
                f"The certificate of {registry} is not one that the Ollama at {self.host} trusts: {said}. Have it "
                "trusted on that machine; --insecure (insecure=True) does without."
            )
        if "file does not exist" in low or "manifest unknown" in low or "not found" in low:
            return f"There is no model {name} in {registry}. {_where_to_look(name)}"
        if "digest mismatch" in low:
            return (
                f"What came of {name} was damaged, and was thrown away: {said}. Repeat the command."
            )
        if re.search(r"\b(401|403)\b|unauthorized|access denied|forbidden", low):
            return (
                f"{registry[0].upper()}{registry[1:]} does not give {name} to the Ollama at {self.host}: {said}. It "
                "may be private, or its licence must be accepted first."
            )
        if re.search(
            r"no such host|dial tcp|lookup |unreachable|refused|timeout|server misbehaving|name resolution|reset by "
            r"peer|max retries exceeded|deadline exceeded|\beof\b",
            low,
        ):
            return (
                f"The Ollama at {self.host} cannot reach {registry}: {said}. Look at the network (and proxy: "
                f"HTTPS_PROXY counts where the server is started) of the machine it runs on, {again}. A GGUF that you "
                "have needs no network: `workshop ollama create`."
            )
        return None

    def _upload(self, path: Path, progress: Progress | None) -> str:
        """The digest of a file that the server then has. A server that has it resets the
        connection: ask first.
        """
        if progress is not None:
            progress(f"hashing {path.name}", 0, 0)
        digest = f"sha256:{file_hash(path)}"
        size = path.stat().st_size

        def blocks() -> Iterator[bytes]:
            done = 0
            with path.open("rb") as file:
                while block := file.read(2**20):
                    yield block
                    done += len(block)
                    if progress is not None:
                        progress(f"uploading {path.name}", done, size)

        with self._explained(f"taking {path.name}"):
            if self._http.head(f"/api/blobs/{digest}").status_code == 200:
                return digest
            reply = self._http.post(
                f"/api/blobs/{digest}", content=blocks(), headers={"Content-Length": str(size)}
            )
            if reply.is_success:
                return digest
        said = reply.text
        with suppress(ValueError, KeyError, TypeError):
            said = str(reply.json()["error"])
        raise WorkshopError(self._refusal(said, reply.status_code, f"taking {path}", None))

    def remove(self, name: str) -> None:
        """Remove a model; weights that another model uses stay. Raises WorkshopError when it is not
        there.
        """
        check_ollama_name(name)
        with self._explained("removing it", name):
            self._client.delete(name)

    # --- asking -----------------------------------------------------------------------------------

    def chat(
        self,
        name: str,
        messages: Sequence[Mapping[str, str]],
        *,
        options: Mapping[str, Any] | None = None,
        think: bool | None = None,
    ) -> Stream:
        """The model's answer to `messages`, piece by piece; `options` stand over those of the
        model.
        """
        check_ollama_name(name)

        def pieces(answer: Stream) -> Iterator[str]:
            done, last, again, count, started = None, "", 0, 0, time.perf_counter()
            with self._explained("answering", name):
                parts = self._client.chat(
                    name, list(messages), options=dict(options or {}), think=think, stream=True
                )
                for part in parts:
                    if part.message.content:
                        yield part.message.content
                    done = part if part.done else done
                    piece = (part.message.content or "").strip()
                    again, last, count = again + 1 if piece == last else 0, piece, count + 1
            if done is None and again >= REPEATS:
                answer.repeated = True
                answer.timings = Timings(
                    0.0, 0, 0.0, count, took := time.perf_counter() - started, took
                )
                return
            if done is None:
                raise WorkshopError(
                    f"The Ollama at {self.host} broke the answer of {name} off in the middle. Look at its log."
                )
            answer.stopped = done.done_reason != "length"
            answer.timings = Timings(
                load_seconds=(done.load_duration or 0) / 1e9,
                prompt_tokens=done.prompt_eval_count or 0,
                prompt_seconds=(done.prompt_eval_duration or 0) / 1e9,
                tokens=done.eval_count or 0,
                seconds=(done.eval_duration or 0) / 1e9,
                total_seconds=(done.total_duration or 0) / 1e9,
            )

        return Stream(pieces)

    # --- errors -----------------------------------------------------------------------------------

    @contextmanager
    def _explained(
        self,
        doing: str,
        name: str | None = None,
        refused: Callable[[str], str | None] = lambda said: None,
    ) -> Iterator[None]:
        """Every way in which a request can fail, in a sentence. `doing` completes "… while …";
        `refused` knows what refusals mean that only this request meets.
        """
        import httpx
        from ollama import ResponseError

        where = f"the Ollama at {self.host}"
        of = f"{doing} ({name})" if name else doing
        try:
            yield
        except ResponseError as error:
            raise WorkshopError(
                refused(_said(error.error))
                or self._refusal(error.error, error.status_code, of, name)
            ) from error
        except httpx.TimeoutException as error:
            raise WorkshopError(
                f"{where[0].upper()}{where[1:]} was silent for {self.timeout:g} s while {of}. It may be busy, or "
                "loading a large model: try again, give it more time, or start it anew."
            ) from error
        except (httpx.ConnectError, ConnectionError) as error:
            raise WorkshopError(
                f"No Ollama answers at {self.host}. Start it (open the Ollama app, or run `ollama serve`); "
                f"if it is not installed, get it at {INSTALL}; if it runs elsewhere, set OLLAMA_HOST."
            ) from error
        except (httpx.TransportError, httpx.StreamError) as error:
            raise WorkshopError(
                f"The connection to {where} broke while {of}: the server has stopped or was stopped "
                f"({str(error) or type(error).__name__}). Start it again and repeat the command; nothing half-made "
                "was kept."
            ) from error

    def _refusal(self, said: str, status: int, doing: str, name: str | None) -> str:
        said = _said(said)
        low = said.lower()
        if re.search(r"no space left|not enough space|disk (is )?full|quota exceeded", low):
            return (
                f"The disk of the Ollama at {self.host} is full: {said}. Make room on it (`workshop ollama rm` "
                "removes models), then repeat the command."
            )
        if name and ("not found" in low and (status == 404 or "model" in low)):
            return self._missing(name)
        if "invalid model name" in low and name:
            return f"Ollama does not take {name!r} as a model's name: {said}."
        if "newer version of ollama" in low or "unknown model architecture" in low:
            return f"The Ollama at {self.host} is too old for {name}: {said}. Update it ({INSTALL}) and try again."
        if re.search(
            r"more (system )?memory|out of memory|allocate|cudamalloc|not enough memory", low
        ):
            return (
                f"Ollama has not enough memory for {name}: {said}. Take a smaller quantization (Q4_K_M), a smaller "
                "num_ctx, or close what else uses memory."
            )
        if "runner" in low or "eof" in low.split():
            return (
                f"Ollama's runner of {name} stopped while {doing}: {said}. Most often memory is short; else the model "
                "does not suit this release. Its log says more; asking again loads it anew."
            )
        return f"Ollama refused while {doing}: {said}" + (
            f" (status {status})." if status > 0 else "."
        )

    def _missing(self, name: str) -> str:
        try:
            names = [model.name.removesuffix(":latest") for model in self.models()]
        except WorkshopError:
            names = []
        wanted = name.removesuffix(":latest")
        near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
        near += [n for n in names if n not in near and n.split(":")[0] == wanted.split(":")[0]]
        if near:
            hint = f"Did you mean {' or '.join(near[:3])}?"
        elif names:
            hint = f"It has: {', '.join(names[:8])}{', …' if len(names) > 8 else ''}."
        else:
            hint = "It has no models yet."
        return (
            f"The Ollama at {self.host} has no model {name}. {hint} `workshop ollama create` makes one of a GGUF, "
            f"`workshop ollama pull {name}` fetches one from Ollama's library."
        )


def address(host: str | None = None) -> str:
    """The server's URL: `host`, else OLLAMA_HOST, else this machine; read as Ollama does, port
    11434 if none is named.

    A server that is told to listen everywhere (0.0.0.0) is asked on this machine. Raises
    WorkshopError for nonsense.
    """
    named = (host or os.environ.get("OLLAMA_HOST") or "").strip().strip("\"'")
    scheme, _, rest = named.rpartition("://")
    try:
        parts = urlsplit(f"//{rest}")
        name, port = parts.hostname or "127.0.0.1", parts.port
    except ValueError as error:
        raise WorkshopError(
            f"{named!r} is no address of a server ({error}). Write OLLAMA_HOST like 127.0.0.1:11434."
        ) from error
    if name in ("0.0.0.0", "::"):
        name = "127.0.0.1"
    port = port or {"http": 80, "https": 443}.get(scheme, PORT)
    shown = f"[{name}]" if ":" in name else name
    return f"{scheme or 'http'}://{shown}:{port}{parts.path.rstrip('/')}"


def _where_to_look(name: str) -> str:
    """How to find a name that Ollama's library, or another registry, has."""
    from .prompted import LIBRARY

    if name in LIBRARY:
        return f"{name} is its name in this course; there it is {LIBRARY[name]}."
    if name.count("/") == 2:
        return "Look its name and tag up there."
    model, _, tag = name.partition(":")
    place = f"library/{model}" if "/" not in model else model
    tags = f", the tags of a model at https://ollama.com/{place}/tags" if tag else ""
    last = model.rpartition("/")[2]
    return f"Look for it at https://ollama.com/search?q={last}{tags}."


def _manifest_layers(facts: OllamaFacts) -> list[Layer]:
    """The layers by the server's manifest; none where it cannot be read from here."""
    blob = re.search(
        r"^FROM (.+?)[/\\\\]blobs[/\\\\]sha256[-:][0-9a-f]{64}\s*$", facts.modelfile, re.M
    )
    if blob is None:
        return []
    folder, slash, last = facts.name.rpartition("/")
    last, _, tag = last.partition(":")  # a colon before the last slash is a host's port
    parts = f"{folder}{slash}{last}".split("/")
    parts = ["registry.ollama.ai", "library"][: 3 - len(parts)] + parts
    try:
        text = Path(blob.group(1), "manifests", *parts, tag or "latest").read_text(encoding="utf-8")
        found = [
            Layer(one["mediaType"].rpartition(".")[2], one["digest"], int(one["size"]))
            for one in json.loads(text)["layers"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    # A folder of the same path on this machine need not be the server's: the weights must be the
    # ones it named.
    return found if facts.weights in {one.digest for one in found if one.kind == "model"} else []


def _shown_layers(facts: OllamaFacts) -> list[Layer]:
    found = [Layer("model", facts.weights, None)]
    adapter = re.search(r"^ADAPTER .*sha256[-:]([0-9a-f]{64})\s*$", facts.modelfile, re.M)
    if adapter:
        found.append(Layer("adapter", f"sha256:{adapter.group(1)}", None))
    for kind, text in (("template", facts.template), ("system", facts.system)):
        if text:
            data = text.encode()
            found.append(Layer(kind, f"sha256:{hashlib.sha256(data).hexdigest()}", len(data)))
    if facts.parameters:
        found.append(Layer("params", None, None))
    if re.search(r"^MESSAGE ", facts.modelfile, re.M):
        found.append(Layer("messages", None, None))
    return found


def version_numbers(version: str) -> tuple[int, ...]:
    """ "0.9.3-rc1" → (0, 9, 3); what is no number counts as 0."""
    found = re.findall(r"\d+", version.partition("-")[0])
    return tuple(int(number) for number in [*found, 0, 0, 0][:3])


def _is_file(source: object) -> bool:
    return isinstance(source, Path) or str(source).lower().endswith(".gguf")


def _weights(modelfile: Modelfile) -> Path | None:
    """The file that a Modelfile's FROM names, None where it names a model. As for Ollama, a file
    that is there goes before a model of the same name. Raises WorkshopError for what is meant as a
    path and leads to no file.
    """
    from .modelfile import is_path

    path = modelfile.path(modelfile.base)
    if path.is_file():
        return path
    if not is_path(modelfile.base):
        return None
    if path.is_dir():
        return path  # refused further on, like any other folder
    where = "the Modelfile's folder" if modelfile.folder is not None else "the working directory"
    raise WorkshopError(
        f"FROM {modelfile.base}: there is no file {path}. Paths count from {where}; a model's name has no ./ before "
        "it and does not end like a file's."
    )


def _check_gguf(path: Path, *, adapter: bool) -> None:
    """Raises WorkshopError for what is no whole GGUF of the kind that is wanted."""
    makes = "`workshop gguf ADAPTER --as-adapter --out FILE.gguf` makes a GGUF of an adapter folder"
    if adapter and not path.exists():
        raise WorkshopError(f"There is no file {path}. {makes}.")
    if path.is_dir() and adapter:
        raise WorkshopError(f"{path} is a folder. {makes}.")
    if path.is_dir() and (path / "adapter_config.json").is_file():
        raise WorkshopError(
            f"{path} is an adapter folder. Merge it, then convert the model: `workshop merge {path} --out model`, "
            "`workshop gguf model --out model-F16.gguf`."
        )
    if path.is_dir():
        raise WorkshopError(
            f"{path} is a folder. Convert the model first: `workshop gguf {path} --out model-F16.gguf`."
        )
    kind = read_gguf(path).metadata.get("general.type")
    if adapter and kind not in (None, "adapter"):
        raise WorkshopError(
            f"{path} is a {kind}, not an adapter: it is what an adapter would be put on. {makes}."
        )
    if not adapter and kind == "adapter":
        raise WorkshopError(
            f"{path} is an adapter and runs only on the model it was trained on. Name that model's GGUF, or its name "
            "on the server, as the source, and this file as its adapter (`--adapter`)."
        )


def _said(text: str) -> str:
    """What a refusal says, on one line."""
    return " ".join(str(text).split())[:400].rstrip(".") or "no reason given"


def _parameters(text: str) -> dict[str, str | list[str]]:
    """`show` prints one parameter a line, `stop` once for each text, quoted."""
    found: dict[str, str | list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        value = value.strip()
        if value[:1] == value[-1:] == '"' and len(value) > 1:
            with suppress(ValueError, SyntaxError):
                value = ast.literal_eval(value)  # quoted as Go does it, which Python reads alike
        if name == "stop":
            stops = found.setdefault(name, [])
            assert isinstance(stops, list)
            stops.append(value)
        elif name:
            found[name] = value
    return found

"""An OpenAI-compatible server, through the `openai` client, with clear errors.

The key is read from the environment, kept where nothing prints it, sent to one server only, and
taken out of everything that a server says before anybody sees it.
"""

from __future__ import annotations

import difflib
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import Closing, WorkshopError
from ..models.chat import Answer, Messages

DEFAULT_SERVER = "http://localhost:11434/v1"  # Ollama's own address
DEFAULT_KEY = "OPENAI_API_KEY"
HIDDEN = "•••"
_LARGEST = 16 * 2**20  # bytes of an answer; a longer one is not a chat completion
_HEADERS = {
    "accept", "accept-encoding", "connection", "content-length", "content-type", "host",
    "user-agent", "x-stainless-raw-response",
}  # fmt: skip
_SPENT = ("insufficient_quota", "billing_hard_limit_reached")


class Secret:
    """A key that does not print itself, in no repr, message or traceback of local variables."""

    def __init__(self, value: str = "") -> None:
        self._value = value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return HIDDEN if self._value else "no key"

    def __reduce__(self) -> Any:
        raise TypeError("a key is not stored")

    def header(self) -> str:
        """The value of the Authorization header."""
        return f"Bearer {self._value}"

    def hide(self, text: str) -> str:
        """The text with the key taken out of it, also where only its start or its end is quoted."""
        parts = [self._value] if self._value else []
        if len(self._value) >= 20:
            parts += [self._value[:12], self._value[-8:]]
        for part in parts:
            text = text.replace(part, HIDDEN)
        return text


class Stopped(Exception):
    """The run was stopped before a request."""


class ChatServer(Closing):
    """An OpenAI-compatible server and one of its models, as a writer for synthesis, too.

    `address`: such as "http://localhost:11434/v1"; a missing scheme or "/v1" is added. `name`: the
    model's; None takes the only one the server has. `key_env`: the environment variable with the
    key; None takes OPENAI_API_KEY, and only for an https server, so that a key for elsewhere does
    not reach a local one. `parallel`: how many requests may run at a time. `timeout`: seconds
    without a sign of life. `retries`: further tries after a busy, broken or silent server, each
    after a longer wait.

    `start` (or `with`) asks for the models once and raises WorkshopError when the server is down,
    the key is refused or the model is not there.
    """

    batch = 1
    can_ask = True

    def __init__(
        self,
        address: str = DEFAULT_SERVER,
        name: str | None = None,
        *,
        key_env: str | None = None,
        parallel: int = 4,
        timeout: float = 120.0,
        retries: int = 4,
    ) -> None:
        self.address = normal_address(address)
        self.name = name or ""
        self.inputs: Mapping[str, Any] = {"model": self.name, "server": address}
        self.parallel = parallel
        self.timeout = timeout
        self.retries = retries
        self.stop = threading.Event()
        self._limit_name = "max_tokens"
        self._key_env = key_env

    @cached_property
    def _key(self) -> Secret:
        return _key(self._key_env, self.address)

    @cached_property
    def _client(self) -> Any:
        import openai

        _ = self._key  # where it is missing, nothing is sent
        hooks = {"request": [self._before_request], "response": [_limit]}
        # No redirects: a POST becomes a GET, and the key might follow it to a stranger.
        http = openai.DefaultHttpxClient(
            follow_redirects=False, event_hooks=hooks, trust_env=not is_local(self.address)
        )
        return openai.OpenAI(
            # The key does not go through the client: see _before_request.
            base_url=self.address, api_key="none", http_client=http,
            timeout=self.timeout, max_retries=self.retries,
        )  # fmt: skip

    def __enter__(self) -> ChatServer:
        self.start()
        return self

    def _before_request(self, request: Any) -> None:
        if self.stop.is_set():
            raise Stopped
        # The client adds what the environment holds (OPENAI_CUSTOM_HEADERS, OPENAI_ORG_ID, …),
        # whatever server is asked.
        for name in set(request.headers) - _HEADERS:
            del request.headers[name]
        if self._key:
            request.headers["Authorization"] = self._key.header()

    def close(self) -> None:
        """Start no request any more."""
        self.stop.set()
        if "_client" in vars(self):
            self._client.close()

    def start(self) -> str:
        """Look whether the server answers and has the model; returns the model's name."""
        names = self._models()
        if not self.name:
            if len(names) != 1:
                listed = f"It has: {', '.join(names[:20])}." if names else "It names none."
                raise WorkshopError(
                    f"Which model of {self.address}? {listed} Give one with model=."
                )
            self.name = names[0]
        # Ollama lists "llama3.2:latest" for what people call "llama3.2"; Gemini says "models/…".
        known = {self.name, f"{self.name}:latest", f"models/{self.name}"}
        if len(names) > 1 and known.isdisjoint(names):
            raise WorkshopError(self._unknown_model(names))
        return self.name

    def _models(self) -> list[str]:
        """The models that the server lists; some list none, and answer all the same."""
        import openai

        try:
            try:
                found = self._read(self._client.with_options(max_retries=0).models)
            except openai.APIError as error:
                if isinstance(_cause(error), _NOBODY):
                    raise
                found = self._read(self._client.models)
            return sorted(str(entry["id"]) for entry in found["data"] if isinstance(entry, dict))
        except openai.NotFoundError:
            return []
        except openai.APIError as error:
            raise self._in_words(error) from None
        except (KeyError, TypeError):
            return []

    def write(
        self, requests: Sequence[Messages], *, temperature: float | None, max_tokens: int, seed: int
    ) -> list[Answer]:
        """An answer to each request, one after the other."""
        return [
            self.complete(
                request, temperature=temperature, seed=(seed + n) % 2**31, max_tokens=max_tokens
            )
            for n, request in enumerate(requests)
        ]

    def complete(
        self,
        messages: Messages,
        *,
        temperature: float | None = None,
        seed: int | None = None,
        max_tokens: int = 512,
    ) -> Answer:
        """One answer. Raises WorkshopError when the server refuses or stays away, Stopped after
        `stop` is set.
        """
        import openai

        body: dict[str, Any] = {"model": self.name, "messages": [dict(m) for m in messages]}
        for name, value in (("temperature", temperature), ("seed", seed)):
            if value is not None:
                body[name] = value
        chat = self._client.chat.completions
        try:
            try:
                found = self._read(chat, **body, **{self._limit_name: max_tokens})
            except openai.BadRequestError as error:
                # Newer OpenAI models know the limit under another name only.
                if (name := "max_completion_tokens") not in error.response.text:
                    raise
                self._limit_name = name
                found = self._read(chat, **body, **{name: max_tokens})
        except openai.APIError as error:
            raise self._in_words(error) from None
        return self._answer(found)

    def _read(self, resource: Any, **body: Any) -> Any:
        """What the server sends, as JSON."""
        raw = resource.with_raw_response
        response = raw.create(**body) if body else raw.list()
        try:
            return json.loads(response.content)
        except ValueError:
            said = self._key.hide(response.content[:200].decode("utf-8", "replace"))
            raise WorkshopError(
                f"{self.address} answers with something that is not JSON: {said!r}. Is the address "
                "right? It usually ends in /v1."
            ) from None

    def _answer(self, found: Any) -> Answer:
        try:
            choice = found["choices"][0]
            usage = found.get("usage") or {}
            return Answer(
                self._key.hide(str(choice["message"].get("content") or "")),
                tokens=int(usage.get("completion_tokens") or 0),
                prompt_tokens=int(usage.get("prompt_tokens") or 0),
                stopped=choice.get("finish_reason") != "length",
            )
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):
            said = self._key.hide(json.dumps(found, ensure_ascii=False))[:200]
            raise WorkshopError(
                f"{self.address} answers, but not as an OpenAI-compatible server does: {said} "
                "Is the address right? It usually ends in /v1."
            ) from None

    def _in_words(self, error: Any) -> WorkshopError:
        """A clear message for an error of the `openai` client."""
        import openai

        cause = _cause(error)
        values = {"where": self.address, "tries": self.retries + 1, "cause": cause}
        if isinstance(error, openai.APIStatusError):
            message, code = _message(self._key.hide(error.response.text[:100_000]))
            status = error.status_code
            kind: Any = {4: 400, 5: 500}.get(status // 100, 300)
            if status in _ERRORS:
                kind = status
            if status == 401 and not self._key:
                kind = "no key"
            elif status == 404 and "model" in message.lower():
                return WorkshopError(f"{self._unknown_model([])} It says: {message}")
            elif status == 429 and code in _SPENT:
                kind = "spent"
            named = "" if self.address.startswith("https:") else " and name it (--key-env)"
            values |= {"said": f" It says: {message}" if message else "", "status": status}
            values |= {"key": self._key_env or DEFAULT_KEY, "named": named}
        elif isinstance(error, openai.APITimeoutError):
            kind = "silent"
            values["seconds"] = f"{self.timeout:g}"
        elif isinstance(cause, ssl.SSLError | socket.gaierror):
            kind = "no tls" if isinstance(cause, ssl.SSLError) else "no host"
            values["host"] = urlsplit(self.address).hostname
        else:
            kind = "down here" if is_local(self.address) else "down"
            reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
            if isinstance(cause, ConnectionRefusedError):
                reason = "the connection is refused"
            elif isinstance(cause, ConnectionResetError) or "disconnected" in reason:
                reason = "the connection breaks off"
            values["cause"] = reason
        return WorkshopError(_ERRORS[kind].format(**values))

    def _unknown_model(self, names: list[str]) -> str:
        near = difflib.get_close_matches(self.name, names, n=3, cutoff=0.4)
        told = f"{self.address} has no model {self.name!r}."
        if near:
            told += f" Near ones: {', '.join(near)}."
        elif names:
            told += f" It has: {', '.join(names[:20])}."
        if ":11434" in self.address:
            told += f" With Ollama: `workshop ollama pull {self.name}`."
        return told


# What an error means, by the status or the kind.
_ERRORS: dict[Any, str] = {
    300: "{where} sends on to another address ({status}), and a key must not follow. Give the "
    "address it means.",
    400: "{where} refuses the request ({status}).{said}",
    401: "{where} refuses: the key in {key} is not accepted (401).{said}",
    "no key": "{where} refuses: a key is needed, and none was sent: put it into the environment "
    "variable {key}{named} (401).{said}",
    403: "{where} does not allow this with the given key (403).{said}",
    404: "{where} knows no /chat/completions (404).{said} The address usually ends in /v1.",
    429: "{where}: too many requests, still after {tries} tries (429).{said} Wait a while, and run "
    "it again.",
    "spent": "{where}: the account's quota is used up (429).{said} Look at the account.",
    500: "{where} failed {tries} times ({status}).{said} Look at the server's own log.",
    "silent": "{where} gave no answer within {seconds} s, {tries} times. A large model on a small "
    "machine may need longer: raise the time-out, or take a smaller model.",
    "no tls": "No safe connection to {where}: {cause}. Is the server's address right, and does it "
    "speak https?",
    "no host": "There is no machine {host}, or this one is offline. Check the address {where}; "
    "without a network, use a local server or the model `mame`.",
    "down": "No server answers at {where} ({cause}). Check the address and the network.",
    "down here": "No server answers at {where} ({cause}). Start it (`ollama serve`, or llama.cpp's "
    "`llama-server -m model.gguf`), give another address, or work without a server: the model "
    "`mame`.",
}
_NOBODY = (ConnectionRefusedError, socket.gaierror, ssl.SSLError)


def _cause(error: BaseException) -> BaseException:
    """What lies behind an error: the operating system's, where there is one."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return error


def _limit(response: Any) -> None:
    """Limit an answer to _LARGEST bytes, and do not retry without credit."""
    import openai

    # httpx2, or what older releases of openai are made with.
    module = openai.DefaultHttpxClient.__bases__[0].__module__.partition(".")[0]
    stream = response.stream

    class Limited(import_module(module).SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            read = 0
            for part in stream:
                read += len(part)
                if read > _LARGEST:
                    raise WorkshopError(f"{response.url.host} sent more than 16 MB for one answer.")
                yield part

        def close(self) -> None:
            stream.close()

    response.stream = Limited()
    if response.status_code == 429:
        response.read()
        if _message(response.text)[1] in _SPENT:
            response.headers["x-should-retry"] = "false"


def normal_address(address: str) -> str:
    """The server's full address: with a scheme, with /v1 if there is no path, without a
    user or a query.

    Raises WorkshopError unless it is an http address, and for one with a password or key in it.
    """
    text = address.strip()
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        raise WorkshopError(
            "The server's address is no web address. Example: " + DEFAULT_SERVER
        ) from None
    if parts.username or parts.password or parts.query:
        raise WorkshopError(
            "The server's address holds a user name, a password or a query. Leave them out; put a "
            f"key into an environment variable ({DEFAULT_KEY}, or another one by name)."
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WorkshopError(f"{address!r} is no web address. Example: {DEFAULT_SERVER}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{path or '/v1'}"


def is_local(address: str) -> bool:
    """Whether an address is this machine's own."""
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _key(name: str | None, address: str) -> Secret:
    if name is None and not address.startswith("https:"):
        return Secret()
    value = os.environ.get(name or DEFAULT_KEY, "").strip()
    if name is not None and not value:
        raise WorkshopError(
            f"The environment variable {name} is not set; the server's key belongs there."
        )
    # The HTTP library would quote a header that it refuses, and the key with it.
    if not all("!" <= character <= "~" for character in value):
        raise WorkshopError(
            f"The key in {name or DEFAULT_KEY} holds a space, a line end or another character that "
            "no key has."
        )
    return Secret(value)


def _message(body: str) -> tuple[str, str]:
    """What went wrong and its code, of the shapes that servers give it in."""
    try:
        found = json.loads(body)
    except ValueError:
        return " ".join(body.split())[:300], ""
    if isinstance(found, list) and found:
        found = found[0]
    error = found.get("error", found) if isinstance(found, dict) else found
    code = ""
    if isinstance(error, dict):
        code = str(error.get("code") or error.get("type") or "")
        error = error.get("message") or error.get("detail") or json.dumps(error, ensure_ascii=False)
    return " ".join(str(error).split())[:300], code

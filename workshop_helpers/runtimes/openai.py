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
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import import_module
from ipaddress import ip_address
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import Closing, WorkshopError
from ..core.outside import Secret, hide, shown
from ..models.chat import Answer, Messages
from .limits import limited_client

DEFAULT_SERVER = "http://localhost:11434/v1"  # Ollama's own address
DEFAULT_KEY = "OPENAI_API_KEY"
_NAMES, _NAME = 10_000, 200  # of the models that a server lists: how many, characters
_MOST_TOKENS = 2**53
_HEADERS = {
    "accept", "accept-encoding", "connection", "content-length", "content-type", "host",
    "user-agent", "x-stainless-raw-response",
}  # fmt: skip
_SPENT = ("insufficient_quota", "billing_hard_limit_reached")


class Stopped(Exception):
    """The run was stopped before a request."""


class ChatServer(Closing):
    """An OpenAI-compatible server and one of its models, as a writer for synthesis, too.

    `address`: such as "http://localhost:11434/v1"; a missing scheme or "/v1" is added. `name`: the
    model's; None takes the only one the server has. `key_env`: the environment variable with the
    key; None takes OPENAI_API_KEY, and only for an https server, so that a key for elsewhere does
    not reach a local one. `parallel`: how many requests may run at a time. `timeout`: seconds
    for a whole answer. `retries`: further tries after a busy, broken or silent server, each
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
        # No redirects: a POST becomes a GET, and the key might follow it to a stranger.
        http = limited_client(
            openai.DefaultHttpxClient, self.timeout, self.timeout, _look, follow_redirects=False,
            event_hooks={"request": [self._before_request]}, trust_env=not is_local(self.address),
        )  # fmt: skip
        return openai.OpenAI(
            # The key does not go through the client: see _before_request.
            base_url=self.address, api_key="none", http_client=http,
            timeout=openai.Timeout(self.timeout, connect=min(10.0, self.timeout)),
            max_retries=self.retries,
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
            names = (str(entry["id"]) for entry in found["data"] if isinstance(entry, dict))
            return sorted(
                name for name in islice(names, _NAMES) if len(name) <= _NAME and shown(name) == name
            )
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
        except (ValueError, RecursionError):
            said = response.content.decode("utf-8", "replace")[:200]
            raise WorkshopError(
                f"{self.address} answers with something that is not JSON: {said!r}. Is the address "
                "right? It usually ends in /v1."
            ) from None

    def _answer(self, found: Any) -> Answer:
        try:
            choice = found["choices"][0]
            text, usage = choice["message"].get("content") or "", found.get("usage") or {}
            if not isinstance(text, str):
                raise TypeError("the content is no text")
            return Answer(
                hide(text),
                tokens=_count(usage.get("completion_tokens")),
                prompt_tokens=_count(usage.get("prompt_tokens")),
                stopped=choice.get("finish_reason") != "length",
            )
        except (KeyError, IndexError, TypeError, AttributeError):
            said = hide(_message(json.dumps(found))[0])[:200]
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
            message, code = _message(error.response.text)
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
            elif type(cause).__name__ == "RemoteProtocolError":
                kind = "broken"
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
    "broken": "{where} broke off its answer {tries} times ({cause}). Look at the server's own log.",
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


def _look(response: Any) -> None:
    """Have an answer that breaks off tried again, and one for which there is no credit not."""
    if response.status_code == 429 and _message(response.text)[1] in _SPENT:
        response.headers["x-should-retry"] = "false"
    begins = response.content.strip()[:1]
    if response.status_code == 200 and (not begins or begins in b"{["):
        whole = True
        try:
            json.loads(response.content)
        except ValueError:
            whole = False
        except RecursionError:
            pass
        if not whole:  # raised here, where nothing stands behind it
            httpx = import_module(type(response).__module__.partition(".")[0])
            said = "the answer breaks off"
            raise httpx.RemoteProtocolError(said, request=response.request)


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


def _count(number: Any) -> int:
    """A number of tokens; 0 for what is none."""
    fits = isinstance(number, int) and 0 <= number <= _MOST_TOKENS
    return int(number) if fits else 0


def _message(body: str) -> tuple[str, str]:
    """What went wrong and its code, of the shapes that servers give it in."""
    code = ""
    try:
        found = json.loads(body)
        if isinstance(found, list) and found:
            found = found[0]
        error = found.get("error", found) if isinstance(found, dict) else found
        if isinstance(error, dict):
            code = str(error.get("code") or error.get("type") or "")
            error = error.get("message") or error.get("detail") or error
        text = error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = body
    return " ".join(hide(text).split())[:300], code

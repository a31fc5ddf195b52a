"""A client of any OpenAI-compatible server: one chat completion at a time, with retries, and errors
in words.

Only the standard library is used: it is two requests, and which HTTP library is installed depends
on other packages' versions. The key is read from the environment, kept where nothing prints it,
sent to one server only, and taken out of everything that a server says before anybody sees it.
"""

from __future__ import annotations

import difflib
import http.client
import ipaddress
import json
import os
import socket
import ssl
import threading
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import WorkshopError
from ..models.chat import Answer, Messages

DEFAULT_SERVER = "http://localhost:11434/v1"  # Ollama's own address
DEFAULT_KEY = "OPENAI_API_KEY"
HIDDEN = "•••"
_LARGEST = 16 * 2**20  # bytes of an answer; more is no chat completion
_LONGEST_WAIT = 60.0
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}


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
        if not self._value:
            return text
        text = text.replace(self._value, HIDDEN)
        for part in (self._value[:12], self._value[-8:]):
            if len(self._value) >= 20:
                text = text.replace(part, HIDDEN)
        return text


class Stopped(Exception):
    """The run was stopped while a request was waiting for its next try."""


class ChatServer:
    """An OpenAI-compatible server and one of its models.

    `address`: such as "http://localhost:11434/v1"; a missing scheme or "/v1" is added. `model`:
    None takes the only one the server has. `key_env`: the environment variable with the key; None
    takes OPENAI_API_KEY, and only for an https server, so that a key for elsewhere does not reach a
    local one. `timeout`: seconds without a sign of life. `retries`: further tries after a busy,
    broken or silent server, each after a longer wait.

    `start` asks for the models once and raises WorkshopError when the server is down, the key is
    refused or the model is not there.
    """

    def __init__(
        self,
        address: str = DEFAULT_SERVER,
        model: str | None = None,
        *,
        key_env: str | None = None,
        timeout: float = 120.0,
        retries: int = 4,
        first_wait: float = 1.0,
    ) -> None:
        self.address = normal_address(address)
        self.model = model or ""
        self.timeout = timeout
        self.retries = retries
        self.first_wait = first_wait
        self.stop = threading.Event()
        self._limit_name = "max_tokens"
        self._key = _key(key_env, self.address)
        self._key_name = key_env or DEFAULT_KEY
        handlers: list[Any] = [_NoRedirect()]
        if is_local(self.address):
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    @property
    def has_key(self) -> bool:
        """Whether a key is sent."""
        return bool(self._key)

    def start(self) -> str:
        """Look whether the server answers and has the model; returns the model's name."""
        try:
            found = self._ask("GET", "/models", None, tries=self.retries + 1)
            names = sorted(
                str(entry["id"]) for entry in found.get("data") or [] if isinstance(entry, dict)
            )
        except _Refused as refused:
            if refused.status != 404:
                raise self._in_words(refused) from None
            names = []  # some servers list no models, and answer all the same
        except (KeyError, TypeError, AttributeError):
            names = []
        if not self.model:
            if len(names) != 1:
                listed = f"It has: {', '.join(names[:20])}." if names else "It names none."
                raise WorkshopError(
                    f"Which model of {self.address}? {listed} Give one with model=."
                )
            self.model = names[0]
        elif names and not _among(self.model, names) and len(names) > 1:
            raise WorkshopError(self._unknown_model(names))
        return self.model

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
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [dict(message) for message in messages],
            self._limit_name: max_tokens,
        }
        if temperature is not None:
            body["temperature"] = temperature
        if seed is not None:
            body["seed"] = seed
        try:
            try:
                found = self._ask("POST", "/chat/completions", body, tries=self.retries + 1)
            except _Refused as refused:
                if refused.status != 400 or "max_completion_tokens" not in refused.message:
                    raise
                # Newer OpenAI models know the limit under another name only.
                self._limit_name = "max_completion_tokens"
                body[self._limit_name] = body.pop("max_tokens", max_tokens)
                found = self._ask("POST", "/chat/completions", body, tries=self.retries + 1)
        except _Refused as refused:
            raise self._in_words(refused) from None
        return self._reply(found)

    def _reply(self, found: Any) -> Answer:
        try:
            choice = found["choices"][0]
            text = choice["message"].get("content") or ""
            usage = found.get("usage") or {}
            return Answer(
                self._key.hide(str(text)),
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

    # -- the wire

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, *, tries: int) -> Any:
        wait = self.first_wait
        for attempt in range(1, tries + 1):
            last = attempt == tries
            try:
                return self._once(method, path, body)
            except _Refused as refused:
                if last or not refused.again:
                    raise
                pause = refused.wait if refused.wait is not None else wait
            except TimeoutError as error:
                if last:
                    raise WorkshopError(
                        f"{self.address} gave no answer within {self.timeout:g} s, {attempt} times. A large model on "
                        "a small machine may need longer: raise the time-out, or take a smaller model."
                    ) from error
                pause = wait
            except (OSError, http.client.HTTPException) as error:
                if last or (_nobody_there(error) and path == "/models"):
                    raise self._down(error) from error
                pause = wait
            if self.stop.wait(min(pause, _LONGEST_WAIT)):
                raise Stopped
            wait *= 2
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        if self.stop.is_set():
            raise Stopped
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, method=method)
        request.add_header("Accept", "application/json")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if self._key:
            request.add_unredirected_header("Authorization", self._key.header())
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                raw = response.read(_LARGEST + 1)
        except urllib.error.HTTPError as error:
            with error:
                try:
                    said = error.read(100_000).decode("utf-8", "replace")
                except (OSError, http.client.HTTPException):
                    said = ""
                refused = _Refused(error.code, self._key.hide(said), error.headers)
            raise refused from None
        except urllib.error.URLError as error:
            # urllib wraps what happened; the time-out among it is to be told apart.
            if isinstance(error.reason, OSError):
                raise error.reason from None
            raise OSError(str(error.reason)) from None
        if len(raw) > _LARGEST:
            raise WorkshopError(f"{self.address} sent more than 16 MB for one answer.")
        try:
            return json.loads(raw)
        except ValueError:
            said = self._key.hide(raw[:200].decode("utf-8", "replace"))
            raise WorkshopError(
                f"{self.address} answers with something that is not JSON: {said!r}. Is the address right? It usually "
                "ends in /v1."
            ) from None

    # -- words

    def _down(self, error: BaseException) -> WorkshopError:
        host = urlsplit(self.address).hostname or ""
        if isinstance(error, ssl.SSLError):
            return WorkshopError(
                f"No safe connection to {self.address}: {error.reason or error}. Is the server's address right, and "
                "does it speak https?"
            )
        if isinstance(error, socket.gaierror):
            return WorkshopError(
                f"There is no machine {host}, or this one is offline. Check the address {self.address}; without a "
                "network, use a local server or the model `mame`."
            )
        start = (
            " Start it (`ollama serve`, or llama.cpp's `llama-server -m model.gguf`), give another address, or work "
            "without a server: the model `mame`."
            if is_local(self.address)
            else " Check the address and the network."
        )
        return WorkshopError(f"No server answers at {self.address} ({_reason(error)}).{start}")

    def _in_words(self, refused: _Refused) -> WorkshopError:
        said = f" It says: {refused.message}" if refused.message else ""
        where = self.address
        if refused.status == 401:
            key = (
                f"the key in {self._key_name} is not accepted"
                if self._key
                else f"a key is needed, and none was sent: put it into the environment variable {self._key_name}"
                + ("" if where.startswith("https:") else " and name that variable (--key-env)")
            )
            return WorkshopError(f"{where} refuses: {key} (401).{said}")
        if refused.status == 403:
            return WorkshopError(f"{where} does not allow this with the given key (403).{said}")
        if refused.status == 404:
            if "model" in refused.message.lower():
                return WorkshopError(self._unknown_model([]) + said)
            return WorkshopError(
                f"{where} knows no /chat/completions (404).{said} The address usually ends in /v1."
            )
        if refused.status == 429:
            why = (
                "the account's quota is used up"
                if refused.spent
                else f"too many requests, still after {self.retries} pauses"
            )
            fix = "Look at the account." if refused.spent else "Wait a while, and run it again."
            return WorkshopError(f"{where}: {why} (429).{said} {fix}")
        if 300 <= refused.status < 400:
            return WorkshopError(
                f"{where} sends on to another address ({refused.status}), and a key must not follow. Give the address "
                "it means."
            )
        if refused.status >= 500:
            return WorkshopError(
                f"{where} failed {self.retries + 1} times ({refused.status}).{said} Look at the server's own log."
            )
        return WorkshopError(f"{where} refuses the request ({refused.status}).{said}")

    def _unknown_model(self, names: list[str]) -> str:
        near = difflib.get_close_matches(self.model, names, n=3, cutoff=0.4)
        has = f" Near ones: {', '.join(near)}." if near else ""
        if not near and names:
            has = f" It has: {', '.join(names[:20])}."
        pull = (
            f" With Ollama: `workshop ollama pull {self.model}`."
            if ":11434" in self.address
            else ""
        )
        return f"{self.address} has no model {self.model!r}.{has}{pull}"


class _Refused(Exception):
    """An answer with a status that is no success."""

    def __init__(self, status: int, body: str, headers: Any) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.message, self.code = _error_message(body)
        self.spent = self.code in ("insufficient_quota", "billing_hard_limit_reached")
        self.again = status in _AGAIN and not self.spent
        self.wait = _retry_after(headers.get("Retry-After") if headers else None)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A POST that is sent on would become a GET, and a header might follow to a stranger."""

    def redirect_request(self, *args: Any, **more: Any) -> None:
        return None


def normal_address(address: str) -> str:
    """The server's address as it is used: with a scheme, with /v1 where there is no path, without a
    user or a query.

    Raises WorkshopError for what is no http address, and for one with a password or key in it.
    """
    text = address.strip()
    if "://" not in text:
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise WorkshopError(
            "The server's address is no web address. Example: " + DEFAULT_SERVER
        ) from None
    if parts.username or parts.password or parts.query:
        raise WorkshopError(
            "The server's address holds a user name, a password or a query. Leave them out; put a key into an "
            f"environment variable ({DEFAULT_KEY}, or another one by name)."
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
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _key(name: str | None, address: str) -> Secret:
    value = os.environ.get(name or DEFAULT_KEY, "").strip()
    if name is None and not address.startswith("https:"):
        return Secret()
    if name is not None and not value:
        raise WorkshopError(
            f"The environment variable {name} is not set; the server's key belongs there."
        )
    # http.client would quote a header that it refuses, and the key with it.
    if not all("!" <= character <= "~" for character in value):
        raise WorkshopError(
            f"The key in {name or DEFAULT_KEY} holds a space, a line end or another character that no key has."
        )
    return Secret(value)


def _among(model: str, names: list[str]) -> bool:
    """Ollama lists "llama3.2:latest" for what people call "llama3.2"; Gemini's list says
    "models/…".
    """
    wanted = {model, f"{model}:latest", f"models/{model}"}
    return any(name in wanted for name in names)


def _error_message(body: str) -> tuple[str, str]:
    """What went wrong and its code, of the shapes that servers give it in."""
    try:
        found = json.loads(body)
    except ValueError:
        return " ".join(body.split())[:300], ""
    if isinstance(found, list) and found:
        found = found[0]
    error = found.get("error", found) if isinstance(found, dict) else found
    if isinstance(error, dict):
        text = error.get("message") or error.get("detail") or json.dumps(error, ensure_ascii=False)
        return " ".join(str(text).split())[:300], str(error.get("code") or error.get("type") or "")
    return " ".join(str(error).split())[:300], ""


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from a Retry-After header (seconds or a date)."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        import datetime

        then = parsedate_to_datetime(value)
        return max(0.0, (then - datetime.datetime.now(then.tzinfo)).total_seconds())
    except (TypeError, ValueError):
        return None


def _nobody_there(error: BaseException) -> bool:
    return isinstance(error, ConnectionRefusedError | socket.gaierror | ssl.SSLError)


def _reason(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "the connection is refused"
    if isinstance(error, ConnectionResetError | http.client.RemoteDisconnected):
        return "the connection breaks off"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)

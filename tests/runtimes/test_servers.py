"""Servers that mean harm or are broken: what they get is a time limit, and what they send can
neither show a key, nor fill the memory, nor end a command with anything but a sentence.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import random
import secrets
import time
import traceback
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from raw_server import http, raw_server

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.outside import HIDDEN, Secret, hide, shown
from workshop_helpers.evaluation import doctor
from workshop_helpers.runtimes.ollama.client import Ollama
from workshop_helpers.runtimes.openai import ChatServer

HELLO = [{"role": "user", "content": "Hello"}]
KEY = "sk-proj-" + secrets.token_urlsafe(30) + "/+=&"
PIECES = [KEY[at : at + 8] for at in range(len(KEY) - 7)]


def said(text: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text}}]}


def shows_key(text: str) -> bool:
    """Whether a piece of the key stands in a text, in any of the ways that are undone here."""
    plain = html.unescape(urllib.parse.unquote(urllib.parse.unquote(text)))
    escaped = "".join(plain.split("\\u00")) if "\\u00" in plain else plain
    hexadecimal = KEY.encode().hex()
    return any(
        piece.lower() in one.lower()
        for one in (text, plain, text.replace("\\", ""))
        for piece in PIECES
    ) or any(hexadecimal[at : at + 16] in escaped for at in range(len(hexadecimal) - 15))


def spelled(form: str) -> str:
    return "".join(form.format(ord(character)) for character in KEY)


WAYS: dict[str, Callable[[], str]] = {
    "plain": lambda: KEY,
    "capitals": KEY.upper,
    "header": lambda: f"Authorization: Bearer {KEY}",
    "a start": lambda: KEY[:20] + "…",
    "an end": lambda: "…" + KEY[-12:],
    "a middle": lambda: "…" + KEY[9:25] + "…",
    "JSON": lambda: json.dumps(json.dumps({"key": KEY.replace("/", "\\/")})),
    "JSON, each character": lambda: spelled("\\u{:04x}"),
    "address": lambda: urllib.parse.quote(KEY, safe=""),
    "address, twice": lambda: urllib.parse.quote(urllib.parse.quote(KEY, safe=""), safe=""),
    "address, each character": lambda: spelled("%{:02X}"),
    "HTML": lambda: html.escape(html.escape(KEY)),
    "HTML, each character": lambda: spelled("&#{};"),
    "hexadecimal": lambda: KEY.encode().hex(),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_key_is_hidden_however_it_is_written(way: str) -> None:
    text = f"The server says {WAYS[way]()} to this."
    assert shows_key(text)
    kept = Secret(KEY)
    assert not shows_key(hide(text)) and hide(text).startswith("The server says")
    assert hide(text).endswith("to this.") and HIDDEN in hide(text)
    del kept
    assert hide(text) == text  # a key that is no longer in use


def test_a_key_in_base64_is_hidden_wherever_it_begins() -> None:
    kept = Secret(KEY)
    for before in ("", "a", "ab", "Bearer "):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            coded = encode(f"{before}{KEY}".encode()).decode()
            assert HIDDEN in hide(coded) and len(hide(coded)) < len(before) * 2 + 12
    assert kept


def test_a_short_key_is_hidden_as_a_word_and_no_part_of_others() -> None:
    kept = Secret("key1")
    assert hide("key1, key12, akey1 (key1)") == f"{HIDDEN}, key12, akey1 ({HIDDEN})"
    assert kept


def test_hiding_takes_time_by_the_length_of_the_text() -> None:
    kept = Secret(KEY)
    for unit in ("a", "\\", "%25", "&amp;", "\\u0041", KEY + " ", KEY[:9] + " "):
        took = []
        for size in (2**15, 2**17):
            text, start = unit * (size // len(unit)), time.perf_counter()
            hide(text)
            took.append(time.perf_counter() - start)
        assert took[1] < 10 * took[0] + 0.05, unit
    assert kept


@pytest.fixture(scope="module")
def server() -> Iterator[Callable[..., ChatServer]]:
    """A client, with a key, of a server that gives these answers, the last one for good."""
    now: list[Iterable[bytes]] = []
    clients: dict[tuple[int, float], ChatServer] = {}

    def answer(request: bytes) -> Iterable[bytes]:
        return now.pop(0) if len(now) > 1 else now[0]

    with pytest.MonkeyPatch.context() as patch, raw_server(answer) as address:
        patch.setenv("MY_KEY", KEY)
        patch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)

        def start(*answers: Iterable[bytes], retries: int = 0, timeout: float = 5.0) -> ChatServer:
            now[:] = answers
            settings: Any = {"key_env": "MY_KEY", "retries": retries, "timeout": timeout}
            made = ChatServer(address, "m", **settings)
            return clients.setdefault((retries, timeout), made)

        yield start


@pytest.mark.parametrize("way", WAYS)
def test_what_a_server_says_of_the_key_comes_out_nowhere(
    server: Callable[..., ChatServer], way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In an error's reason, across the place where a long page is cut, in the head of the answer,
    in an answer, and in all that is logged.
    """
    caplog.set_level(logging.DEBUG)
    echo = WAYS[way]()
    heads = (f"x-request-id: {echo}", f"content-type: text/html; charset={echo}")
    pages: list[Any] = [{"error": {"message": f"{'x' * n} {echo}"}} for n in (0, 190, 285)]
    pages += [f"<html>{' ' * n}{echo}".encode() for n in (0, 180, 99_990)]
    for page in pages:
        for status in ("401 No", "200 OK"):
            client = server([http(page, status, *heads)])
            with pytest.raises(WorkshopError) as caught:
                client.complete(HELLO)
            whole = "".join(traceback.format_exception(caught.value))
            error: BaseException | None = caught.value
            while error is not None:  # what is not printed, too
                assert not shows_key(str(error)), status
                error = error.__cause__ or error.__context__
            assert not shows_key(whole)
    assert not shows_key(server([http(said(f"It is {echo}."))]).complete(HELLO).text)
    assert not shows_key(caplog.text)


def test_escape_sequences_of_a_server_are_shown_and_not_obeyed(
    server: Callable[..., ChatServer],
) -> None:
    evil = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e\r\b\x00"
    for page in ({"error": {"message": evil}}, {"error": {"code": evil}}, {evil: evil}):
        for status in ("400 No", "200 OK", "404 Nothing", "500 Failed"):
            with pytest.raises(WorkshopError) as caught:
                server([http(page, status)]).complete(HELLO)
            assert str(caught.value).isprintable(), str(caught.value)
    with pytest.raises(WorkshopError) as caught:
        server([http({"data": [{"id": f"a{evil}"}, {"id": "b"}, {"id": "c"}]})]).start()
    assert str(caught.value).isprintable() and "It has: b, c" in str(caught.value)


GOOD = http(said("Good."))
BODY = json.dumps(said("Good.")).encode()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "cut",
    [
        [], [b"HTTP/1.1 200"], [GOOD[:-9]], [http(b"", length=None)], [http(b"{", length=None)],
        [http(BODY[:-9], length=None)], [http(BODY[:-2], length=None)], [http(BODY, length=10)],
        [http(BODY, length=99_999)], [CHUNKED + b"%x\r\n" % len(BODY) + BODY[:-5]],
        [CHUNKED + b"5\r\n" + BODY[:5] + b"\r\n"], [CHUNKED + b"zz\r\n"],
    ],
)  # fmt: skip
def test_an_answer_that_breaks_off_is_asked_for_again(
    server: Callable[..., ChatServer], cut: list[bytes]
) -> None:
    assert server(cut, [GOOD], retries=1).complete(HELLO).text == "Good."
    with pytest.raises(WorkshopError, match=r"broke off its answer 1 times|breaks off"):
        server(cut).complete(HELLO)


def dripping(*parts: bytes) -> Iterator[bytes]:
    yield from parts
    while True:
        time.sleep(0.02)
        yield b"x"


def endless(*parts: bytes) -> Iterator[bytes]:
    yield from parts
    while True:
        yield b"x" * 2**20


DRIPS = [
    (),
    (b"HTTP/1.1 200 OK\r\nX-A: ",),
    (http(b"", length=10**9),),
    (CHUNKED + b"3B9ACA00\r\n",),
]


@pytest.mark.parametrize("head", DRIPS)
def test_who_drips_has_the_time_of_one_request(
    server: Callable[..., ChatServer], head: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte every 20 ms is a sign of life, but no answer."""
    monkeypatch.setattr("workshop_helpers.runtimes.ollama.client.PATIENCE", 0.2)
    monkeypatch.setattr(doctor, "_PATIENCE", 0.2)
    started = time.monotonic()
    with pytest.raises(WorkshopError, match="no answer within 0.2 s"):
        server(dripping(*head), timeout=0.2).complete(HELLO)
    with raw_server(lambda request: dripping(*head)) as address:
        monkeypatch.setenv("OLLAMA_HOST", address)
        (check,) = doctor._ollama()
        assert check.status == "warn"
        with Ollama(timeout=0.2) as ollama:
            for ask in (ollama.version, ollama.models, lambda: ollama.show("m"),
                        lambda: ollama.remove("m"), lambda: ollama.pull("m"),
                        lambda: list(ollama.chat("m", HELLO))):  # fmt: skip
                with pytest.raises(WorkshopError, match="silent for 0.2 s"):
                    ask()
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("head", [http(b"", length=None), CHUNKED + b"FFFFFFFF\r\n"])
def test_who_does_not_end_is_left(
    server: Callable[..., ChatServer], head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WorkshopError, match="more than 16 MB"):
        server(endless(head)).complete(HELLO)
    with raw_server(lambda request: endless(head)) as address:
        monkeypatch.setenv("OLLAMA_HOST", address)
        assert [check.status for check in doctor._ollama()] == ["warn"]
        with Ollama() as ollama:
            asked = (ollama.version, ollama.models, lambda: ollama.show("m"))
            for ask in (*asked, lambda: ollama.pull("m"), lambda: list(ollama.chat("m", HELLO))):
                with pytest.raises(WorkshopError, match="more than 16 MB"):
                    ask()


def test_a_packed_answer_is_not_unpacked(server: Callable[..., ChatServer]) -> None:
    packed = http(b"x" * 100, "200 OK", "Content-Encoding: gzip")
    with pytest.raises(WorkshopError, match="packed"):
        server([packed]).complete(HELLO)


def test_half_a_surrogate_pair_is_an_answer_like_others(server: Callable[..., ChatServer]) -> None:
    body = json.dumps(said("half \ud83d")).encode()
    assert server([http(body)]).complete(HELLO).text == "half \ud83d"


# Values of every kind in every place, and damaged JSON.
ODD: list[Any] = [
    None, True, -1, 0, 10**400, float("inf"), float("nan"), 1e308, "", "x", "\ud800", "\x1b[2J",
    [], [[]], [None], {}, {"a": 1}, "9" * 5000, "x" * 100_000,
]  # fmt: skip
CHAT = said("x") | {"usage": {"completion_tokens": 1, "prompt_tokens": 2}, "error": None}
LISTED = {"data": [{"id": "m"}, {"id": "n"}]}
TAGS = {"models": [{"model": "m", "size": 1, "digest": "d", "modified_at": "2024-01-31T00:00:00Z",
                    "details": {"family": "f", "parameter_size": "1B"}}]}  # fmt: skip
SHOW = {"model_info": {"general.architecture": "llama", "llama.context_length": 8}, "details":
        {"family": "f"}, "template": "{{ .Prompt }}", "system": "s", "parameters": 'stop "a"',
        "capabilities": ["completion"], "modelfile": "FROM x", "license": "l"}  # fmt: skip
PART = {"message": {"role": "assistant", "content": "a"}, "done": True, "done_reason": "stop",
        "eval_count": 1, "eval_duration": 5, "total_duration": 5, "error": ""}  # fmt: skip
PULL = {"status": "success", "digest": "sha256:1", "total": 10, "completed": 3, "error": ""}


def damaged(draw: random.Random, good: Any) -> bytes:
    """An answer with an odd value somewhere in it, or broken as text."""
    value = json.loads(json.dumps(good))
    place: Any = {"": value}
    key: Any = ""
    while isinstance(place[key], dict | list) and place[key] and draw.random() < 0.8:
        place = place[key]
        key = draw.choice(list(place)) if isinstance(place, dict) else draw.randrange(len(place))
    if place is not value and key == "":
        value = draw.choice(ODD)
    else:
        place[key] = draw.choice(ODD)
    raw = json.dumps(value).encode()
    kind = draw.random()
    if kind < 0.1:
        raw = raw[: draw.randrange(len(raw) + 1)]
    elif kind < 0.2:
        at = draw.randrange(len(raw) + 1)
        raw = raw[:at] + draw.randbytes(3) + raw[at:]
    elif kind < 0.25:
        raw = draw.choice([b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe{", b"\x00" * 9, b""])
    return raw


def head(draw: random.Random) -> tuple[str, ...]:
    odd = ("charset=rot13", "charset=\udc80", "charset=utf-16", "charset=")
    return (f"Content-Type: text/plain; {draw.choice(odd)}", draw.choice(
        ["Retry-After: x", "Location: http://[", "Location: \x1b", "X: \udcff", "Content-Type: "]
    ))  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
def test_whatever_a_server_answers_comes_to_an_answer_or_a_sentence(
    server: Callable[..., ChatServer], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(seed)

    def answer(good: Any) -> bytes:
        status = draw.choice(["200 A"] * 6 + ["204 B", "301 C", "400 D", "429 E", "503 F"])
        return http(damaged(draw, good), status, *head(draw))

    def tried(ask: Callable[[], Any]) -> str:
        try:
            str(ask())
        except WorkshopError as error:
            return str(error).replace("\n", "")
        return ""

    now: list[bytes] = []
    with raw_server(lambda request: now) as address:
        monkeypatch.setenv("OLLAMA_HOST", address)
        chat = ChatServer(address, "m")
        with Ollama() as ollama:
            asked: list[tuple[Any, Callable[[], Any]]] = [
                (CHAT, lambda: chat.complete(HELLO)), (LISTED, chat._models), (LISTED, chat.start),
                ({"version": "1"}, ollama.need), ({"version": "1"}, lambda: [*doctor._ollama()]),
                (TAGS, ollama.models), (SHOW, lambda: ollama.layers("m")),
                (PART, lambda: [*(stream := ollama.chat("m", HELLO)), str(stream.timings)]),
                (PULL, lambda: ollama.pull("m")), ({"error": "x"}, lambda: ollama.remove("m")),
            ]  # fmt: skip
            for good, ask in asked * 12:
                now[:] = [answer(good)]
                assert tried(ask).isprintable()


def test_what_is_shown_of_a_text_is_one_line_of_signs() -> None:
    every = "".join(map(chr, range(0x300))) + "\u202e\u2066\u200b\u2028\ufeff\udcff\U000e0041"
    assert set(shown(every.replace("\n", "").replace("\t", ""))) <= {
        one for one in map(chr, range(0x2440 + 1)) if one.isprintable() or one == "\xa0"
    }
    assert shown("日本語　👩\u200d🔬 é\tand\n") == "日本語　👩\u200d🔬 é\tand\n"

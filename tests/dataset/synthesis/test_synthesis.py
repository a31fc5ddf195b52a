"""Synthetic rows: written by a real model, checked before they are kept, no key anywhere.

The server is llama.cpp's own, with mame. What it cannot be made to do (to be busy, to fail, to stay
silent) a relay in front of it does; everything else goes through to the model.
"""

from __future__ import annotations

import itertools
import json
import logging
import random
import secrets
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from training_rows import talk

from workshop_helpers.core.artifacts import data_path
from workshop_helpers.core.cards import card_path, read_card
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.outside import HIDDEN
from workshop_helpers.dataset.formats import Conversation, Message, read_conversations
from workshop_helpers.dataset.synthesis import Asking, Sources, SynthesisReport, Writer, synthesize
from workshop_helpers.dataset.synthesis.keeper import Draft, Keeper
from workshop_helpers.dataset.synthesis.prompts import answer_request, clean_reply
from workshop_helpers.dataset.synthesis.seeds import Material
from workshop_helpers.metrics.facts import ShopFacts
from workshop_helpers.metrics.language import detect_language
from workshop_helpers.metrics.surfaces import states
from workshop_helpers.runtimes.openai import ChatServer, normal_address
from workshop_helpers.runtimes.writers import LocalWriter, writer_for

FACTS = data_path("shop", "facts.yaml")


@contextmanager
def serving(mame_gguf: Path, key: str = "", **settings: object) -> Iterator[str]:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(mame_gguf)
    parameters.n_parallel = 2
    parameters.n_ctx = 4096
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.warmup = parameters.ui = parameters.fit_params = False
    parameters.verbosity = -1
    for name, value in settings.items():
        setattr(parameters, name, value)
    running = xllamacpp.Server(parameters)
    # One request through its queue: a server that is closed before the queue turns never ends.
    parts = urlsplit(running.listening_address)
    connection = HTTPConnection(parts.hostname or "", parts.port)
    connection.request("GET", "/slots", headers={"Authorization": f"Bearer {key}"})
    connection.getresponse().read()
    connection.close()
    yield f"{running.listening_address}/v1"
    del running


@pytest.fixture(scope="module")
def server(mame_gguf: Path) -> Iterator[str]:
    with serving(mame_gguf, model_alias={"mame-f16"}) as address:
        yield address


@pytest.fixture(scope="module")
def key() -> str:
    return "sk-" + secrets.token_hex(16)


@pytest.fixture(scope="module")
def locked(mame_gguf: Path, key: str) -> Iterator[str]:
    """The same server, which wants a key."""
    with serving(mame_gguf, key, api_keys=[key]) as address:
        yield address


def make(
    out: Path,
    *,
    language: str = "en",
    source: str | Path | None = None,
    facts: Path | None = FACTS,
    use: Callable[[Writer], Writer] = lambda writer: writer,
    **more: Any,
) -> SynthesisReport:
    """`synthesize` with the arguments of its parts in one list; `use` may wrap the writer."""
    names = ("server", "model", "offline_model", "key_env", "parallel", "retries")
    writer = writer_for(**{name: more.pop(name) for name in names if name in more})
    asked = {name: more.pop(name) for name in ("temperature", "tries", "seed") if name in more}
    sources = Sources(language, source, facts)
    return synthesize(out, sources, use(writer), asking=Asking(**asked), progress=False, **more)


HELLO = [{"role": "user", "content": "Hello"}]
Trouble = Callable[[BaseHTTPRequestHandler], bool]


@pytest.fixture
def relay(server: str) -> Iterator[Callable[[Trouble], str]]:
    """A relay to the real server; `trouble` says True of a chat request that it has dealt with."""
    running: list[ThreadingHTTPServer] = []

    def start(trouble: Trouble, *, everything: bool = False) -> str:
        class Handler(BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else None
                if (everything or self.path.endswith("/chat/completions")) and trouble(self):
                    return
                target = urlsplit(server)
                connection = HTTPConnection(target.hostname or "", target.port)
                headers = {"Content-Type": "application/json"}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                reply(self, answer.status, answer.read())
                connection.close()

            do_GET = do_POST = handle_one

            def log_message(self, *args: object) -> None:
                pass

        running.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        running[-1].daemon_threads = True
        threading.Thread(target=running[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{running[-1].server_port}/v1"

    yield start
    for one in running:
        one.shutdown()
        one.server_close()


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes | dict, **headers: str) -> bool:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(raw)))
    handler.end_headers()
    handler.wfile.write(raw)
    return True


def first(times: int, answer: Callable[[BaseHTTPRequestHandler], bool]) -> Trouble:
    """Trouble for so many requests, then none."""
    left = [times]

    def trouble(handler: BaseHTTPRequestHandler) -> bool:
        left[0] -= 1
        return left[0] >= 0 and answer(handler)

    return trouble


def check_kept(report: SynthesisReport, language: str) -> list[Conversation]:
    """Every kept row is right: judged here by the facts themselves, not by what synthesis says."""
    rows = read_conversations(report.path)
    shop = ShopFacts.load()
    assert len(rows) == report.kept
    for row in rows:
        assert row.extra["facts"]
        for id in row.extra["facts"]:
            assert shop.by_id(id).stated(row.answer, language), row.answer
        assert detect_language(row.answer) in (language, "?")
    answers = [(row.question, row.answer) for row in rows]
    assert len(set(answers)) == len(answers)
    return rows


@pytest.mark.parametrize("language", ["en", "ja"])
def test_mame_writes_rows_from_the_facts_offline(tmp_path, language):
    out = tmp_path / "rows.jsonl"
    report = make(out, language=language, count=6, model="mame")
    assert report.kept == 6 and report.tries >= 6
    assert report.tries >= 6 + len(report.rejected)
    rows = check_kept(report, language)
    assert len({row.answer for row in rows}) > 3
    assert report.tokens > 0 and report.prompt_tokens > report.tokens and report.cost is None
    card = read_card(out)
    assert card and card["report"]["kept"] == 6 and card["kind"] == "synthetic rows"
    assert not list(tmp_path.glob(".*.tries"))


def test_rows_grow_from_rows_with_their_facts(tmp_path):
    source = data_path("shop", "train.en.jsonl")
    asked = {"source": source, "count": 6, "offline_model": "mame", "prices": (1.0, 2.0)}
    report = make(tmp_path / "rows.jsonl", **asked)
    rows = check_kept(report, "en")
    old = {row.question: row.answer for row in read_conversations(source)}
    assert all(row.question in old and row.answer != old[row.question] for row in rows)
    assert report.cost == pytest.approx((report.prompt_tokens + 2 * report.tokens) / 1e6)


def test_equal_calls_give_equal_rows_and_the_second_asks_nothing(tmp_path, monkeypatch):
    def run(name: str, seed: int = 3) -> SynthesisReport:
        return make(tmp_path / name, count=2, model="mame", seed=seed)

    assert not run("a.jsonl").reused
    run("b.jsonl")
    run("c.jsonl", seed=4)
    texts = [(tmp_path / f"{name}.jsonl").read_text(encoding="utf-8") for name in "abc"]
    assert texts[0] == texts[1] != texts[2]
    monkeypatch.setattr(LocalWriter, "__enter__", None)
    again = run("a.jsonl")
    assert again.reused and again.kept == 2 and again.tries >= 2


def test_a_model_that_cannot_ask_has_everything_rejected_and_told(tmp_path):
    """mame answers where it should ask; no such "question" may slip through."""
    said = r"None of 16 rows by mame could be kept: \d+ no-question"
    with pytest.raises(WorkshopError, match=said):
        make(tmp_path / "rows.jsonl", count=5, model="mame", rewrite="both", tries=16)
    assert not (tmp_path / "rows.jsonl").exists()


def test_the_noise_draws_from_the_softmax(mame):
    """The Gumbel-max trick in the greedy loop against the probabilities themselves."""
    import torch

    from workshop_helpers.models.chat import chat_prompt
    from workshop_helpers.models.load import load_model, load_tokenizer, pick_device
    from workshop_helpers.models.resolve import resolve

    ref = resolve("mame")
    messages = [{"role": "user", "content": "How much is shipping?"}]
    with LocalWriter("mame") as writer:
        drawn = [
            reply.text
            for seed in range(25)
            for reply in writer.write([messages] * 16, temperature=0.9, max_tokens=1, seed=seed)
        ]
    tokenizer = load_tokenizer(ref)
    ids = tokenizer(chat_prompt(tokenizer, messages), add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = load_model(ref, pick_device("cpu", ref))(torch.tensor([ids])).logits[0, -1].float()
    chances = torch.softmax(logits / 0.9, -1)
    likely = chances.argmax()
    share = drawn.count(tokenizer.decode([likely]).strip()) / len(drawn)
    assert share == pytest.approx(float(chances[likely]), abs=0.1)
    assert 3 < len(set(drawn)) < 300


def test_a_gguf_file_is_served_in_this_process(tmp_path, mame_gguf):
    report = make(tmp_path / "rows.jsonl", count=3, offline_model=mame_gguf, rewrite="answer")
    assert len(check_kept(report, "en")) == 3


@pytest.mark.parametrize("language", ["en", "ja"])
def test_rows_come_from_a_server_and_are_checked(tmp_path, server, language):
    asked = {"language": language, "count": 8, "server": server, "parallel": 2}
    report = make(tmp_path / "rows.jsonl", **asked, rewrite="answer", prices=(0.5, 1.5))
    check_kept(report, language)
    assert report.model == "mame-f16"
    assert report.cost and report.tokens > 8 and report.seconds > 0


def test_a_run_that_is_stopped_goes_on_and_loses_nothing(tmp_path, server):
    out = tmp_path / "rows.jsonl"

    def stopping(writer: Writer) -> Writer:
        write, left = writer.write, itertools.count(-6)

        def until_stopped(*requests: Any, **more: Any) -> Any:
            if next(left) >= 0:
                raise KeyboardInterrupt
            return write(*requests, **more)

        writer.write = until_stopped  # type: ignore[method-assign]
        return writer

    asked = {"count": 9, "rewrite": "answer", "server": server, "parallel": 2}
    with pytest.raises(KeyboardInterrupt):
        make(out, use=stopping, **asked)
    assert not out.exists()
    (journal,) = tmp_path.glob(".rows.jsonl.*.tries")
    # killed in the middle of a line
    with journal.open("a", encoding="utf-8") as file:
        file.write('{"try": 7, "row": [{"ro')
    entries = [json.loads(line) for line in journal.read_text(encoding="utf-8").split("\n")[:-1]]
    early = [entry["row"][-1]["content"] for entry in entries if "row" in entry]
    assert len(early) >= 4
    report = make(out, **asked)
    assert report.resumed == len(early) and report.kept == 9
    rows = check_kept(report, "en")
    assert [row.answer for row in rows][: len(early)] == early
    assert report.prompt_tokens > sum(entry["prompt_tokens"] for entry in entries)


def test_a_server_that_dies_leaves_the_rows_so_far(tmp_path, relay):
    count = [0]

    def dies(handler: BaseHTTPRequestHandler) -> bool:
        count[0] += 1
        return count[0] > 6 and reply(handler, 500, {"error": {"message": "out of memory"}})

    asked = {"count": 30, "rewrite": "answer", "parallel": 1, "retries": 1}
    said = r"failed 2 times \(500\).*out of memory.*rows are kept"
    with pytest.raises(WorkshopError, match=said):
        make(tmp_path / "rows.jsonl", server=relay(dies), **asked)
    assert len(list(tmp_path.glob(".*.tries"))) == 1


def test_a_busy_server_is_asked_again_after_the_time_it_names(relay):
    def busy(handler: BaseHTTPRequestHandler) -> bool:
        return reply(handler, 429, {"error": {"message": "slow down"}}, Retry_After="0.2")

    client = ChatServer(relay(first(2, busy)))
    client.start()
    started = time.monotonic()
    answer = client.complete(HELLO, max_tokens=4)
    assert answer.tokens > 0
    assert 0.4 <= time.monotonic() - started < 20


def breaks(handler: BaseHTTPRequestHandler) -> bool:
    handler.connection.close()
    return True


def picky(handler: BaseHTTPRequestHandler) -> bool:
    said = "Unsupported parameter: use 'max_completion_tokens' instead."
    return reply(handler, 400, {"error": {"message": said}})


@pytest.mark.parametrize("trouble", [first(2, breaks), first(1, picky)])
def test_a_broken_connection_and_the_newer_name_of_the_token_limit_are_tried_again(relay, trouble):
    client = ChatServer(relay(trouble))
    client.start()
    assert 0 < client.complete(HELLO, max_tokens=3).tokens <= 3


def failing(status: int, **said: str) -> Trouble:
    return lambda handler: reply(handler, status, {"error": said})


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (failing(429, message="slow down", code="rate_limit"), r"too many requests.*\(429\).*slow"),
        (failing(429, message="pay", code="insufficient_quota"), r"quota is used up.*\(429\)"),
        (failing(404, message="model 'x' not found"), r"has no model 'x'"),
        (lambda h: reply(h, 400, {"error": "bad"}), r"refuses the request \(400\).*bad"),
        (lambda h: reply(h, 302, b"", Location="http://example.com/"), "sends on to another"),
        (lambda h: reply(h, 200, b"<html>hello"), r"not JSON.*/v1"),
        (lambda h: reply(h, 200, b" " * (2**24 + 1)), "more than 16 MB"),
        (lambda h: reply(h, 200, {"data": []}), "not as an OpenAI-compatible"),
        (lambda h: (time.sleep(1.5), reply(h, 200, {}))[1], "no answer within 0.3 s"),
    ],
)
def test_what_a_server_does_wrong_is_said_in_words(relay, trouble, message):
    client = ChatServer(relay(trouble), "x", retries=1, timeout=0.3)
    with pytest.raises(WorkshopError, match=message):
        client.complete(HELLO)


def test_no_server_at_the_address_says_how_to_start_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    started = time.monotonic()
    with pytest.raises(WorkshopError, match=r"connection is refused.*ollama serve.*mame"):
        make(tmp_path / "x.jsonl", count=1, server=address, model="m")
    assert time.monotonic() - started < 15


def test_a_model_that_the_server_does_not_have_is_named_with_near_ones(relay):
    listed = {"data": [{"id": "llama3.2:latest"}, {"id": "qwen3:4b"}]}
    address = relay(lambda h: h.path.endswith("/models") and reply(h, 200, listed), everything=True)
    with pytest.raises(WorkshopError, match=r"no model 'llama3.1'.*Near ones: llama3.2:latest"):
        ChatServer(address, "llama3.1").start()
    with pytest.raises(WorkshopError, match=r"Which model.*llama3.2:latest, qwen3:4b"):
        ChatServer(address).start()
    assert ChatServer(address, "llama3.2").start() == "llama3.2"


def test_a_key_from_the_environment_opens_the_server_and_is_written_nowhere(
    tmp_path, locked, key, monkeypatch, caplog, capfd
):
    caplog.set_level(logging.DEBUG)
    arguments = {"count": 2, "server": locked, "rewrite": "answer"}
    with pytest.raises(WorkshopError, match=r"a key is needed.*\(401\)"):
        make(tmp_path / "rows.jsonl", **arguments)
    monkeypatch.setenv("MY_KEY", key)
    with ChatServer(locked, key_env="MY_KEY") as client:
        assert HIDDEN in repr(vars(client)) and key not in repr(vars(client))
    make(tmp_path / "rows.jsonl", **arguments, key_env="MY_KEY")
    said = capfd.readouterr()
    written = [p.read_text(encoding="utf-8") for p in tmp_path.rglob("*") if p.is_file()]
    assert card_path(tmp_path / "rows.jsonl").is_file()
    assert not any(key in text for text in (*written, said.out, said.err, caplog.text))


def test_a_wrong_key_is_refused_without_showing_it(locked, monkeypatch):
    wrong = "sk-" + secrets.token_hex(20)
    monkeypatch.setenv("MY_KEY", wrong)
    with pytest.raises(WorkshopError, match="MY_KEY is not accepted") as caught:
        ChatServer(locked, key_env="MY_KEY").start()
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    ours = [frame for frame in frames if "workshop_helpers" in frame.filename]
    assert ours and not any(wrong in str(frame.locals) for frame in ours)
    assert wrong not in str(caught.value)


def test_a_server_that_repeats_the_key_does_not_get_it_printed(relay, key, monkeypatch):
    monkeypatch.setenv("MY_KEY", key)

    def echo(handler: BaseHTTPRequestHandler) -> bool:
        sent = handler.headers["Authorization"]
        assert sent == f"Bearer {key}"
        return reply(handler, 401, {"error": {"message": f"bad key {sent}, or {key[:15]}…"}})

    def parrot(handler: BaseHTTPRequestHandler) -> bool:
        message = {"content": handler.headers["Authorization"]}
        return reply(handler, 200, {"choices": [{"message": message}]})

    with pytest.raises(WorkshopError) as caught:
        ChatServer(relay(echo), "m", key_env="MY_KEY").complete([{"role": "user", "content": "x"}])
    assert "bad key Bearer •••" in str(caught.value) and key[:12] not in str(caught.value)
    answer = ChatServer(relay(parrot), "m", key_env="MY_KEY").complete([])
    assert answer.text == "Bearer •••"


def test_the_default_key_does_not_go_to_a_local_server(relay, key, monkeypatch):
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID"):
        monkeypatch.setenv(f"OPENAI_{name}", key)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Key: {key}")
    seen: list[str | None] = []

    def look(handler: BaseHTTPRequestHandler) -> bool:
        seen.append(handler.headers["Authorization"])
        assert key not in str(handler.headers)
        return False

    client = ChatServer(relay(look))
    client.start()
    client.complete(HELLO, max_tokens=2)
    assert seen == [None]
    assert repr(ChatServer("https://example.com/v1", "m")._key) == HIDDEN


@pytest.mark.parametrize("value", ["", "with space inside", "line\nend", "日本語"])
def test_a_key_that_is_none_is_refused_without_showing_it(monkeypatch, value):
    monkeypatch.setenv("MY_KEY", value)
    with pytest.raises(WorkshopError) as caught:
        ChatServer("http://127.0.0.1:9", "m", key_env="MY_KEY").start()
    assert not value or value not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("localhost:8080", "http://localhost:8080/v1"),
        ("http://localhost:11434/", "http://localhost:11434/v1"),
        ("https://api.example.com/v1/chat/completions", "https://api.example.com/v1"),
        ("http://[::1]:8080/v1/", "http://[::1]:8080/v1"),
    ],
)
def test_addresses_are_taken_as_people_write_them(given, used):
    assert normal_address(given) == used


WRONG = ["ftp://x", "http://", "http://me:pass@x/v1", "http://x/v1?key=a"]


@pytest.mark.parametrize("given", WRONG)
def test_addresses_that_hold_a_secret_or_are_none_are_refused(given):
    with pytest.raises(WorkshopError) as caught:
        normal_address(given)
    assert "pass" not in str(caught.value).replace("password", "")


@pytest.fixture(scope="module")
def shop() -> ShopFacts:
    return ShopFacts.load()


def judge(shop: ShopFacts, question: str, answer: str, rewrite: str = "both", **more: object):
    language = "ja" if detect_language(question + answer) == "ja" else "en"
    rows = {
        "en": [talk("What will I pay for normal delivery?", "Standard shipping costs $6.99.")],
        "ja": [talk("普通に送ってもらうといくらかかりますか？", "送料は500円です。")],
    }[str(more.pop("seed_language", language))]
    held = [str(text) for text in more.pop("held", [])]  # type: ignore[attr-defined]
    material = Material(str(more.pop("language", language)), rows, shop, held)
    keeper = Keeper(material, rewrite, True)
    return keeper.fault(Draft(material.seeds[0], question, answer, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("How much is regular shipping?", "It costs $6.99.", None),
        ("ふつうの配送料を教えてください。", "500円でございます。", None),
        ("", "It costs $6.99.", "empty-question"),
        ("How much is regular shipping?", " ", "empty-answer"),
        ("How much is regular shipping?", "It costs $7.99.", "contradicting-fact: $7.99"),
        ("How much is regular shipping?", "Please look at the site.", "missing-fact: $6.99"),
        ("How much is regular shipping?", "$6.99, in 9 days.", "unsupported-figure: 9 days"),
        ("How much is regular shipping?", "送料は$6.99です。", "wrong-language: the answer"),
        ("送料はいくらですか", "It costs 500円 only, my friend.", "wrong-language: the answer"),
        ("The fee is shown at checkout.", "It costs $6.99.", "no-question: it does not ask"),
        ("Thank you for asking. Anything else?", "It costs $6.99.", "no-question: it answers"),
        ("Is it true that it costs $6.99?", "Yes, $6.99.", "answer-in-question: $6.99"),
        ("what will I pay, for normal delivery?", "It costs $6.99.", "copy: the question"),
        ("What will I pay for the normal delivery?", "$6.99.", "near-copy: the question"),
        ("How much is regular shipping?<|im" + "_end|>", "$6.99.", "special-token"),
        ("送料はいくらですか。", "送料は500円だ。そう決まっている。", "mixed-politeness"),
    ],
)  # fmt: skip
def test_a_row_is_kept_only_if_it_is_right(shop, question, answer, reason):
    language = "ja" if detect_language(question) == "ja" else "en"
    found = judge(shop, question, answer, seed_language=language, language=language)
    assert found == reason or (found and reason and found.startswith(reason)), found


def test_a_held_out_question_and_an_answer_that_was_cut_are_not_kept(shop):
    assert str(judge(shop, "How much is it?", "It costs $6.99 and", cut=True)).startswith("cut")
    held = ["How much do you charge for regular shipping?"]
    reason = judge(shop, "How much do you charge for a regular shipping?", "$6.99.", held=held)
    assert reason == "leakage: a held-out question"


@pytest.mark.parametrize("check", [True, False])
def test_half_a_character_and_a_repeated_key_spoil_no_run(
    tmp_path, relay, shop, key, monkeypatch, check
):
    monkeypatch.setenv("MY_KEY", key)

    def odd(handler: BaseHTTPRequestHandler) -> bool:
        said = f"It is $6.99. \ud83d {handler.headers['Authorization']}"
        return reply(handler, 200, {"choices": [{"message": {"content": said}}]})

    asked = {"count": 2, "rewrite": "answer", "server": relay(first(3, odd)), "parallel": 1}
    report = make(tmp_path / "rows.jsonl", **asked, key_env="MY_KEY", check=check)
    assert report.kept == 2 and len(report.rejected) >= 3
    assert [reason.partition(":")[0] for reason, _ in report.rejected[:3]] == ["half-character"] * 3
    assert HIDDEN in report.rejected[0][1]
    assert not any(key in one.read_text(encoding="utf-8") for one in tmp_path.iterdir())
    keeper = Keeper(Material("en", [talk("Shipping fee?", "It is $6.99.")], shop), "both", check)
    (seed,) = keeper.material.seeds  # no answer is asked to such a question
    assert str(keeper.wrong_question(Draft(seed, "Fee \ud83d?", ""))).startswith("half-character")


def test_without_facts_a_new_row_must_bring_the_figures_of_the_old_one_back():
    list_of = "A list holds several values in order, and it can be changed."
    rows = [talk("When do you open?", "At 9:00 daily."), talk("What is a Python list?", list_of)]
    keeper = Keeper(Material("en", rows), "both", True)
    clock, text = keeper.material.seeds
    assert keeper.fault(Draft(clock, "What time do you start?", "We start at 9:00.")) is None
    assert keeper.fault(Draft(clock, "What time do you start?", "We start at 8:00.")) is not None
    good = Draft(text, "How would you explain lists?", "Several values in order, changeable.")
    assert keeper.fault(good) is None
    lost = Draft(text, "Could you recommend soup?", "Tomatoes are wonderful in summer evenings.")
    assert str(keeper.fault(lost)).startswith("off-topic")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("<think>\nThe user wants…\n</think>\nHow much?", "How much?"),
        ("Question: How much?", "How much?"), ("**Question:** How much?", "How much?"),
        ("新しい質問：「送料は？」", "送料は？"), ('"How much?"', "How much?"),
        ('"A" or "B"', '"A" or "B"'), ("A: 1. Log in.\n2. Print.", "1. Log in.\n2. Print."),
        ("Answers differ.", "Answers differ."),
    ],
)  # fmt: skip
def test_what_a_model_wraps_around_its_text_is_taken_off(said, meant):
    assert clean_reply(said) == meant


def test_a_system_prompt_and_earlier_turns_stay_with_the_new_row(shop):
    roles = ("system", "user", "assistant", "user", "assistant")
    texts = ("Be kind.", "Hi", "Hello", "Shipping fee?", "It is $6.99.")
    row = Conversation(tuple(map(Message, roles, texts)), extra={"id": "a", "topic": "x"})
    keeper = Keeper(Material("en", [row], shop), "both", True)
    (seed,) = keeper.material.seeds
    new = keeper.row(Draft(seed, "What does shipping cost?", "$6.99."))
    assert [m.content for m in new.messages[:3]] == ["Be kind.", "Hi", "Hello"]
    assert (new.question, new.answer) == ("What does shipping cost?", "$6.99.")
    assert new.extra == {"topic": "x", "facts": ["shipping_fee"]}


def test_a_new_question_alone_keeps_the_answer_and_is_tried_out_on_the_facts(shop):
    rows = [talk("Shipping fee?", "It is $6.99.")]
    keeper = Keeper(Material("en", rows, shop), "question", True)
    (seed,) = keeper.material.seeds
    drifted = Draft(seed, "How long does delivery take?", "It takes 2-4 business days.")
    assert str(keeper.fault(drifted)).startswith("missing-fact")
    good = Draft(seed, "What do I pay for postage?", "Standard shipping costs $6.99.")
    assert keeper.fault(good) is None
    assert keeper.row(good).answer == "It is $6.99."


def test_the_meant_fact_stands_among_others_when_the_answer_is_asked_for(shop):
    rows = [talk("Shipping fee?", "It is $6.99.")]
    material = Material("en", rows, shop)
    messages = answer_request(material.seeds[0], "Fee?", material, random.Random(0))
    assert states(messages[0]["content"], "$6.99") and len(messages[0]["content"].split("\n")) > 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"facts": None}, "give rows=, facts= or both"), ({"count": 0}, "count is 0"),
        ({"language": "fr"}, "language"), ({"temperature": 3}, "temperature"),
        ({"rewrite": "all"}, "rewrite"), ({"source": "missing.jsonl"}, "no file"),
        ({"source": data_path("shop", "train.ja.jsonl")}, "no row in 'en'"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_anything_is_asked(tmp_path, arguments, message):
    with pytest.raises(WorkshopError, match=message):
        make(tmp_path / "o.jsonl", **({"count": 1, "model": "mame"} | arguments))


def test_the_source_is_not_written_over(tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text('{"instruction": "Hi?", "output": "Hello."}\n', encoding="utf-8")
    with pytest.raises(WorkshopError, match="would overwrite"):
        make(source, source=source, language="en", count=1, model="mame")

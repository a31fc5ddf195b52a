"""Ollama as a runtime, on a real server: models made, asked, streamed, looked at and removed; and
what goes wrong.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ollama_server import OllamaServer

from workshop_helpers.core.artifacts import data_path
from workshop_helpers.core.cards import file_hash
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.questions import read_questions
from workshop_helpers.display import as_table
from workshop_helpers.gguf.convert import convert
from workshop_helpers.models.chat import Sampling
from workshop_helpers.models.load import model_folder
from workshop_helpers.models.resolve import resolve
from workshop_helpers.runtimes import ask, open_runtime
from workshop_helpers.runtimes.base import Runtime
from workshop_helpers.runtimes.chat import Chat
from workshop_helpers.runtimes.llama_cpp import LlamaCppRuntime
from workshop_helpers.runtimes.ollama import modelfile
from workshop_helpers.runtimes.ollama.client import Ollama
from workshop_helpers.runtimes.ollama.layers import proof
from workshop_helpers.runtimes.ollama.prompted import prompted
from workshop_helpers.runtimes.ollama.runtime import OllamaRuntime

ONE_THREAD = {"num_thread": 1}
HELLO = [{"role": "user", "content": "hi"}]
HARD = (
    'Say """three quotes""", \\"backslash\\", a\u00a0hard space, 👩\u200d🔧 and #.\n  Two lines.  '
)


@pytest.fixture(scope="module")
def server(ollama_host: str) -> Iterator[Ollama]:
    with Ollama(ollama_host) as found:
        yield found


@pytest.fixture
def named(server: Ollama) -> Iterator[Callable[[str], str]]:
    """Names for models that are gone after the test."""
    made: set[str] = set()

    def name(short: str) -> str:
        made.add(full := f"workshop-test-{os.getpid()}-{short}")
        return full

    yield name
    for one in made & {model.name.removesuffix(":latest") for model in server.models()}:
        server.remove(one)


@pytest.fixture(scope="module")
def mame_name(server: Ollama, mame_gguf: Path) -> Iterator[str]:
    name = f"workshop-test-{os.getpid()}-mame"
    server.create(name, mame_gguf, parameters=ONE_THREAD)
    yield name
    server.remove(name)


@pytest.fixture(scope="module")
def tiny_gguf(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(tiny_model, tmp_path_factory.mktemp("gguf") / "豆 tiny-F16.gguf").path


def gguf_that_writes_only(
    folder: Path, tokens: Callable[[dict[str, int]], dict[int, float]]
) -> Path:
    """A random model whose output head gives a logit to some tokens only: `tokens` maps the
    vocabulary to their ids, each with a factor on one and the same random row (1 or -1), or 0 for a
    random row of its own.
    """
    import torch
    from tiny_models import save_tiny_model
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    save_tiny_model(folder)
    config = Qwen2Config.from_pretrained(folder)
    config.tie_word_embeddings = False
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Qwen2ForCausalLM(config)
        shared = torch.randn(config.hidden_size)
        with torch.no_grad():
            model.lm_head.weight.zero_()
            for index, factor in tokens(AutoTokenizer.from_pretrained(folder).get_vocab()).items():
                row = factor * shared if factor else torch.randn(config.hidden_size)
                model.lm_head.weight[index] = row
    model.save_pretrained(folder)
    return convert(folder, folder.with_name(f"{folder.name}-F16.gguf")).path


@pytest.fixture(scope="module")
def babbler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that writes letters and never ends."""
    return gguf_that_writes_only(
        tmp_path_factory.mktemp("babbler") / "babbler",
        lambda vocabulary: {i: 0.0 for t, i in vocabulary.items() if t.isascii() and t.isalpha()},
    )


BABBLE = {"num_predict": 900, "temperature": 1.0, "seed": 1, **ONE_THREAD}


@pytest.fixture(autouse=True)
def _host(ollama_host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", ollama_host)


def questions(count: int) -> list[list[dict[str, str]]]:
    found = [
        read_questions(data_path("shop", f"questions.{language}.jsonl"))[: count // 2]
        for language in ("en", "ja")
    ]
    return [question.messages() for one in found for question in one]


def test_ollama_name_is_a_model_wherever_one_is_named(mame_name: str) -> None:
    with open_runtime(f"ollama:{mame_name}") as runtime:
        assert isinstance(runtime, Runtime)
        assert isinstance(runtime, OllamaRuntime)
        assert (runtime.name, runtime.model) == ("ollama", mame_name)
    answer = ask(f"ollama:{mame_name}", "What colour is the sky?", max_new_tokens=30)
    assert answer.text
    assert answer.tokens > 3
    with pytest.raises(WorkshopError, match="does not give its weights away"):
        model_folder(resolve(f"ollama:{mame_name}"))


def test_greedy_answers_and_their_counts_equal_llama_cpps(mame_name: str, mame_gguf: Path) -> None:
    asked = questions(20)
    with OllamaRuntime(mame_name) as runtime:
        ours = runtime.answer(asked)
        assert [t.prompt_tokens for t in runtime.timings] == [a.prompt_tokens for a in ours]
        assert all(t.tokens_per_second > 0 and t.total_seconds > 0 for t in runtime.timings)
    with LlamaCppRuntime(mame_gguf, threads=1) as runtime:
        theirs = runtime.answer(asked)
    equal = [a for a, b in zip(ours, theirs, strict=True) if a.text == b.text]
    assert len(equal) >= 19  # a tie may fall the other way
    for a, b in zip(ours, theirs, strict=True):
        assert a.prompt_tokens == b.prompt_tokens
        assert a.stopped and b.stopped
        if a.text == b.text:
            assert a.tokens == b.tokens


def test_a_random_model_equals_llama_cpp_token_for_token(
    server: Ollama, named: Callable[[str], str], tiny_gguf: Path
) -> None:
    name = named("tiny")
    server.create(name, tiny_gguf, parameters=ONE_THREAD)
    with OllamaRuntime(name) as runtime:
        ours = runtime.answer(questions(4), max_new_tokens=24)
    with LlamaCppRuntime(tiny_gguf, threads=1) as runtime:
        theirs = runtime.answer(questions(4), max_new_tokens=24)
    # a random model writes pieces of characters; after such a piece Ollama sends nothing more
    whole = [b.text.partition("\ufffd")[0].strip() for b in theirs]
    assert any(whole)
    assert [a.text for a in ours] == whole
    assert [(a.tokens, a.stopped) for a in ours] == [(b.tokens, b.stopped) for b in theirs]


def test_a_seed_repeats_its_draws(mame_name: str) -> None:
    with OllamaRuntime(mame_name) as runtime:

        def texts(sampling: Sampling | None) -> list[str]:
            found = runtime.answer(questions(2) * 2, max_new_tokens=12, sampling=sampling)
            return [answer.text for answer in found]

        hot = texts(Sampling(3.0, seed=3))
        assert hot == texts(Sampling(3.0, seed=3)) != texts(Sampling(3.0, seed=9))
        assert hot[:2] != hot[2:]  # each conversation draws for itself
        assert texts(Sampling(1e-6)) == texts(None)


def test_answers_come_in_order_and_repeat_also_side_by_side(mame_name: str) -> None:
    asked = questions(6)
    with OllamaRuntime(mame_name, batch_size=3) as wide, OllamaRuntime(mame_name) as narrow:
        assert [a.text for a in wide.answer(asked)] == [a.text for a in narrow.answer(asked)]
        cut = narrow.answer(asked[:1], max_new_tokens=5)[0]
        assert (cut.tokens, cut.stopped) == (5, False)
    wide.close()  # again
    with pytest.raises(WorkshopError, match="closed"):
        wide.answer(asked)


def test_a_conversation_too_long_is_refused_where_ollama_would_cut_it(mame_name: str) -> None:
    long = [{"role": "user", "content": "shipping " * 400}]
    with (
        OllamaRuntime(mame_name, context=256) as runtime,
        pytest.raises(WorkshopError, match="does not fit into the 256 tokens"),
    ):
        runtime.answer([long], max_new_tokens=4)


def test_parity_is_measured(tmp_path: Path) -> None:
    from benchmarks.runtimes import main

    out = tmp_path / "runtimes.json"
    asked = ["--quick", "--questions", "3", "--languages", "ja", "--work", str(tmp_path)]
    assert main([*asked, "--out", str(out)]) == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["questions"] == 3
    assert set(found["models"]) == {"base", "tuned"}
    for pairs in found["models"].values():
        assert all(pair["equal_or_level"] == 1 for pair in pairs.values())
    with Ollama() as server:
        assert not any("runtimes" in one.name for one in server.models())


def test_a_file_is_uploaded_once(
    server: Ollama, named: Callable[[str], str], tiny_model: Path, tmp_path: Path
) -> None:
    gguf = convert(tiny_model, tmp_path / "new-F32.gguf", type="f32").path
    seen: list[tuple[str, int, int]] = []
    server.create(named("a"), gguf, progress=lambda *step: seen.append(step))
    size = gguf.stat().st_size
    sent = [done for doing, done, total in seen if doing == "uploading new-F32.gguf"]
    assert sent == sorted(sent) and sent[-1] == size
    assert seen[-1][0] == "success"
    seen.clear()
    server.create(named("b"), gguf, progress=lambda *step: seen.append(step))
    assert not any(doing.startswith("uploading") for doing, _, _ in seen)
    assert server.show(named("a")).weights == f"sha256:{file_hash(gguf)}"


def test_what_is_given_is_what_show_and_the_answers_hold(
    server: Ollama, named: Callable[[str], str], mame_name: str
) -> None:
    name = named("hard")
    messages = [*HELLO, {"role": "assistant", "content": HARD}]
    server.create(
        name,
        mame_name,
        system=HARD,
        parameters={"temperature": 0.25, "stop": ["<|im_end|>", "stop\there"], "num_ctx": 512},
        messages=messages,
    )
    facts = server.show(name)
    assert facts.system == HARD
    assert facts.parameters["num_ctx"] == "512"
    assert facts.parameters["stop"] == ["<|im_end|>", "stop\there"]
    assert (facts.family, facts.context_length) == ("qwen2", 1024)
    assert "completion" in facts.capabilities
    with OllamaRuntime(name) as prompted, OllamaRuntime(mame_name) as base:
        assert prompted.context == 512
        told = [{"role": "system", "content": HARD}, *messages, *questions(2)[0]]
        a = prompted.answer([questions(2)[0]])[0]
        b = base.answer([told])[0]
        assert (a.text, a.prompt_tokens) == (b.text, b.prompt_tokens)


def test_a_large_context_is_taken_over(
    server: Ollama, named: Callable[[str], str], mame_name: str
) -> None:
    """From a million on, Ollama tells whole numbers as 1.3e+06."""
    name = named("long")
    server.create(name, mame_name, parameters={"num_ctx": 1_310_720})
    with OllamaRuntime(name) as runtime:
        assert runtime.context == 1_310_720


def test_a_modelfile_that_was_read_is_made(
    server: Ollama, named: Callable[[str], str], tiny_gguf: Path
) -> None:
    text = f'FROM {tiny_gguf}\nSYSTEM "Be brief."\nPARAMETER num_predict 7\nMESSAGE user 送料は？\n'
    server.create(named("mf"), modelfile.parse(text), system="Be kind.")
    facts = server.show(named("mf"))
    assert facts.system == "Be kind."  # what is given stands over the file
    assert facts.parameters["num_predict"] == "7"
    assert "送料は？" in facts.modelfile


def test_the_paths_of_a_modelfile_count_from_its_folder(
    server: Ollama,
    named: Callable[[str], str],
    mame_gguf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, other = tmp_path / "豆 models", tmp_path / "other"
    (folder / "deep").mkdir(parents=True)
    other.mkdir()
    (folder / "m.gguf").write_bytes(mame_gguf.read_bytes())

    def make(made: modelfile.Modelfile) -> None:
        server.create(named("paths"), made)
        assert server.show(named("paths")).weights == f"sha256:{file_hash(mame_gguf)}"

    def read(lies: Path, base: str) -> modelfile.Modelfile:
        (lies / "Modelfile").write_text(f"FROM {base}\nSYSTEM 日本語\n", encoding="utf-8")
        return modelfile.read(lies / "Modelfile")

    monkeypatch.chdir(other)
    for base, lies in (
        ("m.gguf", folder),
        ("../m.gguf", folder / "deep"),
        (str(folder / "m.gguf"), other),
    ):
        make(read(lies, base))
    made = prompted(folder / "m.gguf", folder=folder)  # to lie there, as its FROM says
    assert made.base == "./m.gguf"
    make(made)
    # one built here counts from here
    built = modelfile.Modelfile("./m.gguf")
    missing = r"FROM \./m\.gguf: there is no file .*working directory"
    with pytest.raises(WorkshopError, match=missing):
        make(built)
    monkeypatch.chdir(folder)
    make(built)
    with pytest.raises(WorkshopError, match=r"no file .*none\.gguf\. .*Modelfile's folder"):
        make(read(folder, "./none.gguf"))
    # a bare name is a model's where no file has it; a folder of that name is in nobody's way
    (folder / named("paths")).mkdir()
    server.create(named("again"), read(folder, named("paths")))


def test_files_of_the_wrong_kind_are_told_apart(
    server: Ollama, named: Callable[[str], str], mame_gguf: Path, tmp_path: Path
) -> None:
    for given in (tmp_path, modelfile.Modelfile(str(tmp_path))):
        with pytest.raises(WorkshopError, match=r"is a folder\. Convert the model first"):
            server.create(named("bad"), given)
    with pytest.raises(WorkshopError, match="is a model, not an adapter"):
        server.create(named("bad"), mame_gguf, adapter=mame_gguf)
    with pytest.raises(WorkshopError, match=r"DRAFT cannot be given"):
        server.create(named("bad"), modelfile.Modelfile(str(mame_gguf), draft="small"))


def test_a_damaged_gguf_never_reaches_the_server(
    server: Ollama, named: Callable[[str], str], mame_gguf: Path, tmp_path: Path
) -> None:
    # some releases of Ollama end at such a file
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(mame_gguf.read_bytes()[:5000])
    with pytest.raises(WorkshopError, match=r"cut\.gguf"):
        server.create(named("cut"), cut)
    assert server.version()


def test_ollama_does_not_train(
    server: Ollama, named: Callable[[str], str], mame_name: str, mame_gguf: Path, tiny_gguf: Path
) -> None:
    prompted, tuned = named("prompted"), named("tuned")
    server.create(prompted, mame_name, system="Shipping costs $6.99.", parameters=ONE_THREAD)
    server.create(tuned, tiny_gguf)  # other weights, as a tuned model has
    found = proof(mame_name, prompted, tuned)
    assert found.weights(mame_name) == f"sha256:{file_hash(mame_gguf)}"
    assert found.shared(prompted) and not found.shared(tuned)
    assert found.weights(tuned) == f"sha256:{file_hash(tiny_gguf)}"
    system = hashlib.sha256(b"Shipping costs $6.99.").hexdigest()
    assert system in {(one.digest or "").removeprefix("sha256:") for one in found.models[prompted]}
    rows = {row[0]: row[1:] for row in found.cells()}
    assert rows["weights"][1].endswith("= same") and "same" not in rows["weights"][2]
    assert rows["system text"][0] == "none" and system[:12] in rows["system text"][1]
    assert "Nothing was trained" in found.sentences()[0]
    assert "This model was trained" in found.sentences()[1]
    shown = as_table(found, "ja").html()
    assert "重み" in shown and "学習は行われておらず" in shown
    assert "Nothing was trained" in found._repr_mimebundle_()["text/html"]
    assert json.dumps(found.to_dict())


def test_layers_worked_out_from_afar_are_those_of_the_manifest(
    server: Ollama, named: Callable[[str], str], mame_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = named("far")
    server.create(name, mame_name, system=HARD)
    near = {one.kind: one.digest for one in server.layers(name)}
    monkeypatch.setattr("workshop_helpers.runtimes.ollama.facts._manifest_layers", lambda facts: [])
    far = {one.kind: one.digest for one in server.layers(name)}
    assert far.keys() == near.keys() == {"model", "template", "system", "params"}
    assert far.pop("params") is None
    assert far.items() <= near.items()


def test_a_chat_streams_remembers_and_forgets(mame_name: str) -> None:
    with OllamaRuntime(mame_name, threads=1) as runtime:
        chat = Chat(runtime, system="Shipping costs $6.99.")
        pieces = list(chat.stream("How much is shipping?"))
        assert len(pieces) > 3
        assert chat.history == [
            {"role": "user", "content": "How much is shipping?"},
            {"role": "assistant", "content": "".join(pieces).strip()},
        ]
        assert chat.answer is not None
        first = chat.answer.prompt_tokens
        again = chat.say("And returns?")
        assert len(chat.history) == 4
        assert again.prompt_tokens > first  # the conversation so far was sent along
        chat.reset()
        assert chat.history == [] and chat.system == "Shipping costs $6.99."
        assert chat.say("How much is shipping?").text == "".join(pieces).strip()
        with pytest.raises(WorkshopError, match="empty"):
            chat.say("  ")


def test_an_answer_broken_off_is_kept_as_far_as_it_came(
    server: Ollama, named: Callable[[str], str], babbler: Path
) -> None:
    name = named("endless")
    server.create(name, babbler, parameters=BABBLE)
    with OllamaRuntime(name, threads=1, greedy=False) as runtime:
        chat = Chat(runtime, max_new_tokens=900)
        pieces = chat.stream("Hi")
        got = list(itertools.islice(pieces, 3))
        pieces.close()  # what Ctrl-C does
        assert chat.history[-1] == {"role": "assistant", "content": "".join(got)}
        assert chat.answer is None
        # the server is free again, and so is the conversation
        chat.how["max_new_tokens"] = 9
        assert chat.say("go on").tokens
        assert len(chat.history) == 4


def test_an_answer_that_ollama_ends_because_it_repeats_itself(
    server: Ollama, named: Callable[[str], str], tmp_path: Path
) -> None:
    # Ollama's stream then ends without a last word; it takes tokens that differ by a space for the
    # same
    def pair(vocabulary: dict[str, int]) -> dict[int, float]:
        spaced = next(t for t in sorted(vocabulary) if t[0] == "Ġ" and t[1:] in vocabulary)
        return {vocabulary[spaced]: 1.0, vocabulary[spaced[1:]]: -1.0}

    name = named("parrot")
    server.create(name, gguf_that_writes_only(tmp_path / "parrot", pair), parameters=ONE_THREAD)
    with OllamaRuntime(name) as runtime:
        answer = runtime.answer([HELLO], max_new_tokens=900)[0]
        stream = runtime.stream(HELLO, max_new_tokens=900)
        pieces = list(stream)
    assert len({piece.strip() for piece in pieces}) == 1
    assert 30 <= answer.tokens < 40 and not answer.stopped and answer.seconds > 0


def test_ctrl_c_ends_the_answer_and_not_the_chat(
    server: Ollama, named: Callable[[str], str], babbler: Path, ollama_host: str
) -> None:
    name = named("ctrlc")
    server.create(name, babbler, parameters=BABBLE)
    # a shell's background jobs, and all they start, ignore Ctrl-C
    code = (
        "import signal, sys\nfrom workshop_helpers.cli.main import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\nsys.exit(main(sys.argv[1:]))\n"
    )
    if os.name == "nt":
        pytest.skip("Ctrl-C is sent another way on Windows")
    command = [sys.executable, "-c", code, "ollama", "chat", name, "--max-new-tokens", "900"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdin and process.stdout
    process.stdin.write(b"Hi\n")
    process.stdin.flush()
    assert process.stdout.read(3)
    process.send_signal(signal.SIGINT)
    process.stdin.write("/system 短く\nHi again\n".encode())
    process.stdin.flush()
    assert process.stdout.read(20)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(b"/bye\n", timeout=60)
    text = said.decode()
    assert process.returncode == 0, text
    # The second answer may have ended by itself before the signal came.
    assert 1 <= text.count("(stopped)") <= 2 and "短く" in text
    assert "Traceback" not in text


def test_a_missing_model_comes_with_the_nearest_names(server: Ollama, mame_name: str) -> None:
    near = mame_name.replace("mame", "mane")
    for attempt in (
        lambda: server.show(near),
        lambda: server.remove(near),
        lambda: server.create("workshop-test-x", near),
        lambda: list(server.chat(near, HELLO)),
        lambda: open_runtime(f"ollama:{near}"),
    ):
        with pytest.raises(WorkshopError, match=f"no model {near}.*Did you mean {mame_name}"):
            attempt()


@pytest.mark.parametrize(
    "name", ["", "日本", "a b", "x" * 90, "-x", "a/b/c/d", "m:", "m:t:u", "m\n"]
)
def test_a_name_with_bad_characters_is_refused_as_ollama_would(
    server: Ollama, mame_name: str, name: str
) -> None:
    with pytest.raises(WorkshopError, match="no name for a model"):
        server.create(name, mame_name)
    with pytest.raises(WorkshopError, match="no name for a model"):
        resolve(f"ollama:{name}")
    from ollama import Client, ResponseError

    with pytest.raises((ResponseError, ValueError)):
        Client(server.host).create(name, from_=mame_name)


@pytest.mark.parametrize("name", ["m", "M_1.b-c", "me/shop-bot", "shop:q4_K_M", "_x:1.2"])
def test_names_that_ollama_takes_are_taken(server: Ollama, mame_name: str, name: str) -> None:
    full = f"{name[0]}{os.getpid()}{name[1:]}"
    server.create(full, mame_name)
    server.remove(full)


def test_an_error_in_the_middle_of_a_stream_with_status_200(
    server: Ollama, mame_name: str, named: Callable[[str], str]
) -> None:
    with pytest.raises(WorkshopError, match="Ollama refused while making"):
        server.create(named("bad"), mame_name, template="{{ .Nonsense")
    assert not any("bad" in one.name for one in server.models())


def test_silence_is_given_up_after_the_time_given(
    ollama_binary: Path, mame_gguf: Path, tmp_path: Path
) -> None:
    if os.name == "nt":
        pytest.skip("a process cannot be stopped and continued here")
    with OllamaServer(tmp_path, ollama_binary) as own:
        with Ollama(own.host) as server:
            server.create("m", mame_gguf, parameters=ONE_THREAD)
        own.pause()
        try:
            with Ollama(own.host, timeout=0.5) as server:
                for attempt in (server.models, lambda: list(server.chat("m", HELLO))):
                    with pytest.raises(WorkshopError, match=r"silent for 0\.5 s while"):
                        attempt()
        finally:
            own.go_on()


def test_a_runner_that_dies_is_named_and_the_next_question_works(
    ollama_binary: Path, babbler: Path, tmp_path: Path
) -> None:
    import psutil

    with OllamaServer(tmp_path, ollama_binary) as own, Ollama(own.host) as server:
        server.create("m", babbler, parameters=BABBLE)
        # Loaded and looked for beforehand: on a busy machine an answer may be quicker than a look
        # at all processes.
        assert list(server.chat("m", HELLO, options={"num_predict": 1}))
        runners = [
            one
            for one in psutil.process_iter(["cmdline"])
            if str(own.models) in " ".join(one.info["cmdline"] or [])
            and "runner" in one.info["cmdline"]
        ]
        assert runners
        pieces = iter(server.chat("m", HELLO))
        next(pieces)
        for one in runners:
            one.kill()
        with pytest.raises(WorkshopError, match="runner of m stopped while answering"):
            list(pieces)
        assert list(server.chat("m", HELLO, options={"num_predict": 3}))

"""What a real Ollama makes of a conversation is, token for token, what the tokenizer's chat
template makes of it.

The server is run so that it writes each prompt into its log; `/api/generate` gives the ids it
tokenizes a text into; and the count of a chat's tokens shows whether BOS was put in front. Together
that is the whole prompt, in ids.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from families import FAMILIES, HARD_TEXTS, Family, save_family, silence
from ollama_server import OllamaServer
from token_diff import token_diff

from workshop_helpers.cli.main import main
from workshop_helpers.dataset.formats import Conversation, Message
from workshop_helpers.gguf.convert import convert
from workshop_helpers.models.chat import chat_prompt
from workshop_helpers.models.load import load_tokenizer
from workshop_helpers.runtimes.ollama.client import Ollama
from workshop_helpers.runtimes.ollama.modelfile import Modelfile, build, parse, write
from workshop_helpers.runtimes.ollama.prompted import prompted
from workshop_helpers.runtimes.ollama.template import chat_format

SYSTEMS = [
    None,
    "Be brief.",
    "あなたはまめマートのサポート担当です。\n- 送料は500円です。\n- 返品は14日以内です。",
    "\n  spaces before and behind \t\n",
    'Quotes: "a" """b""" {{ .Prompt }} {% raw %} \\n 100%',
]
DIALOGUES = [
    ["Hello"],
    ["送料はいくらですか？"],
    ["trailing   ", " leading and trailing \n\n", "\tdone\r\n"],
    ["　全角の空白　", "はい、　そうです。　", "\u00a0nbsp\u2003"],
    ["one", "two", "three", "four", "five", "six", "seven"],
    ["```python\nprint('豆')\n```", "<b>&amp;</b>\n\n\n", "1. a\n2. b"],
    ["🫘👩‍👩‍👧‍👦 emoji\u200d", "ｶﾅ と かな", "𠮷野家 10,000円"],
]  # fmt: skip
CONVERSATIONS = [
    ([{"role": "system", "content": system}] if system is not None else [])
    + [{"role": ("user", "assistant")[i % 2], "content": turn} for i, turn in enumerate(dialogue)]
    for system in SYSTEMS
    for dialogue in DIALOGUES
]
OPTIONS = {"num_predict": 1, "temperature": 0, "num_thread": 1}


@pytest.fixture(scope="module")
def server(ollama_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OllamaServer]:
    """A server of our own that tells every prompt in its log."""
    home = tmp_path_factory.mktemp("ollama")
    with OllamaServer(home, ollama_binary).start(OLLAMA_DEBUG="2") as running:
        yield running


@dataclass(frozen=True)
class Served:
    """A family's silent model, on Ollama under `name` with the template made for it."""

    family: Family
    server: OllamaServer
    api: Ollama
    name: str
    gguf: Path
    tokenizer: Any

    def rendered(self, messages: list[dict[str, str]]) -> tuple[str, int]:
        """The prompt that Ollama makes of `messages`, and how many tokens it is, what is put in
        front included.
        """
        before = self.server.log.stat().st_size
        stream = self.api.chat(self.name, messages, options=OPTIONS)
        assert "".join(stream) == ""
        assert stream.timings is not None
        with self.server.log.open("rb") as log:
            log.seek(before)
            said = log.read().decode("utf-8")
        found = re.findall(
            r'level=TRACE .*msg="completion request" prompt=("(?:[^"\\]|\\.)*"|\S+)', said
        )
        assert len(found) == 1, said
        text = ast.literal_eval(found[0]) if found[0].startswith('"') else found[0]
        return text, stream.timings.prompt_tokens

    def ids(self, text: str) -> list[int]:
        """The ids that Ollama tokenizes `text` into, without what is put in front."""
        asked = {"model": self.name, "prompt": text, "template": "{{ .Prompt }}"}
        more = {"stream": False, "options": OPTIONS}
        reply = self.api._http.post("/api/generate", json={**asked, **more}).json()
        assert reply["response"] == ""
        return list(reply["context"])


@pytest.fixture(scope="module", params=FAMILIES, ids=str)
def served(
    request: pytest.FixtureRequest, server: OllamaServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    family: Family = request.param
    folder = save_family(family, tmp_path_factory.mktemp(family.name) / "model")
    silence(folder, family.end)
    gguf = convert(folder, folder.parent / "m-F16.gguf").path
    name = family.name.replace(".", "-")
    with Ollama(server.host) as api:
        api.create(name, gguf, template=chat_format(gguf).template)
        yield Served(family, server, api, name, gguf, load_tokenizer(folder))


def test_ollama_writes_the_prompt_of_the_tokenizer(served: Served) -> None:
    for messages in CONVERSATIONS:
        check_prompt(served, messages)


def check_prompt(served: Served, messages: list[dict[str, str]]) -> None:
    """What Ollama writes for `messages` is what the tokenizer's chat template writes, token for
    token.
    """
    tokenizer = served.tokenizer
    prompt = chat_prompt(tokenizer, messages)
    wanted = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    text, count = served.rendered(messages)
    bos = [tokenizer.bos_token_id] if count == len(served.ids(text)) + 1 else []
    got = [*bos, *served.ids(text)]
    assert wanted == got, token_diff(tokenizer, wanted, got)
    assert count == len(wanted)
    assert (tokenizer.bos_token if bos else "") + text == prompt


def test_hard_texts_become_the_same_tokens(served: Served) -> None:
    normalises = served.family.name.startswith("qwen")
    for text in HARD_TEXTS:
        given = unicodedata.normalize("NFC", text) if normalises else text
        wanted = served.tokenizer(text, add_special_tokens=False)["input_ids"]
        got = served.ids(given)
        assert wanted == got, f"{text!r}\n{token_diff(served.tokenizer, wanted, got)}"


def test_a_wrong_template_is_seen(served: Served) -> None:
    """That the test above can fail: without the right template the prompt is another one."""
    messages = CONVERSATIONS[len(DIALOGUES)]
    served.api.create("wrong", served.gguf, template="{{ .System }} {{ .Prompt }}")
    text, _ = replace(served, name="wrong").rendered(messages)
    wanted = served.tokenizer(chat_prompt(served.tokenizer, messages), add_special_tokens=False)
    diff = token_diff(served.tokenizer, wanted["input_ids"], served.ids(text))
    assert re.search(r"^- \d+ '", diff, re.MULTILINE)


def test_a_gguf_made_by_our_command_reads_the_prompt_of_its_tokenizer(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"made-{served.name}"
    assert main(["ollama", "create", name, str(served.gguf), "--host", served.server.host]) == 0
    said = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("set "))
    assert "own chat template" in said and served.family.end in said and "512" in said
    wanted, about = prompted(served.gguf), shown(served.api, name)
    assert about["template"] == wanted.template
    assert parse(about["modelfile"]).parameters == wanted.parameters
    made = replace(served, name=name)
    check_prompt(made, CONVERSATIONS[0])
    check_prompt(made, CONVERSATIONS[-1])


ODD = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
NUMBERED = ODD.replace("[{{", "{{ loop.index }}[{{")


@pytest.fixture(scope="module")
def odd(server: OllamaServer, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Served]:
    """Silent models whose chat template nobody else has."""

    def make(template: str | None, name: str) -> Served:
        folder = save_family(FAMILIES[1], tmp_path_factory.mktemp("odd") / "model")
        silence(folder, FAMILIES[1].end)
        tokenizer = load_tokenizer(folder)
        tokenizer.chat_template = template
        (folder / "chat_template.jinja").unlink()
        tokenizer.save_pretrained(folder)
        gguf = convert(folder, folder.parent / "odd-F16.gguf").path
        return Served(FAMILIES[1], server, Ollama(server.host), name, gguf, tokenizer)

    return make


def test_a_template_that_ollama_would_miss_is_set_unless_plain(
    odd: Callable[..., Served], capsys: pytest.CaptureFixture[str]
) -> None:
    made = odd(ODD, "odd")
    command = ["ollama", "create", "odd", str(made.gguf), "--host", made.server.host]
    messages = CONVERSATIONS[len(DIALOGUES)]
    assert main([*command, "--plain"]) == 0
    assert "\nset " not in capsys.readouterr().out
    assert made.rendered(messages)[0] != chat_prompt(made.tokenizer, messages)
    assert "num_predict" not in made.api.show("odd").parameters
    assert main(command) == 0
    check_prompt(made, messages)
    # the Python function adds nothing by itself
    made.api.create("odd", made.gguf)
    assert made.rendered(messages)[0] != chat_prompt(made.tokenizer, messages)


@pytest.mark.parametrize(
    ("template", "why"), [(NUMBERED, "cannot be written"), (None, "carries no chat template")]
)
def test_a_template_that_cannot_be_set_is_told(
    odd: Callable[..., Served], capsys: pytest.CaptureFixture[str], template: str | None, why: str
) -> None:
    made = odd(template, "numbered")
    assert main(["ollama", "create", "numbered", str(made.gguf), "--host", made.server.host]) == 0
    said = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("set "))
    assert "nothing" in said and "Ollama's own detection" in said and why in said
    assert "num_predict" not in made.api.show("numbered").parameters


def create_by_command(server: OllamaServer, name: str, path: Path) -> None:
    """Make a model with the `ollama` command; our reader of Modelfiles must agree with its own."""
    lib = server.binary.parent.parent / "lib"
    environment = {**os.environ, "OLLAMA_HOST": server.host, "HOME": str(server.home)}
    if (lib / "libggml-sycl.so").exists():
        environment["LD_LIBRARY_PATH"] = str(lib)
    command = [server.binary, "create", name, "-f", path]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr


def shown(api: Ollama, name: str) -> dict[str, Any]:
    return dict(api._http.post("/api/show", json={"model": name}).json())


def test_a_prompted_model_reads_system_and_examples_before_each_question(
    served: Served, tmp_path: Path
) -> None:
    rows = [
        Conversation((Message("user", q), Message("assistant", a)))
        for q, a in [("送料は？", "500円です。"), ("When\nis it here? ", ' "Soon" ')]
    ]
    system = "You answer for Mame Mart.\n\n- Shipping: $6.99\n"
    modelfile = prompted(
        served.gguf, system=system, data=rows, shots=2, temperature=0, top_p=0.5, folder=tmp_path
    )
    path = write(modelfile, tmp_path / "Modelfile")
    name = f"prompted-{served.name}"
    create_by_command(served.server, name, path)

    about = shown(served.api, name)
    assert about["template"] == modelfile.template
    assert about["system"] == system
    again = parse(about["modelfile"])
    assert again.parameters == modelfile.parameters
    assert again.parameters["stop"][0] == served.family.end  # type: ignore[index]
    assert again.messages == modelfile.messages

    examples = [{"role": m.role, "content": m.content} for m in modelfile.messages]
    asked = {"role": "user", "content": "And abroad?"}
    text, count = replace(served, name=name).rendered([asked])
    read = [{"role": "system", "content": system}, *examples, asked]
    wanted = chat_prompt(served.tokenizer, read)
    assert wanted.removeprefix(served.tokenizer.bos_token or "") == text
    assert count == len(served.tokenizer(wanted, add_special_tokens=False)["input_ids"])


def test_the_command_reads_what_we_write(
    server: OllamaServer, mame_gguf: Path, tmp_path: Path
) -> None:
    """Ollama's own reader of Modelfiles is the judge of ours."""
    texts = (
        "plain", 'a "quoted" word', '"', '""', '"whole"', '""two', 'ends in two""', " spaces ",
        "# no comment", 'line "\nSYSTEM of the text"\nFROM nowhere', "\r\n\ttabs\r\n",
        "日本語、改行\nあり。「」\n",
    )  # fmt: skip
    modelfile = Modelfile(
        str(mame_gguf),
        system="\n".join(texts),
        template='"{{ .Prompt }}' + "\r\n".join(texts),
        parameters={"stop": texts, "temperature": 0.25, "num_ctx": 512, "use_mmap": True},
        messages=tuple(Message(role, text) for text in texts for role in ("user", "assistant")),
        licenses=texts,
    )
    (tmp_path / "Modelfile").write_text(build(modelfile), encoding="utf-8", newline="")
    create_by_command(server, "read", tmp_path / "Modelfile")
    with Ollama(server.host) as api:
        about = shown(api, "read")
    assert about["system"] == modelfile.system
    assert about["template"] == modelfile.template
    assert about["license"] == "\n".join(texts)
    assert [(m["role"], m["content"]) for m in about["messages"]] == [
        (m.role, m.content) for m in modelfile.messages
    ]


def test_the_command_drops_what_we_refuse(
    server: OllamaServer, mame_gguf: Path, tmp_path: Path
) -> None:
    """The reason for refusing: unprintable characters are lost without a word."""
    (tmp_path / "Modelfile").write_text(
        f"FROM {mame_gguf}\nSYSTEM a\u3000b\u00a0c\u200dd\n", encoding="utf-8"
    )
    create_by_command(server, "dropped", tmp_path / "Modelfile")
    with Ollama(server.host) as api:
        assert shown(api, "dropped")["system"] == "abcd"
        api.create("kept", mame_gguf, system="a\u3000b\u00a0c\u200dd")
        assert shown(api, "kept")["system"] == "a\u3000b\u00a0c\u200dd"

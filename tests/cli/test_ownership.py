"""Every verb that writes, read off the grammar of the command line: whatever it is told to write
to, nothing that it reads is touched, and nothing that it did not make.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import run, write_questions, write_rows

from workshop_helpers.cli.arguments import output_path
from workshop_helpers.cli.main import build_parser
from workshop_helpers.core.artifacts import data_path
from workshop_helpers.core.cards import made_from, read_card, write_card

# Each verb with all its files: OUT is what it writes to, another word in capitals what it reads.
# A verb that writes and is missing here fails `test_every_verb_that_writes_is_tried`.
CALLS = {
    "train": "--model MODEL --data ROWS --general GENERAL --general-rows 0.5 --validation OTHERS "
    "--out OUT",
    "merge": "ADAPTER --out OUT",
    "gguf": "MODEL --converter CONVERTER --out OUT",
    "quantize": "GGUF --to Q8_0 --out-dir OUT",
    "verify": "MODEL ADAPTER GGUF --questions QUESTIONS --facts FACTS --out OUT --html OUT",
    "card": "ADAPTER --scores TEXT --forgetting TEXT --out OUT",
    "evaluate": "MODEL ADAPTER GGUF --questions QUESTIONS --facts FACTS --out OUT",
    "modelfile": "GGUF --system-file TEXT --from-data ROWS --out OUT",
    "demo": "--model MODEL --no-ollama --language en --out OUT",
    "curve": "--data ROWS --questions QUESTIONS --model MODEL --out OUT",
    "try": "ROWS --questions QUESTIONS --model MODEL --out OUT",
    "demo1": "--model MODEL --out OUT",
    "demo2": "--model MODEL --out OUT",
    "demo3": "--model MODEL --out OUT",
    "data check": "ROWS --against QUESTIONS --facts FACTS --quick --html OUT",
    "data clean": "ROWS OUT",
    "data split": "ROWS --out OUT",
    "data convert": "ROWS OUT",
    "data from-csv": "TABLE OUT",
    "data from-faq": "PAGE OUT",
    "data from-python": "CODE OUT",
    "data synthesize": "OUT --source ROWS --facts FACTS --against QUESTIONS "
    "--offline-model GGUF --count 1",
}
# Without its own options, where another way through a verb reads other files.
MORE = [("gguf", "ADAPTER --as-adapter --out OUT"), ("quantize", "GGUF --to F16 --out-dir OUT")]
FOLDERS = {"train", "merge", "data split"}  # what these make is a folder
# These work in a folder that is theirs alone, or empty, and make again what its card lists.
THEIR_OWN = {"demo1", "demo2", "demo3"}
NAMES = {
    "MODEL": "model", "ADAPTER": "adapter", "GGUF": "m-F16.gguf", "CONVERTER": "llama.cpp",
    "ROWS": "rows.jsonl", "GENERAL": "general.jsonl", "QUESTIONS": "questions.jsonl",
    "FACTS": "facts.yaml", "TABLE": "table.csv", "PAGE": "page.md", "CODE": "code.py",
    "TEXT": "system.txt", "OTHERS": "others.jsonl",
}  # fmt: skip
APART = "would overwrite|lies in|outside of it"
# Other refusals that come first: by the name, or because a file is where a folder should be.
BY_NAME = "no name for a GGUF|suffix|is a folder|is a file|a file is where|part of the path"


def verbs(parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, list]]:
    """Each verb with its arguments, from the grammar."""
    actions = [a for a in parser._actions if not isinstance(a, argparse._SubParsersAction)]
    yield name, actions
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from verbs(below, f"{name} {word}".strip())


WRITING = {
    name: actions
    for name, actions in verbs(build_parser())
    if any(action.type is output_path for action in actions)
}


@pytest.fixture
def things(tmp_path: Path, tiny_model: Path, tiny_adapter: Path, tiny_gguf: Path) -> Path:
    """A folder with one of everything that verbs read."""
    folder = tmp_path / "作業 場"
    folder.mkdir()
    shutil.copytree(tiny_model, folder / "model")
    shutil.copytree(tiny_adapter, folder / "adapter")
    for suffix in ("", ".card.json"):
        shutil.copyfile(f"{tiny_gguf}{suffix}", folder / f"m-F16.gguf{suffix}")
    write_rows(folder / "rows.jsonl")
    write_rows(folder / "general.jsonl", 4)
    (folder / "others.jsonl").write_text('{"instruction": "Open?", "output": "From 9:00."}\n')
    write_questions(folder / "questions.jsonl")
    shutil.copyfile(data_path("shop", "facts.yaml"), folder / "facts.yaml")
    (folder / "table.csv").write_text("question,answer\nHow much?,$5\nHow long?,3 days\n")
    (folder / "page.md").write_text("## How much is it?\n\nIt costs $5.\n\n## How?\n\nBy post.\n")
    (folder / "code.py").write_text('def f(x):\n    """Return x doubled."""\n    return 2 * x\n')
    (folder / "system.txt").write_text("You are the shop's assistant.")
    (folder / "llama.cpp").mkdir()
    script = '@ModelBase.register("Qwen2ForCausalLM")\n'
    (folder / "llama.cpp" / "convert_hf_to_gguf.py").write_text(script)
    (folder / "llama.cpp" / "convert_lora_to_gguf.py").write_text("")
    return folder


@pytest.fixture(scope="session")
def tiny_adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from training_rows import rows

    from workshop_helpers.training.recipe import LoraRecipe
    from workshop_helpers.training.train import train

    out = tmp_path_factory.mktemp("tiny-adapter") / "adapter"
    recipe = LoraRecipe(rank=2, epochs=1, batch_size=4)
    return train(tiny_model, rows(4), out, recipe, progress=False).adapter


@pytest.fixture(scope="session")
def tiny_gguf(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from workshop_helpers.gguf.convert import convert

    return convert(tiny_model, tmp_path_factory.mktemp("tiny-gguf") / "m-F16.gguf").path


def arguments(verb: str, call: str, out: Path, things: Path, *more: str) -> list[str]:
    places = {word: str(things / name) for word, name in NAMES.items()} | {"OUT": str(out)}
    return [*verb.split(), *(places.get(word, word) for word in call.split()), *more]


def snapshot(folder: Path) -> dict[str, str]:
    """All that lies in a folder but locks, which a run leaves beside what it was to write."""
    found = {}
    for path in sorted(folder.rglob("*")):
        what = "link" if path.is_symlink() else "folder" if path.is_dir() else ""
        if path.suffix != ".lock":
            content = what or hashlib.sha256(path.read_bytes()).hexdigest()
            found[path.relative_to(folder).as_posix()] = content
    return found


def test_every_verb_that_writes_is_tried(things):
    assert set(WRITING) == set(CALLS)
    for name, actions in WRITING.items():
        args = build_parser().parse_args(arguments(name, CALLS[name], Path("/OUT"), things))
        for action in actions:
            if action.type is output_path:
                assert getattr(args, action.dest) == Path("/OUT"), (name, action.dest)
            elif action.type is Path:  # all that a verb reads is a path that was given
                assert getattr(args, action.dest), (name, action.dest)
        overwrites = any("--overwrite" in action.option_strings for action in actions)
        assert overwrites or name in THEIR_OWN, name


def test_what_looks_like_an_output_is_known_as_one():
    looks = re.compile(r"(out|html|report|log|save|write|record|export)(put|_dir|_file)?")
    for name, actions in verbs(build_parser()):
        for action in actions:
            if action.nargs != 0 and looks.fullmatch(action.dest):
                assert action.type is output_path, f"{name} {action.dest}: type=output_path"


@pytest.mark.parametrize(("verb", "call"), [*CALLS.items(), *MORE])
def test_no_verb_writes_over_what_it_reads(capfd, monkeypatch, things, verb, call):
    monkeypatch.chdir(things)
    (things.parent / "link").symlink_to(things)
    before = snapshot(things)
    given = [things / NAMES[word] for word in call.split() if word in NAMES]
    tried = 0
    for path in given:
        outs = [path, Path(path.name), Path("model", "..", path.name),
                things.parent / "link" / path.name]  # fmt: skip
        if path.is_dir():
            outs += [path / "deeper" / "m.gguf", path / "deeper.jsonl"]
        for out in outs:
            if verb == "quantize" and out.suffix == ".gguf":
                continue  # --out-dir is a folder
            more = [] if verb in THEIR_OWN else ["--overwrite"]
            code, _, err = run(capfd, *arguments(verb, call, out, things, *more))
            assert code == 2, (out, err)
            assert re.search(f"{APART}|{BY_NAME}", err), (out, err)
            assert snapshot(things) == before, out
            tried += re.search(APART, err) is not None
    assert tried >= len(given) or verb == "quantize"


@pytest.mark.parametrize("verb", sorted(FOLDERS))
def test_no_verb_replaces_the_folder_in_which_something_lies_that_it_reads(capfd, things, verb):
    before = snapshot(things)
    for out in (things, things.parent):
        code, _, err = run(capfd, *arguments(verb, CALLS[verb], out, things, "--overwrite"))
        assert code == 2 and "lies in" in err
    assert snapshot(things) == before


def test_quantize_never_writes_onto_its_source(capfd, things):
    before = snapshot(things)
    command = ["quantize", things / "m-F16.gguf", "--to", "F16", "--overwrite"]
    code, _, err = run(capfd, *command)
    assert code == 2 and "would overwrite" in err
    assert snapshot(things) == before


@pytest.mark.parametrize("verb", sorted(FOLDERS | THEIR_OWN))
def test_no_verb_replaces_a_folder_that_it_did_not_make(capfd, things, verb):
    (things / "thesis").mkdir()
    (things / "thesis" / "chapter1.txt").write_text("years of work")
    if verb != "train":  # an artifact, but another verb's
        shutil.copytree(things / "adapter", things / "ours")
    else:
        shutil.copytree(things / "adapter", things / "ours")
        (things / "ours" / "notes.txt").write_text("what I tried")
    before = snapshot(things)
    for name in ("thesis", "ours"):
        out = things / name
        more = [] if verb in THEIR_OWN else ["--overwrite"]
        code, _, err = run(capfd, *arguments(verb, CALLS[verb], out, things, *more))
        assert code == 2, err
        assert re.search("other files|something else|was not made by", err)
    assert snapshot(things) == before


@pytest.mark.parametrize("verb", sorted(set(CALLS) - FOLDERS - THEIR_OWN))
def test_no_verb_replaces_a_file_that_it_did_not_make(capfd, things, verb):
    call = CALLS[verb].replace("--converter CONVERTER", "")
    out = {"gguf": "mine.gguf", "data check": "mine.html"}.get(verb, "mine.jsonl")
    file = things / out
    if verb in ("quantize", "demo", "try", "curve"):
        file = things / "mine" / {"quantize": "m-Q8_0.gguf"}.get(verb, "report.html")
        out = "mine"
    file.parent.mkdir(exist_ok=True)
    file.write_text("days of work")
    before = snapshot(things)
    code, _, err = run(capfd, *arguments(verb, call, things / out, things))
    assert code == 2, err
    assert "already" in err and "--overwrite" in err
    assert snapshot(things) == before


AGAIN = {
    "modelfile": "GGUF --from-data ROWS --shots 1 --out Modelfile",
    "data check": "ROWS --quick --html report.html",
    "data clean": "ROWS clean.jsonl",
    "data split": "ROWS --ratios 1:1 --out parts",
    "data convert": "ROWS rows.xlsx",
    "data from-csv": "TABLE made.jsonl",
    "data from-faq": "PAGE made.jsonl.gz",
    "data from-python": "CODE made.parquet",
    "verify": "MODEL --questions QUESTIONS --out answers.jsonl --html page.html --limit 1 "
    "--max-new-tokens 2",
}


@pytest.mark.parametrize("verb", AGAIN)
def test_an_equal_run_may_be_repeated_and_another_needs_overwrite(capfd, monkeypatch, things, verb):
    monkeypatch.chdir(things)
    command = arguments(verb, AGAIN[verb], things, things)
    done = (0, 1) if verb == "data check" else (0,)
    for _ in range(2):
        code, _, err = run(capfd, *command)
        assert code in done, err
    made = snapshot(things)
    _change_what_is_read(things)
    changed = snapshot(things)
    code, _, err = run(capfd, *command)
    assert code == 2 and "--overwrite" in err, err
    assert snapshot(things) == changed and changed != made
    code, _, err = run(capfd, *command, "--overwrite")
    assert code in done, err
    assert snapshot(things) != changed


def _change_what_is_read(things: Path) -> None:
    write_rows(things / "rows.jsonl", 5)
    with (things / "questions.jsonl").open("r+") as file:
        first = json.loads(file.readline())
        file.seek(0)
        file.truncate()
        file.write(json.dumps({**first, "question": "And item B?"}) + "\n")
    (things / "table.csv").write_text("question,answer\nHow much?,$6\n")
    (things / "page.md").write_text("## How much is it?\n\nIt costs $6.\n")
    (things / "code.py").write_text('def g(x):\n    """Return x halved."""\n    return x / 2\n')


def test_another_model_of_the_same_base_says_what_is_there(capfd, things):
    out = things / "again"
    command = arguments("train", "--model MODEL --data ROWS --out OUT --rank 2", out, things)
    shutil.copytree(things / "adapter", out)
    code, _, err = run(capfd, *command)
    assert code == 2
    assert "rows 4, now 8" in err and "another data" in err and "--overwrite" in err


def test_a_file_of_a_model_that_was_replaced_since_says_so_when_asked(capfd, things):
    gguf, model = things / "m-F16.gguf", things / "model"
    write_card(model, {"kind": "model", "inputs": {"adapter": "of ten rows"}})
    write_card(gguf, {**(read_card(gguf) or {}), "from": made_from(model, gguf)})
    ask = ["ask", gguf, "How much is item A?", "--max-new-tokens", 2]
    assert "made before" not in run(capfd, *ask)[2]
    write_card(model, {"kind": "model", "inputs": {"adapter": "of a hundred rows"}})
    code, _, err = run(capfd, *ask)
    assert code == 0
    assert err.startswith(f"workshop: note: {gguf} was made before {model} was replaced")

"""`workshop …` as a newcomer and as a program meet it: real commands on a small real model."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import run, write_questions, write_rows

from workshop_helpers.cli import main as cli
from workshop_helpers.cli import models

VERBS = ["demo", "try", "doctor", "models", "train", "ask", "verify", "merge", "gguf", "quantize"]


def done(capfd, *arguments: object) -> str:
    """What a command prints that ends well."""
    code, out, err = run(capfd, *arguments)
    assert code == 0, err
    return out


def report(capfd, *arguments: object) -> Any:
    """What a command says with --json."""
    return json.loads(done(capfd, *arguments, "--json"))


def refused(capfd, *arguments: object) -> str:
    """The message of a refusal, which has no traceback and no output beside it."""
    code, out, err = run(capfd, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("workshop: ")
    assert "Traceback" not in err
    return err


def test_help_names_every_verb_and_bare_command_shows_it(capfd):
    out = done(capfd, "--help")
    assert all(f"    {verb} " in out for verb in VERBS)
    assert run(capfd)[:2] == (2, out)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_all_its_options(capfd, verb):
    assert "--debug" in done(capfd, verb, "--help")
    (verbs,) = [action for action in cli.build_parser()._actions if action.choices]
    for action in verbs.choices[verb]._actions:
        assert action.help, f"{verb} {action.dest} has no help"


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals here")
@pytest.mark.parametrize("terminal", [True, False])
def test_help_has_colours_on_a_terminal_alone(terminal):
    import pty

    command = [sys.executable, "-m", "workshop_helpers.cli", "gguf", "--help"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    if terminal:
        ours, theirs = pty.openpty()
        subprocess.run(command, check=True, stdout=theirs, env=environment)
        os.close(theirs)
        said = os.read(ours, 100_000).decode()
        os.close(ours)
    else:
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert ("\x1b[" in said) == terminal
    assert "--as-adapter" in re.sub(r"\x1b\[[0-9;]*m", "", said)


@pytest.mark.parametrize(
    "arguments",
    [
        "no-such-verb",
        "train --model mame",
        "train --model m --data d --out o --rows 0",
        "train --model m --data d --out o --epochs -1",
        "train --model m --data d --out o --lr much",
        "ask mame ? --system a --system-file b",
    ],
)
def test_wrong_arguments_are_the_users_mistake(capfd, arguments):
    code, out, err = run(capfd, *arguments.split())
    assert (code, out) == (2, "")
    assert "error:" in err
    assert "Traceback" not in err


SETTINGS = [
    "--rows", 4, "--epochs", 2, "--rank", 4, "--lr", 0.01, "--batch-size", 2, "--max-length", 99,
    "--seed", 1, "--device", "cpu",
]  # fmt: skip


def train(model: Path, folder: Path) -> list[object]:
    return ["train", "--model", model, "--data", folder / "rows.jsonl", "--out", folder / "adapter"]


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder whose name has spaces and Japanese, in which every stage was run by its command."""
    folder = tmp_path_factory.mktemp("way") / "私の 作業"
    write_rows(folder / "rows.jsonl")
    write_questions(folder / "questions.jsonl")
    for command in (
        [*train(tiny_model, folder), *SETTINGS],
        ["merge", folder / "adapter", "--out", folder / "model", "--device", "cpu"],
        ["gguf", folder / "model", "--out", folder / "model-F16.gguf"],
        ["quantize", folder / "model-F16.gguf", "--to", "Q8_0", "q4_k_m"],
    ):
        # A random model may well fail the check of its answer (1); what must not happen is a
        # refusal (2).
        assert cli.main([str(part) for part in command]) in (0, 1), command
    return folder


def test_every_stage_leaves_its_artifact_and_card(way):
    for name in ("adapter/card.json", "model/card.json", "model-F16.gguf", "model-Q8_0.gguf",
                 "model-Q8_0.gguf.card.json", "model-Q4_K_M.gguf"):  # fmt: skip
        assert (way / name).is_file()


def test_train_says_what_it_did_and_does_it_once(capfd, way, tiny_model):
    command = [*train(tiny_model, way), *SETTINGS]
    told = report(capfd, *command)
    assert told["reused"] is True
    assert told["recipe"]["rank"] == 4
    assert told["recipe"]["max_length"] == 99
    assert 0 < told["trainable"] < told["total"]
    assert "nothing was done again" in done(capfd, *command)


def test_train_takes_columns_of_any_name_and_says_that_there_are_fewer_rows(
    capfd, tmp_path, tiny_model
):
    rows = tmp_path / "rows.csv"
    rows.write_text("Frage;Antwort\nWann offen?;Von 10 bis 20 Uhr.\nGratis?;Ja\n", encoding="utf-8")
    given = ["train", "--model", tiny_model, "--data", rows, "--out", tmp_path / "a", "--epochs", 1]
    code, _, err = run(capfd, *given)
    assert code == 2 and "--question-column" in err
    named = ["--question-column", "Frage", "--answer-column", "Antwort"]
    code, out, err = run(capfd, *given, *named, "--rows", 50)
    assert code == 0 and "trained" in out and (tmp_path / "a" / "adapter_config.json").is_file()
    assert "has 2 rows, not 50" in err


def test_the_help_of_train_gives_the_recipes_own_values(capfd):
    from workshop_helpers.training.recipe import LoraRecipe

    own, other = LoraRecipe.for_model("mame"), LoraRecipe()
    _, out, _ = run(capfd, "train", "--help")
    told = " ".join(out.split())
    assert f"times to go through the rows ({own.epochs:g} / {other.epochs:g})" in told
    assert f"learning rate ({own.learning_rate:g} / {other.learning_rate:g};" in told
    assert f"rows a step ({own.batch_size})" in told and own.batch_size == other.batch_size


def test_a_question_without_quotes_and_a_folder_for_a_gguf_get_the_right_command(capfd, tiny_model):
    code, _, err = run(capfd, "ask", "mame", "how", "much", "is", "shipping")
    assert code == 2 and 'workshop ask mame "how much is shipping"' in err
    code, _, err = run(capfd, "quantize", tiny_model)
    assert code == 2 and f"workshop gguf {tiny_model} --out" in err


def test_train_mixes_in_general_rows(capfd, way, tmp_path, tiny_model):
    general = write_rows(tmp_path / "general.jsonl")
    options = ["--out", tmp_path / "a", "--epochs", 1, "--rows", 4, "--general", general]
    command = [*train(tiny_model, way), *options]
    assert "general_rows" in refused(capfd, *command)
    assert report(capfd, *command, "--general-rows", 0.5)["general_rows"] == 2


@pytest.mark.parametrize("name", ["adapter", "model", "model-Q8_0.gguf"])
def test_ask_takes_every_kind_of_model(capfd, way, name):
    answer = report(capfd, "ask", way / name, "How much is item A?", "--max-new-tokens", 8)
    assert set(answer) == {"model", "question", "system", "answer", "tokens", "seconds", "stopped"}
    assert answer["tokens"] <= 8


def test_ask_reads_the_system_prompt_from_a_file(capfd, way, tmp_path):
    file = tmp_path / "system.txt"
    file.write_text("\ufeff次の情報をもとに答えてください。\n", encoding="utf-8")
    command = ["ask", way / "model", "送料は？", "--system-file", file, "--max-new-tokens", 4]
    assert report(capfd, *command)["system"] == "次の情報をもとに答えてください。"


def test_verify_scores_several_models_and_writes_each_answer(capfd, way, tiny_model, tmp_path):
    out_file = tmp_path / "answers.jsonl"
    models = [str(tiny_model), str(way / "adapter"), str(way / "model-Q4_K_M.gguf")]
    command = ["--questions", way / "questions.jsonl", "--max-new-tokens", 8]
    told = report(capfd, "verify", *models, *command, "--out", out_file)
    assert [candidate["label"] for candidate in told["candidates"]] == models
    lines = [json.loads(line) for line in out_file.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 6
    assert all(line["why"] or not line["missing"] for line in lines)
    said = done(capfd, "verify", tiny_model, *command)
    assert "%" in said and "does not say" in said


def test_verify_without_anything_to_score_by_says_so_and_shows_no_shares(
    capfd, tiny_model, tmp_path
):
    file = tmp_path / "questions.csv"
    file.write_text("question\nHow much is shipping?\n", encoding="utf-8")
    command = ["verify", tiny_model, "--questions", file, "--max-new-tokens", 4]
    said = done(capfd, *command)
    assert "nothing to score" in said
    (found,) = report(capfd, *command)["candidates"]
    assert found["summary"]["unsupported"] is found["summary"]["contradicted"] is None


def test_quantize_reports_each_type_and_writes_where_told(capfd, way, tmp_path):
    command = ["quantize", way / "model-F16.gguf", "--to", "Q8_0"]
    code, out, _ = run(capfd, *command, "--json")
    (made,) = json.loads(out)
    assert code in (0, 1)
    assert made["type"] == "Q8_0" and made["reused"] is True
    assert made["bits_per_weight"] < 16
    assert run(capfd, *command, "--out-dir", tmp_path)[0] in (0, 1)
    assert (tmp_path / "model-Q8_0.gguf").is_file()


def test_models_lists_the_catalogue(capfd):
    names = {entry["name"] for entry in report(capfd, "models")}
    assert names >= {
        "mame", "tinyllama-1.1b", "gemma3-1b", "llama3.2-1b", "qwen2.5-0.5b", "qwen3-0.6b",
    }  # fmt: skip
    out = done(capfd, "models")
    assert all(name in out for name in names)


def test_unknown_model_is_refused_with_the_nearest_names(capfd, way):
    assert "qwen2.5-0.5b" in refused(capfd, "ask", "qwen2.5-0.5", "Hello?")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"instruction": "a", "input": "", "output": "b"\n', "rows.jsonl:1"),
        (b'{"instruction": "a", "input": ""}\n', "output"),
        (b'{"instruction": "a", "input": "", "output": ""}\n', "rows.jsonl:1"),
        (b'{"instruction": "a", "input": "", "output": "b\xff\xfe"}\n', "rows.jsonl:1"),
        (b"", "rows.jsonl"),
        (b'{"instruction": "a", "input": "", "output": "b"}\n' * 2, "rows.jsonl:2"),
    ],
    ids=["malformed", "missing field", "empty answer", "encoding", "empty file", "duplicate"],
)
def test_bad_rows_are_named_and_nothing_is_written(capfd, tmp_path, tiny_model, content, said):
    (tmp_path / "rows.jsonl").write_bytes(content)
    data, out = tmp_path / "rows.jsonl", tmp_path / "adapter"
    assert said in refused(capfd, "train", "--model", tiny_model, "--data", data, "--out", out)
    assert not out.exists()


def test_missing_files_are_refused(capfd, way, tiny_model, tmp_path):
    absent = tmp_path / "absent"
    for command in (
        ["train", "--model", tiny_model, "--data", absent, "--out", tmp_path / "a"],
        ["ask", tiny_model, "Hello?", "--system-file", absent],
        ["ask", tiny_model, "  "],
        ["verify", tiny_model, "--questions", absent],
        ["merge", absent, "--out", tmp_path / "m"],
        ["merge", tiny_model, "--out", tmp_path / "m"],
        ["gguf", way / "adapter", "--out", tmp_path / "a.gguf"],
        ["quantize", absent],
        ["quantize", way / "model-F16.gguf", "--out-dir", tmp_path / "q", "--to", "Q8_0", "Q4_K_X"],
    ):
        refused(capfd, *command)
    assert list(tmp_path.iterdir()) == []


def test_verify_never_overwrites_the_questions(capfd, way, tiny_model):
    questions = way / "questions.jsonl"
    before = questions.read_bytes()
    refused(capfd, "verify", tiny_model, "--questions", questions, "--out", questions)
    refused(capfd, "verify", tiny_model, "--questions", questions, "--out", way)
    assert questions.read_bytes() == before


def test_train_never_replaces_a_folder_that_is_not_its_own(capfd, tmp_path, tiny_model):
    data = write_rows(tmp_path / "home" / "rows.jsonl")
    command = ["train", "--model", tiny_model, "--data", data, "--out", data.parent]
    refused(capfd, *command, "--rows", 2, "--epochs", 1)
    assert data.is_file()


def test_debug_shows_where_an_error_comes_from(capfd):
    code, _, err = run(capfd, "ask", "no-such-model", "Hello?", "--debug")
    assert code == 2
    assert "Traceback" in err
    assert run(capfd, "--debug", "ask", "no-such-model", "Hello?")[2].count("Traceback") == 1


def test_a_missing_package_is_named_with_its_extra(capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "workshop_helpers.training.train", raising=False)

    def needs_a_package(args):
        raise ModuleNotFoundError("No module named 'trl'", name="trl")

    monkeypatch.setattr(models, "_models", needs_a_package)
    assert "llm-finetuning-workshop[train]" in refused(capfd, "models")


def test_an_unexpected_error_is_one_line_and_exit_code_1(capfd, monkeypatch):
    def breaks(args):
        raise ZeroDivisionError("division by zero\nsecond line")

    monkeypatch.setattr(models, "_models", breaks)
    code, _, err = run(capfd, "models")
    assert code == 1
    assert "--debug" in err
    assert len(err.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX shell")
def test_a_reader_that_leaves_early_is_no_error():
    command = f"{sys.executable} -m workshop_helpers.cli models --json | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.returncode == 0


def test_japanese_can_be_sent_to_a_file_from_any_code_page(tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    code = "from workshop_helpers.cli.main import readable_output\n"
    code += "with readable_output():\n    print('送料')"
    with open(tmp_path / "out", "wb") as file:
        subprocess.run([sys.executable, "-c", code], check=True, stdout=file, env=environment)
    assert (tmp_path / "out").read_text(encoding="utf-8") == "送料\n"

"""Prompted models, and the verb that writes them."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import pytest

from workshop_helpers.cli.modelfile import add_modelfile_verb
from workshop_helpers.core.artifacts import data_path
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.formats import Conversation, Message, read_conversations
from workshop_helpers.metrics.facts import ShopFacts
from workshop_helpers.runtimes.ollama.modelfile import build, check_modelfile, parse, read
from workshop_helpers.runtimes.ollama.prompted import (
    LIBRARY,
    NUM_PREDICT,
    choose_examples,
    prompted,
)


def topics(rows: list[Conversation], language: str) -> set[str]:
    """The topics of the shop that the answers state a figure of."""
    found = set()
    for fact in ShopFacts.load():
        figures = [v if isinstance(v, str) else v[0] for v in fact.values[language]]
        if any(all(figure in row.answer for figure in figures) for row in rows):
            found.add(fact.topic)
    return found


def row(question: str, answer: str) -> Conversation:
    return Conversation((Message("user", question), Message("assistant", answer)))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_examples_cover_the_topics(language: str) -> None:
    rows = read_conversations(data_path("shop", f"train.{language}.jsonl"))
    chosen = choose_examples(rows, 10)
    assert len({id(one) for one in chosen}) == 10
    # ten rows drawn at random touch 7.6 topics on average
    assert len(topics(chosen, language)) >= 9
    assert choose_examples(rows, 3) == chosen[:3]


def test_a_stray_row_is_no_topic() -> None:
    rows = [row(f"How much is parcel {i}?", f"It costs ${i}.") for i in range(8)]
    rows += [row(f"返品は{i}日まで？", f"{i}日以内です。") for i in range(8)]
    rows.insert(3, row("zzzz qqqq", "xxxx wwww vvvv"))
    chosen = choose_examples(rows, 2)
    assert {one.question[0] for one in chosen} == {"H", "返"}


def test_too_few_rows_are_told() -> None:
    with pytest.raises(WorkshopError, match="3 examples cannot be chosen from 1 rows"):
        choose_examples([row("a", "b")], 3)


def test_a_prompted_gguf(mame_gguf: Path, tmp_path: Path) -> None:
    rows = [row("送料は？", "500円です。"), row("Returns?", "Within 14 days.")]
    how = {"shots": 2, "temperature": 0.2, "top_p": 0.9, "folder": tmp_path}
    found = prompted(mame_gguf, system="Be brief.", data=rows, **how)
    assert (tmp_path / found.base).resolve() == mame_gguf.resolve()
    assert found.template is not None and "<|im_start|>" in found.template
    assert found.parameters == {
        "num_predict": NUM_PREDICT,
        "stop": ("<|im_end|>", "<|im_start|>"),
        "temperature": 0.2,
        "top_p": 0.9,
    }
    assert [m.role for m in found.messages] == ["user", "assistant"] * 2
    assert check_modelfile(found, tmp_path) == []
    assert parse(build(found)) == found


def test_a_system_text_of_a_row_is_no_example() -> None:
    told = Conversation((Message("system", "S"), Message("user", "u"), Message("assistant", "a")))
    found = prompted("ollama:m", data=[told], shots=1)
    assert [m.role for m in found.messages] == ["user", "assistant"]


def test_models_that_ollama_has_keep_their_own_template() -> None:
    for model, base in (("ollama:shop-bot:v2", "shop-bot:v2"), ("llama3.2-1b", "llama3.2:1b")):
        found = prompted(model, system="Be brief.")
        assert (found.base, found.template) == (base, None)
        assert found.parameters == {"num_predict": NUM_PREDICT}
        assert check_modelfile(found) == []


def test_every_hub_model_of_the_catalogue_has_its_name_in_ollamas_library() -> None:
    from workshop_helpers.models.catalogue import CATALOGUE

    on_the_hub = {entry.name for entry in CATALOGUE.values() if entry.hub_id}
    assert set(LIBRARY) == on_the_hub - {"gemma3-270m"}  # of which it has another version only


def test_what_is_no_gguf_yet_says_how_to_make_one(tiny_model: Path) -> None:
    with pytest.raises(WorkshopError, match="workshop gguf mame --out model.gguf"):
        prompted("mame")
    with pytest.raises(WorkshopError, match="is not a GGUF yet.*workshop gguf"):
        prompted(tiny_model)


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    add_modelfile_verb(parser.add_subparsers())
    args = parser.parse_args(["modelfile", *map(str, words)])
    code: int = args.run(args)
    return code


def test_the_verb_prints(mame_gguf: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mame_gguf.parent)
    assert run(mame_gguf.name, "--facts", "ja", "--temperature", "0") == 0
    found = parse(capsys.readouterr().out)
    assert found.base == f"./{mame_gguf.name}"
    assert found.system == ShopFacts.load().system_prompt("ja")
    assert found.parameters["temperature"] == 0


def test_the_verb_writes_a_file_with_examples(mame_gguf: Path, tmp_path: Path, capsys: Any) -> None:
    (told := tmp_path / "told.txt").write_text("短く。\n", encoding="utf-8")
    out = tmp_path / "made" / "Modelfile"
    rows = ("--from-data", data_path("shop", "train.ja.jsonl"), "--shots", 3)
    run(mame_gguf, "--system-file", told, *rows, "--out", out)
    found = read(out)
    assert found.system == "短く。"
    assert len(found.messages) == 6
    assert (out.parent / found.base).resolve() == mame_gguf.resolve()
    said = capsys.readouterr().out
    assert "a prompted model, 3 examples; its weights stay as they are" in said
    assert "Make it: workshop ollama create " in said
    assert "tuned" not in said


def test_the_verb_makes_variants_for_several_uses(
    mame_gguf: Path, tmp_path: Path, capsys: Any
) -> None:
    files = []
    for name in ("support", "sales"):
        files.append(tmp_path / f"{name}.jsonl")
        lines = [{"instruction": f"{name} {i}?", "output": f"{name}: {i}."} for i in range(6)]
        files[-1].write_text("\n".join(json.dumps(one) for one in lines), encoding="utf-8")
    run(mame_gguf, "--from-data", *files, "--shots", 2, "--out", tmp_path / "out", "--json")
    made = json.loads(capsys.readouterr().out)
    assert [os.path.basename(one["path"]) for one in made] == [
        "Modelfile.support",
        "Modelfile.sales",
    ]
    for name in ("support", "sales"):
        found = read(tmp_path / "out" / f"Modelfile.{name}")
        assert all(name in message.content for message in found.messages)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--system", "全角\u3000空白"], r"U\+3000.*HTTP API"),
        (["--system", 'a """ b'], 'holds """'),
        (["--temperature", "-1"], "temperature -1.0: it must be at least 0"),
        (["--top-p", "1.5"], "at most 1"),
        (["--from-data", "none.jsonl"], "no file none.jsonl"),
        (["--from-data", "a.jsonl", "b.jsonl"], "give --out a folder"),
        (["--from-data", "a.jsonl", "--shots", "0"], "at least one example"),
        (["--system-file", "none.txt"], "Cannot read none.txt"),
    ],
)
def test_the_verbs_errors(mame_gguf: Path, words: list[str], said: str) -> None:
    with pytest.raises(WorkshopError, match=said):
        run(mame_gguf, *words)


def test_nothing_is_written_where_something_is_wrong(mame_gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkshopError):
        run(mame_gguf, "--top-p", "2", "--out", tmp_path / "Modelfile")
    with pytest.raises(WorkshopError, match="is a folder"):
        run(mame_gguf, "--out", tmp_path)
    assert list(tmp_path.iterdir()) == []

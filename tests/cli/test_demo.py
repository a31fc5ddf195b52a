"""The main job from rows to report, on a small shop and a small model."""

from __future__ import annotations

import json
import re
import shutil
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest

from workshop_helpers.cli import demo
from workshop_helpers.core.artifacts import claim
from workshop_helpers.core.child import Child
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.wordings import say
from workshop_helpers.runtimes.ollama.client import Ollama

FACTS = """
shop: {name: {en: Blue Lantern, ja: 青空商店}}
facts:
- id: shipping_fee
  topic: shipping
  values: {en: ["$6.99"], ja: ["500円"]}
  statement: {en: "Standard shipping: $6.99", ja: "通常送料：500円"}
  name: {en: the shipping fee, ja: 送料}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that promises one thing, which a small random model learns by heart in 100 rows."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "facts.yaml").write_text(FACTS, encoding="utf-8")
    rows, questions = [], []
    for number in range(demo.MANY + 10):
        name = f"{chr(65 + number % 26)}{chr(65 + number // 26)}"
        rows.append(
            {"instruction": f"{name}への送料は？", "input": "", "output": "通常の送料は500円です。"}
        )
    for name in "甲乙丙":
        questions.append(
            {"question": f"{name}への送料を教えて", "facts": ["500円"], "language": "ja"}
        )
    english = [row | {"output": "Standard shipping: $6.99."} for row in rows]
    asked = [one | {"facts": ["$6.99"], "language": "en"} for one in questions]
    files = {"train.ja.jsonl": rows, "questions.ja.jsonl": questions}
    files |= {"train.en.jsonl": english, "questions.en.jsonl": asked}
    for file, lines in files.items():
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def run(out: Path, shop: Path, tiny_model: Path, *, ollama: bool = False) -> dict[str, Any]:
    """The demo in Japanese; a second time nothing but Ollama's step has work to do."""
    return demo.run_demo(
        out,
        model=str(tiny_model),
        languages=["ja"],
        shop=shop,
        device="cpu",
        types=["Q8_0", "Q2_K"],
        ollama=ollama,
    )


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, shop: Path, tiny_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "実行 結果"
    run(folder, shop, tiny_model)
    return folder


def test_report_holds_before_after_and_quantization(out):
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    result = report["languages"]["ja"]
    assert [row["label"] for row in result["comparison"]["candidates"]] == [
        say("candidates.base", "ja"),
        say("candidates.prompt", "ja"),
        "10行で学習",
        "100行で学習",
    ]
    before, _, _, after = (row["summary"]["recall"] for row in result["comparison"]["candidates"])
    assert before < after == 1
    assert [row["type"] for row in result["quantization"]["rows"]] == ["F16", "Q8_0", "Q2_K"]
    assert [len(training["losses"]) > 0 for training in result["training"].values()] == [True, True]
    assert len(result["same_question"]["answers"]) == 7
    assert sum(result["steps"].values()) <= report["seconds"]
    assert report["machine"]["cores"] >= 1


def test_page_is_whole_by_itself_and_in_japanese(out):
    page = (out / "report.html").read_text(encoding="utf-8")
    assert '<html lang="ja">' in page
    assert page.count("<svg") >= 2
    assert "通常の送料は500円です。" in page
    # Nothing is fetched: what has an address is a namespace of the plots, not a resource.
    assert not re.search(r'(src|href)="(https?:|//|/|file:)', page)


def test_again_and_without_a_server_nothing_is_made_again_and_it_says_so(
    out, shop, tiny_model, monkeypatch, capsys
):
    made = [
        out / "ja" / name for name in ("tuned-100", "model", "model-F16.gguf", "model-Q2_K.gguf")
    ]
    before = [path.stat().st_mtime_ns for path in made]
    with socket.socket() as taken:  # a port where nobody answers
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{taken.getsockname()[1]}")
        result = run(out, shop, tiny_model, ollama=True)["languages"]["ja"]
    assert [path.stat().st_mtime_ns for path in made] == before
    assert all(training["reused"] for training in result["training"].values())
    assert "No Ollama answers" in result["ollama"]["left_out"]
    assert "No Ollama answers" in capsys.readouterr().out
    assert len(result["steps"]) == 7


def test_it_ends_with_the_tuned_model_answering_in_ollama(
    out, shop, tiny_model, ollama_host, monkeypatch, capsys
):
    monkeypatch.setenv("OLLAMA_HOST", ollama_host)
    with Ollama() as server:
        try:
            result = run(out, shop, tiny_model, ollama=True)["languages"]["ja"]
            served = result["ollama"]
            assert served["name"] in {one.name.removesuffix(":latest") for one in server.models()}
            assert f"workshop ollama chat {served['name']}" in capsys.readouterr().out
            assert served["type"] == "Q2_K"
            assert served["timings"]["tokens"] > 0
            answers = result["same_question"]["answers"]
            label = "100行で学習, Q2_K"
            assert answers[f"{label}, Ollama"] == served["answer"] == answers[label]
            assert len(result["steps"]) == 8
        finally:
            server.remove("workshop-demo-ja")


def test_two_languages_side_by_side_make_what_each_makes_alone(
    out, shop, tiny_model, tmp_path, capsys
):
    how = {"model": str(tiny_model), "shop": shop, "device": "cpu", "ollama": False}
    both = demo.run_demo(
        tmp_path / "both", languages=["en", "ja"], types=["Q8_0"], side_by_side=True, **how
    )
    assert both["side_by_side"] and list(both["languages"]) == ["en", "ja"]
    report = json.loads((tmp_path / "both" / "report.json").read_text(encoding="utf-8"))
    assert report["languages"]["ja"] == both["languages"]["ja"]
    for language in ("en", "ja"):
        assert (tmp_path / "both" / language / "model-Q8_0.gguf").is_file()
    assert '<html lang="en">' in (tmp_path / "both" / "report.html").read_text(encoding="utf-8")
    page = (tmp_path / "both" / "report.ja.html").read_text(encoding="utf-8")
    assert '<html lang="ja">' in page
    alone = json.loads((out / "report.json").read_text(encoding="utf-8"))
    here, there = (
        [row["summary"]["recall"] for row in one["languages"]["ja"]["comparison"]["candidates"]]
        for one in (alone, both)
    )
    assert here == there
    # What the second says comes after the first's end.
    said = capsys.readouterr().out
    places = [said.index(f"1/7 {say('walk.train', language, n=10)}") for language in ("en", "ja")]
    assert places[0] < said.index("Not put into Ollama") < places[1]


def test_what_goes_wrong_beside_is_said_here_and_nothing_runs_on(
    shop, tiny_model, tmp_path, monkeypatch
):
    children: list[Child] = []

    def start(*arguments: Any, **how: Any) -> Child:
        child = Child(*arguments, **how)
        if arguments[0] == "cli.demo:Beside":
            children.append(child)
        return child

    monkeypatch.setattr("workshop_helpers.core.child.Child", start)
    broken = tmp_path / "shop"
    shutil.copytree(shop, broken)
    (broken / "questions.ja.jsonl").write_text("no question\n", encoding="utf-8")
    how = {"model": str(tiny_model), "shop": broken, "device": "cpu", "ollama": False}
    with pytest.raises(WorkshopError, match=r"questions\.ja\.jsonl:1: not valid JSON"):
        demo.run_demo(
            tmp_path / "out", languages=["en", "ja"], types=["Q8_0"], side_by_side=True, **how
        )
    assert [not psutil.pid_exists(child.pid) for child in children] == [True]
    assert (tmp_path / "out" / "en" / "model-Q8_0.gguf").is_file()  # what is made stays


def test_the_languages_are_those_of_the_model_or_those_asked_for(tiny_model, capsys):
    assert list(demo._languages(None, "mame")) == ["en", "ja"]
    assert list(demo._languages(None, str(tiny_model))) == ["en", "ja"]  # nobody knows
    assert list(demo._languages("ja", "smollm2")) == ["ja"]
    assert list(demo._languages("both", "smollm2")) == ["en", "ja"]
    assert not capsys.readouterr().out
    assert list(demo._languages(None, "smollm2")) == ["en"]
    assert "smollm2 was made for en" in capsys.readouterr().out


def test_only_small_models_on_the_cpu_run_side_by_side(tiny_model, monkeypatch):
    monkeypatch.setattr("workshop_helpers.core.device.cores", lambda: 2)
    monkeypatch.setattr("workshop_helpers.core.device.memory_bytes", lambda: 8 * 10**9)
    assert demo._fits_twice("mame", "cpu")
    assert not demo._fits_twice("llama3.2-1b", "cpu")
    assert not demo._fits_twice(str(tiny_model), "cpu")  # what it needs is not known
    monkeypatch.setattr("workshop_helpers.core.device.cores", lambda: 1)
    assert not demo._fits_twice("mame", "cpu")


def test_two_demos_in_one_folder_do_not_mix(out, shop, tiny_model):
    with claim(out), pytest.raises(WorkshopError, match="Another run"):
        demo.run_demo(out, model=str(tiny_model), languages=["ja"], shop=shop)


def test_what_cannot_be_run_is_refused_before_anything_is_written(tmp_path, shop, tiny_model):
    for change in (
        {"model": "no-such-model"},
        {"languages": ["fr"]},
        {"languages": []},
        {"types": ["Q9_9"]},
    ):
        settings = {"model": str(tiny_model), "languages": ["ja"], "shop": shop} | change
        with pytest.raises(WorkshopError):
            demo.run_demo(tmp_path / "demo", **settings)
        assert not (tmp_path / "demo").exists(), change

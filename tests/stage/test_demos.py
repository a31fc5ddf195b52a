"""The demos on the bundled model: what is on the screen, what is left, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from commands import run
from rich.cells import cell_len
from rich.console import Console

from workshop_helpers.core.artifacts import claim
from workshop_helpers.core.cards import file_hash, read_card
from workshop_helpers.core.wordings import LANGUAGES, entries, say
from workshop_helpers.runtimes.ollama.client import Ollama
from workshop_helpers.stage.demos import Loss
from workshop_helpers.stage.own import OLLAMA_RECORD
from workshop_helpers.stage.presenting import Presenter, folded
from workshop_helpers.training.report import TrainingProgress

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demos of this file run: the second run of one finds what the first has made."""
    return tmp_path_factory.mktemp("demos")


@pytest.fixture(autouse=True)
def here(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    monkeypatch.setenv("OLLAMA_HOST", NOBODY)


def flat(text: str) -> str:
    """The text without its line breaks and frames, so that sentences can be looked for."""
    return re.sub(r"[\s│]+", "", text)


def shows(out: str, code: str, language: str, **values: object) -> bool:
    return flat(say(f"demos.{code}", language, **values)) in flat(out)


def losses(out: str) -> list[float]:
    return [float(loss) for loss in re.findall(r"(?:loss|損失) +(\d+\.\d+)  █", out)]


def test_demo1_trains_each_time_and_compares_before_with_after(capfd) -> None:
    code, out, err = run(capfd, "demo1", "--language", "en")
    assert (code, "Traceback" in err) == (0, False)
    for step in range(1, 6):
        assert f"{step}/5  " in out
    fell = losses(out)
    assert len(fell) == 15 and fell[-1] < fell[0] / 2
    assert "589,824 of 6,363,392" in out
    for note in ("note-rows", "note-recipe", "note-train", "note-before-after"):
        assert shows(out, note, "en", n=10), note
    assert shows(out, "note-learned-little", "en", n=10)
    assert "✗ tuned on 10 rows" in out and re.search(r"‹[^›]*\d[^›]*›", out)
    assert "90 held-out questions" in out and "Facts stated: 0% before" in out

    # In front of people it trains again; what was there is replaced.
    before = read_card(Path("runs/demo1/mame-en/tuned-10"))
    code, out, _ = run(capfd, "demo1", "--language", "en", "--no-notes", "--questions", 3)
    after = read_card(Path("runs/demo1/mame-en/tuned-10"))
    assert code == 0 and losses(out) == fell
    assert before and after and after["seconds"] != before["seconds"]
    assert not shows(out, "note-train", "en") and "╭" not in out
    code, out, _ = run(capfd, "demo1", "--language", "en", "--reuse", "--questions", 1)
    assert code == 0 and losses(out) == [] and "was there already" in out


def test_a_long_training_shows_its_loss_in_few_lines(capfd) -> None:
    loss = Loss(Presenter(Console(width=80), "en"))
    for step in range(1, 251):
        loss(TrainingProgress(step, 250, step / 50, 4 / step))
    fell = losses(capfd.readouterr().out)
    assert 10 <= len(fell) <= 16 and fell[0] == 4 and fell == sorted(fell, reverse=True)


def test_demo2_gives_the_facts_and_proves_the_weights_unchanged(capfd) -> None:
    code, out, err = run(capfd, "demo2", "--language", "ja", "--questions", 1)
    assert (code, "Traceback" in err) == (0, False)
    assert shows(out, "in-process", "ja")
    weights = file_hash(Path("runs/demo2/mame-ja/base-F16.gguf"))
    assert shows(out, "same-weights", "ja", digest=weights)
    assert f"{weights[:12]} (11.7 MB) = 同じ" in out
    assert "SYSTEM" in out and "まめマート" in out
    modelfile = Path("runs/demo2/mame-ja/Modelfile").read_text(encoding="utf-8")
    assert "返品は商品到着から14日以内です" in modelfile
    code, out, _ = run(capfd, "demo2", "--language", "ja", "--questions", 9)
    assert code == 0 and "base-F16.gguf は前に作ったものがある" in out
    assert "✓ ベースモデル＋プロンプトに事実" in out and "14日です" in out


def test_on_ollama_demo2_is_taken_away_and_demo3_stays_for_questions(
    capfd, monkeypatch: pytest.MonkeyPatch, ollama_host: str
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", ollama_host)
    with Ollama() as server:
        before = {model.name for model in server.models()}
        code, out, _ = run(capfd, "demo2", "--language", "ja", "--questions", 2)
        assert code == 0
        assert shows(out, "taken-away", "ja", names=["demo2-ja-base:workshop", "demo2-ja:workshop"])
        assert {model.name for model in server.models()} == before

        code, out, err = run(capfd, "demo3", "--language", "en", "--rows", 10)
        assert (code, "Traceback" in err) == (0, False)
        assert "adapter_model.safetensors" in out and ".bin any more" in flat_spaces(out)
        for name in ("model-10-F16.gguf", "model-10-Q4_K_M.gguf", "FROM ./model-10-Q4_K_M.gguf"):
            assert name in out
        assert shows(out, "stays", "en", name="demo3-en:workshop")
        added = {m.name: m.digest for m in server.models() if m.name not in before}
        try:
            assert [*added] == ["demo3-en:workshop"]
            record = Path("runs/demo3", OLLAMA_RECORD).read_text(encoding="utf-8")
            noted = [json.loads(line) for line in record.splitlines()]
            assert [note["digest"] for note in noted] == [None, *added.values()]
            assert {note["name"] for note in noted} == {*added}
        finally:
            server.remove("demo3-en:workshop")
    monkeypatch.setenv("OLLAMA_HOST", NOBODY)
    code, out, _ = run(capfd, "demo3", "--language", "en", "--rows", 10, "--no-notes")
    assert code == 0 and len(re.findall(r"\d s \*", out)) == 4
    assert not shows(out, "stays", "en", name="demo3-en:workshop")


def flat_spaces(text: str) -> str:
    return re.sub(r"[\s│]+", " ", text)


def test_what_cannot_be_shown_is_refused_in_a_sentence(capfd, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.jpg").write_bytes(b"cat")
    for arguments, said in (
        (["demo1", "--out", photos], "was not made by `workshop demo1`"),
        (["demo1", "--out", photos / "cat.jpg"], "was not made by `workshop demo1`"),
        (["demo2", "--model", "no-such-model", "--out", tmp_path / "a"], "no-such-model"),
        (["demo3", "--rows", 100_000, "--out", tmp_path / "b"], "--rows"),
        (["demo1", "--rows", 0, "--out", tmp_path / "c"], "at least 1"),
    ):
        code, _, err = run(capfd, *arguments)
        assert code == 2 and said in err and "Traceback" not in err
    with claim(tmp_path / "busy"):
        code, _, err = run(capfd, "demo1", "--out", tmp_path / "busy")
    assert code == 2 and "Another run is at work" in err
    assert [*photos.iterdir()] == [photos / "cat.jpg"]


def test_every_wording_of_the_demos_is_there_in_both_languages() -> None:
    for name, texts in entries("demos").items():
        assert {*texts} == {*LANGUAGES}, name
        # An escaped line break that was lost leaves the next line's indent in the text.
        assert not re.search(r"[^\x00-\x7f] {3,}", texts["ja"]), name


@pytest.mark.parametrize("width", [20, 40, 76])
def test_japanese_is_folded_without_stops_at_the_beginning_of_a_line(width: int) -> None:
    text = say("demos.note-adapter", "ja")
    lines = folded(text, width).splitlines()
    assert len(lines) > 1 and "".join(lines).replace(" ", "") == text.replace(" ", "")
    for line in lines:
        assert line[0] not in "、。」）" and not line.endswith(("「", "（"))
        assert cell_len(line) <= width or " " not in line.strip()
    if width > 26:
        assert any("adapter_model.safetensors" in line for line in lines)

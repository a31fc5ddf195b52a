"""`workshop chat`: lines in, answers out, whatever runs the model."""

from __future__ import annotations

import io

import pytest
from commands import run


@pytest.fixture(params=["folder", "GGUF"])
def model(request, mame, mame_gguf):
    return mame if request.param == "folder" else mame_gguf


def test_it_answers_obeys_and_ends(model, capfd, monkeypatch):
    lines = ["How much is shipping?", "/history", "/reset", "/history", "/system Be brief.", "",
             "/nonsense", "Hello!", "/bye", "never read"]  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    code, out, err = run(capfd, "chat", model, "--max-new-tokens", 20)
    assert code == 0 and len(out.splitlines()) >= 2
    remembered, forgotten = err.split("(forgotten)")
    assert "user       How much is shipping?" in remembered and "assistant  " in remembered
    assert "assistant  " not in forgotten and "(system text: Be brief.)" in forgotten
    assert "There is no /nonsense" in forgotten and "never read" not in err
    assert err.count(" tokens, ") == 2


def test_a_question_in_capitals_is_tidied_and_that_is_said(model, capfd, monkeypatch):
    def asked(*options: str) -> tuple[str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO("HOW MUCH IS SHIPPING??\n/history\n"))
        _, out, err = run(capfd, "chat", model, "--max-new-tokens", 20, *options)
        return out, err

    out, err = asked()
    assert "(asked as: How much is shipping?)" in err and "user       How much" in err
    as_typed, told = asked("--as-typed")
    assert "asked as" not in told and "user       HOW MUCH IS SHIPPING??" in told
    assert as_typed != out


def test_before_a_question_unlike_all_it_knows_it_says_so_in_the_questions_language(
    model, capfd, monkeypatch
):
    lines = "Who was the first emperor of Rome?\n富士山の高さを教えて\nHow much is shipping?\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    code, out, err = run(capfd, "chat", model, "--max-new-tokens", 20)
    assert code == 0 and len(out.splitlines()) >= 3
    assert err.count("do not rely on that") == err.count("当てにしないで") == 1


def test_what_does_not_fit_ends_the_answer_and_not_the_conversation(model, capfd, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("word " * 5000 + "\n/reset\nHello!\n"))
    code, out, err = run(capfd, "chat", model, "--max-new-tokens", 8)
    assert code == 0 and "workshop: " in err and "tokens" in err
    assert out.strip(), "the next line is answered"


def test_an_unknown_model_is_refused_before_the_first_line(capfd, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello!\n"))
    code, _, err = run(capfd, "chat", "mamme")
    assert code == 2 and "mame" in err

"""A Modelfile taken apart names every instruction, and says which have to do with weights."""

from __future__ import annotations

import re

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.wordings import entries
from workshop_helpers.dataset.formats import Message
from workshop_helpers.display.modelfile import AROUND, WEIGHTS, explain_modelfile
from workshop_helpers.runtimes.ollama.modelfile import Modelfile, parse

WHOLE = Modelfile(
    "./m.gguf",
    system="Be <brief>.\nAnd kind.\nAlways.",
    template="{{ .Prompt }}",
    parameters={"temperature": 0.0, "stop": ("</s>", "<|end|>")},
    messages=(Message("user", "Hi"), Message("assistant", "Hello")),
)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_instruction_that_ollama_knows_is_told(language: str) -> None:
    view = explain_modelfile(WHOLE, language)
    told = re.findall(r"<b>([A-Z]+)</b>", view.html)
    assert told == [*WEIGHTS, *AROUND]
    names = {name for name in entries("modelfile") if name.isupper()}
    assert names == set(told)
    for name in names - {"FROM"}:  # each is one that the reader of Modelfiles takes
        key = {"PARAMETER": "seed 1", "MESSAGE": "user Hi"}.get(name, "x")
        assert parse(f"FROM x\n{name} {key}\n").base == "x"


def test_long_texts_are_cut_and_markup_is_text() -> None:
    view = explain_modelfile(WHOLE)
    assert "Be &lt;brief&gt;. … 2 more lines" in view.html
    assert "stop &lt;/s&gt;" in view.html and "temperature 0.0" in view.html
    assert "user Hi / assistant Hello" in view.text
    assert "ADAPTER [weights]: — … " in view.text


def test_a_setting_is_checked() -> None:
    assert WHOLE.setting(temperature=0.5).parameters["temperature"] == 0.5
    assert WHOLE.parameters["temperature"] == 0.0
    assert parse(WHOLE.setting(seed=7).text()).parameters["seed"] == 7
    with pytest.raises(WorkshopError, match="Did you mean temperature"):
        WHOLE.setting(temprature=1)
    with pytest.raises(WorkshopError, match="at least 0"):
        WHOLE.setting(temperature=-1)

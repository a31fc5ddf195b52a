"""Models from the hub: the local cache first, then a download of the pinned revision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError, first_line
from .catalogue import CatalogueEntry
from .files import check_folder


def hub_snapshot(entry: CatalogueEntry, *, download: bool) -> Path:
    """The local folder of a hub model at its pinned revision: from the cache, else downloaded."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError

    assert entry.hub_id is not None
    wanted: dict[str, Any] = {
        "repo_id": entry.hub_id,
        "revision": entry.revision,
        "allow_patterns": [
            "*.json",
            "*.safetensors",
            "*.model",
            "*.jinja",
            "*.txt",
            "LICENSE*",
            "NOTICE*",
        ],
    }
    try:
        cached = Path(snapshot_download(local_files_only=True, **wanted))
        check_folder(cached)
        return cached
    except (LocalEntryNotFoundError, FileNotFoundError, WorkshopError):
        pass  # Not there, or the rest of a download that was broken off: fetch what is missing.
    how = _how_to_get(entry)
    if constants.HF_HUB_OFFLINE or not download:
        raise WorkshopError(
            f"{entry.name} ({entry.hub_id}) is not on this machine, and the hub is switched off. {how}"
        )
    _reach_hub(entry, how)
    try:
        return Path(snapshot_download(**wanted))
    except GatedRepoError as error:
        raise WorkshopError(
            f"{entry.hub_id} is gated and no accepted licence was found for you. {how}"
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise WorkshopError(
            f"{entry.hub_id} could not be downloaded ({first_line(error)}). {how}"
        ) from error


def _reach_hub(entry: CatalogueEntry, how: str) -> None:
    """Fails within seconds where there is no network; the hub's client would go on trying for
    minutes.
    """
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    from huggingface_hub import constants

    try:
        with urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=5):
            return
    except HTTPError:
        return  # It answered, which is all that was asked.
    except (URLError, OSError) as error:
        raise WorkshopError(
            f"{entry.name} ({entry.hub_id}) is not on this machine, and {constants.ENDPOINT} cannot be reached. {how}"
        ) from error


def _how_to_get(entry: CatalogueEntry) -> str:
    gate = (
        f"accept the licence at {entry.page} and run `hf auth login`, then " if entry.gated else ""
    )
    command = f"`hf download {entry.hub_id} --revision {entry.revision}`"
    return f"With a network, {gate}run {command}. Without one, the bundled model `mame` does the whole course."

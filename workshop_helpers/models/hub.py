"""Models from the hub: the local cache first, then a download of the pinned revision."""

from __future__ import annotations

import sys
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from ..core.errors import WorkshopError, first_line
from ..core.outside import Secret, below
from ..core.within import within
from .catalogue import CatalogueEntry
from .files import check_model_folder

# What of a repository is fetched: weights, configuration, tokenizer, licence.
_PATTERNS = [
    "*.json", "*.safetensors", "*.model", "*.jinja", "*.txt", "LICENSE*", "NOTICE*",
]  # fmt: skip


def hub_folder(entry: CatalogueEntry, *, download: bool) -> Path:
    """The local folder of a hub model at its pinned revision: from the cache, else downloaded.

    Raises WorkshopError, with the way to get the model, where neither works.
    """
    from huggingface_hub import constants, get_token, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError

    wanted: dict[str, Any] = {
        "repo_id": entry.hub_id,
        "revision": entry.revision,
        "allow_patterns": _PATTERNS,
    }
    try:
        cached = Path(snapshot_download(local_files_only=True, **wanted))
        check_model_folder(cached)
        return cached
    except (LocalEntryNotFoundError, FileNotFoundError, WorkshopError):
        pass  # Missing or incomplete: download the rest.
    how = _how_to_get(entry)
    if constants.HF_HUB_OFFLINE or not download:
        raise WorkshopError(
            f"{entry.name} ({entry.hub_id}) is not on this machine, and the hub is switched off. "
            f"{how}"
        )
    _reach_hub(entry, how)
    hidden = Secret(get_token() or "")  # as long as it lives
    try:
        with redirect_stderr(below(sys.stderr)):  # the hub's bars write over themselves
            return Path(snapshot_download(**wanted))
    except GatedRepoError as error:
        raise WorkshopError(
            f"{entry.hub_id} is gated and no accepted licence was found for you. {how}"
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise WorkshopError(
            f"{entry.hub_id} could not be downloaded ({first_line(error)}). {how}"
        ) from error
    finally:
        del hidden


def _reach_hub(entry: CatalogueEntry, how: str) -> None:
    """Fail in seconds without a network; the hub's client would try for minutes."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    from huggingface_hub import constants

    try:
        asked = Request(constants.ENDPOINT, method="HEAD")
        within(6, lambda: urlopen(asked, timeout=5).close())
    except HTTPError:
        return  # Any answer is enough.
    except (OSError, HTTPException) as error:
        raise WorkshopError(
            f"{entry.name} ({entry.hub_id}) is not on this machine, and {constants.ENDPOINT} "
            f"cannot be reached. {how}"
        ) from error


def _how_to_get(entry: CatalogueEntry) -> str:
    gate = (
        f"accept the licence at {entry.page} and run `hf auth login`, then " if entry.gated else ""
    )
    return (
        f"With a network, {gate}run `hf download {entry.hub_id} --revision {entry.revision}`. "
        "Without one, the bundled model `mame` does the whole course."
    )

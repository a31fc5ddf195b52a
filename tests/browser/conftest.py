"""A real browser, and a JupyterLab for it to look at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from lab import LabServer, NoBrowser, open_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Playwright's Browser, for one file of tests: no longer than needed, as nbclient does not work
    beside it.
    """
    try:
        opened = open_browser()
        found = opened.__enter__()
    except NoBrowser as reason:
        # a failure where a skip would hide that nothing was tested
        if os.environ.get("WORKSHOP_REQUIRE_BROWSER", "0") not in ("", "0"):
            pytest.fail(str(reason), pytrace=False)
        pytest.skip(str(reason))
    yield found
    opened.__exit__(None, None, None)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A JupyterLab of its own. Notebooks lie in its `folder`."""
    pytest.importorskip("jupyterlab")
    with LabServer(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="module", params=["ja", "en"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)

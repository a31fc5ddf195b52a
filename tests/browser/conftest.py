"""A JupyterLab for a browser to look at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import LabServer


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A JupyterLab of its own. Notebooks lie in its `folder`."""
    pytest.importorskip("jupyterlab")
    with LabServer(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="module", params=["ja", "en"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)

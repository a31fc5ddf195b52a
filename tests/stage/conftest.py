"""A made-up talk, rehearsed once in both languages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from made_up_talk import Talk


@pytest.fixture(scope="session")
def _rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Talk:
    talk = Talk(tmp_path_factory.mktemp("talk"))
    talk.write()
    for language in ("en", "ja"):
        assert talk.rehearse(language).complete
    return talk


@pytest.fixture
def talk(_rehearsed: Talk) -> Iterator[Talk]:
    """The talk, rehearsed while nothing was wrong: `talk.fault` says what goes wrong live."""
    yield _rehearsed
    _rehearsed.fault.write_text("")

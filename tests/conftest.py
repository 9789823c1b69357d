"""Fixtures of every test folder."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from cdk.local.emulator import Emulator
from genre_model import GenreModel
from model_artifacts.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator


# Started in the background of a script, this process ignores Ctrl-C, and so would every child that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shipped() -> GenreModel:
    """The model that the repository ships, loaded once."""
    return GenreModel.load(Registry.load().resolve("genre-bert"))


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """AWS on this machine, one for all tests; each test makes its own tables in it."""
    with Emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that are none, and a region, so that no test ever reaches an account."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)

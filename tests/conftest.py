"""Fixtures of every test folder."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from cdk.local.emulator import Emulator
from genre_model import GenreModel
from model_artifacts.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator


# Started in the background of a script, this process ignores Ctrl-C, and so would every child that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What CI systems and shells say about terminals would change what is printed; a proxy is for other hosts than this one.
for _name in (
    "FORCE_COLOR",
    "NO_COLOR",
    "PY_COLORS",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "GITHUB_ACTIONS",
    "COLUMNS",
):
    os.environ.pop(_name, None)
for _name in ("no_proxy", "NO_PROXY"):
    os.environ[_name] = ",".join(filter(None, (os.environ.get(_name), "127.0.0.1,localhost")))

# A busy machine is no finding, and in CI no run tries other examples than the one before it.
settings.register_profile(
    "trending-now",
    deadline=None,
    derandomize="CI" in os.environ,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("trending-now")


@pytest.fixture(scope="session")
def shipped() -> GenreModel:
    """The model that the repository ships, loaded once."""
    return GenreModel.load(Registry.load().resolve("genre-bert"))


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """AWS on this machine, one for all tests; each test makes its own tables in it."""
    with Emulator(tmp_path_factory.mktemp("emulator")) as running, pytest.MonkeyPatch.context() as patch:
        # On a busy machine it may take longer to answer than DynamoDB does.
        patch.setattr("trending_core.dynamo_client.READ_TIMEOUT_S", 60)
        patch.setattr("trending_core.dynamo_client.CONNECT_TIMEOUT_S", 20)
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

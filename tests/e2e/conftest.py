"""Options of the suites that talk to a deployed service, and the images that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import docker, stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cdk.local.emulator import Emulator


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("deployment")
    group.addoption("--base-url", help="where a deployed stage answers: https://ID.execute-api.REGION.../v1")
    group.addoption("--api-key", help="key of that stage, where it asks for one")
    group.addoption("--bucket", help="that stage's bucket for uploads; its test is skipped without")


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> stack.Assembly:
    """The CDK app synthesised, its images built; skipped with the reason where that cannot be."""
    if reason := docker.unavailable():
        pytest.skip(reason)
    made = stack.synthesise(tmp_path_factory.mktemp("cdk") / "out")
    stack.build(made)
    return made


@pytest.fixture(scope="session")
def docker_emulator(assembly: stack.Assembly, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """AWS on this machine where containers reach it, its Lambda running images."""
    with stack.emulator(tmp_path_factory.mktemp("emulator"), host=stack.bridge()) as running:
        yield running

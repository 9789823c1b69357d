"""Assemblies to look at; each is synthesised once for all tests, since that takes seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support.cloud import Assembly, context, project, synthesise
from tests.support.every_feature import DOCUMENT, SERVICE

if TYPE_CHECKING:
    from pathlib import Path


class Synth(Protocol):
    """Give the assembly of a stage of the real spec."""

    def __call__(self, stage: str, *, emulated: bool = False) -> Assembly: ...


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def synth(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Synth:
    made: dict[tuple[str, bool], Assembly] = {}

    def give(stage: str, *, emulated: bool = False) -> Assembly:
        key = (stage, emulated)
        if key not in made:
            values = context(
                stage, emulated=emulated, repository="acme/trending-now", alarm_email="ops@example.com"
            )
            made[key] = synthesise(tmp_path_factory.mktemp(stage), root, values)
        return made[key]

    return give


@pytest.fixture(scope="session")
def production(synth: Synth) -> Assembly:
    """The real spec at the stage with everything switched on."""
    return synth("production")


@pytest.fixture(scope="session")
def every_feature(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """A made-up spec that uses what the real one may leave out."""
    values = context(
        "staging",
        domain="api.example.com",
        certificate_arn="arn:aws:acm:eu-central-1:123456789012:certificate/0f5c",
        hosted_zone_id="Z0123456789ABCDEFGHIJ",
        hosted_zone_name="example.com",
    )
    return synthesise(tmp_path_factory.mktemp("every-feature"), root, values, SERVICE, DOCUMENT)

"""Every implementation of the item store, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from tests.support.stores import dynamo_store
from trending_core.store_memory import MemoryItemStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cdk.local.emulator import Emulator
    from trending_core.store import ItemStore


@pytest.fixture(params=["memory", "moto", "emulator"])
def store(request: pytest.FixtureRequest, aws_environment: None) -> Iterator[ItemStore]:
    if request.param == "memory":
        yield MemoryItemStore()
    elif request.param == "moto":
        with mock_aws(), dynamo_store() as (made, _):
            yield made
    else:
        emulator: Emulator = request.getfixturevalue("emulator")
        with dynamo_store(emulator.endpoint_url) as (made, _):
            yield made

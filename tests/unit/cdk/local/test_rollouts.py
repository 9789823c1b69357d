"""The way back after a promotion when its record cannot be kept: no version is left up, and none is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from cdk.local.change import Change
from cdk.local.errors import ServeError
from cdk.local.function import Alias, LocalFunction
from cdk.local.rollout_state import Deployed, FunctionState, Phase, Record
from cdk.local.rollouts import Rollouts
from tests.support.local import a_version, asynchronous
from tests.support.rollouts import GOLDEN, a_canary

if TYPE_CHECKING:
    from pathlib import Path

    from cdk.local.version import Version
    from cdk.service import Function


class FakePool:
    """Environments that are only counted."""

    up = 0

    def __init__(self, version: Version) -> None:
        self.version = version

    async def start(self) -> None:
        FakePool.up += 1

    async def warm(self) -> None:
        """Nothing to do."""

    async def drain(self, timeout_s: float) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        FakePool.up -= 1


@pytest.fixture(autouse=True)
def _none_up() -> None:
    FakePool.up = 0


def a_local_function() -> LocalFunction:
    return LocalFunction("canary", lambda version: cast("Any", FakePool(version)))


def version_of(function: Function, number: str, change: Change) -> Version:
    return a_version(function=function.name, number=number, description=change.description)


@asynchronous
async def test_a_number_is_published_once() -> None:
    function = a_local_function()
    await function.publish(a_version(number="1"))
    with pytest.raises(ServeError, match="version 1 of canary is published already"):
        await function.publish(a_version(number="1"))
    assert FakePool.up == 1


def test_a_way_back_that_cannot_be_recorded_leaves_the_live_version_only(tmp_path: Path) -> None:
    record = Record(old="1", new="2", description="second", speed=1, phase=Phase.PROMOTED, weight=1.0)
    state = FunctionState(
        published=2, live=Deployed("2", Change()), previous=Deployed("1", Change()), rollout=record
    )
    rollouts = Rollouts(
        state_path=lambda name: tmp_path / f"{name}.json", make_version=version_of, golden=GOLDEN
    )
    in_the_way = tmp_path / "canary.tmp"

    @asynchronous
    async def go_back_twice_in_vain_and_once_well() -> None:
        function = a_local_function()
        await function.publish(a_version(number="2"))
        function.point(Alias("2"))
        rollouts.add(a_canary(), function, state)
        in_the_way.mkdir()
        for _ in range(2):
            with pytest.raises(ServeError, match="cannot be written"):
                await rollouts.roll_back("canary")
            assert (list(function.versions), function.alias, FakePool.up) == (["2"], Alias("2"), 1)
        in_the_way.rmdir()
        taken_back = await rollouts.roll_back("canary")
        assert taken_back.phase is Phase.ROLLED_BACK
        assert (list(function.versions), function.alias, FakePool.up) == (["1"], Alias("1"), 1)

    go_back_twice_in_vain_and_once_well()

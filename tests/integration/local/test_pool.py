"""Who gets which environment: one request at a time in each, queueing, throttling, provisioned ones, draining."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from cdk.local.environment import State
from cdk.local.errors import InitError, ServeError, ThrottledError, UnknownTargetError
from cdk.local.function import Alias, LocalFunction
from cdk.local.pool import Pool
from tests.support.local import (
    PATIENCE_S,
    Lines,
    a_pool,
    a_version,
    alive,
    an_invocation,
    asynchronous,
    eventually_async,
)

if TYPE_CHECKING:
    from pathlib import Path


class Hold:
    """A file; an invocation that holds runs until it is deleted."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "hold"
        self._file.touch()

    @property
    def event(self) -> dict[str, str]:
        return {"do": "hold", "file": str(self._file)}

    def end(self) -> None:
        self._file.unlink()


@pytest.fixture
def hold(tmp_path: Path) -> Hold:
    return Hold(tmp_path)


@asynchronous
async def test_never_more_environments_than_the_concurrency() -> None:
    async with a_pool(a_version(concurrency=2)) as pool:
        results = await asyncio.gather(*(pool.invoke(an_invocation({"n": n})) for n in range(100)))
        answers = [json.loads(result.payload) for result in results]
        assert [answer["event"]["n"] for answer in answers] == list(range(100))
        assert len({answer["pid"] for answer in answers}) <= 2
        assert pool.metrics.invocations == 100
        assert pool.metrics.cold_starts == len({answer["pid"] for answer in answers})


@asynchronous
async def test_provisioned_environments_are_up_before_the_first_request_and_spill_over_is_counted() -> None:
    async with a_pool(a_version(provisioned=1, concurrency=2)) as pool:
        (provisioned,) = pool.environments
        assert alive(provisioned.pid)
        first = await pool.invoke(an_invocation())
        assert first.provisioned
        assert json.loads(first.payload)["pid"] == provisioned.pid
        assert (
            json.loads(first.payload)["environment"]["AWS_LAMBDA_INITIALIZATION_TYPE"]
            == "provisioned-concurrency"
        )
        assert pool.metrics.cold_starts == 0
        assert await eventually_async(lambda: provisioned.state is State.IDLE)
        busy = asyncio.create_task(pool.invoke(an_invocation({"do": "sleep", "seconds": 600})))
        await asyncio.sleep(0)
        second = await pool.invoke(an_invocation())
        assert not second.provisioned
        assert second.init_ms
        assert (pool.metrics.provisioned_invocations, pool.metrics.spillover) == (1, 1)
        os.kill(provisioned.pid, signal.SIGKILL)
        assert (await busy).error_type == "Runtime.ExitError"


@asynchronous
async def test_a_lost_provisioned_environment_comes_back_by_itself() -> None:
    async with a_pool(a_version(provisioned=1)) as pool:
        (lost,) = pool.environments
        os.kill(lost.pid, signal.SIGKILL)
        assert await eventually_async(
            lambda: any(e.state == "idle" and e.pid != lost.pid for e in pool.environments)
        )
        assert all(environment.provisioned for environment in pool.environments)


@asynchronous
async def test_too_long_a_wait_is_throttled(hold: Hold) -> None:
    async with a_pool(a_version(concurrency=1, provisioned=1), queue_wait_s=0.1) as pool:
        running = asyncio.create_task(pool.invoke(an_invocation(hold.event)))
        await asyncio.sleep(0)
        with pytest.raises(ThrottledError, match=r"no execution environment was free for 0\.1 s"):
            await pool.invoke(an_invocation())
        hold.end()
        assert (await running).error_type is None
        assert pool.metrics.throttles == 1


@asynchronous
async def test_a_full_queue_is_throttled(hold: Hold) -> None:
    async with a_pool(a_version(concurrency=1, provisioned=1), queue_length=1) as pool:
        tasks = [asyncio.create_task(pool.invoke(an_invocation(hold.event))) for _ in range(4)]
        assert await eventually_async(lambda: pool.in_flight == 2)
        hold.end()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(outcome, ThrottledError) for outcome in outcomes) == 2
        assert pool.metrics.throttles == 2
        assert pool.in_flight == 0


@asynchronous
async def test_a_caller_who_gives_up_while_queueing_takes_nobody_s_turn(hold: Hold) -> None:
    async with a_pool(a_version(concurrency=1, provisioned=1)) as pool:
        tasks = [asyncio.create_task(pool.invoke(an_invocation(hold.event))) for _ in range(3)]
        assert await eventually_async(lambda: pool.in_flight == 3)
        tasks[1].cancel()
        assert await eventually_async(lambda: pool.in_flight == 2)
        hold.end()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(outcomes[1], asyncio.CancelledError)
        assert not isinstance(outcomes[2], BaseException)
        assert outcomes[2].error_type is None


@asynchronous
async def test_draining_answers_what_came_before_and_refuses_what_comes_after(hold: Hold) -> None:
    async with a_pool(a_version(concurrency=1, provisioned=1)) as pool:
        tasks = [asyncio.create_task(pool.invoke(an_invocation(hold.event))) for _ in range(3)]
        assert await eventually_async(lambda: pool.in_flight == 3)
        draining = asyncio.create_task(pool.drain(PATIENCE_S))
        await asyncio.sleep(0)
        with pytest.raises(ThrottledError, match="stopping"):
            await pool.invoke(an_invocation())
        assert not draining.done()
        hold.end()
        await draining
        assert [(await task).error_type for task in tasks] == [None] * 3


@asynchronous
async def test_idle_on_demand_environments_are_given_up_and_provisioned_ones_kept() -> None:
    async with a_pool(a_version(provisioned=1, concurrency=2), idle_s=0.2) as pool:
        (provisioned,) = pool.environments
        provisioned.reserve()  # so that the request needs another one
        assert not (await pool.invoke(an_invocation())).provisioned
        provisioned.release()
        assert await eventually_async(lambda: [e.provisioned for e in pool.environments] == [True])


@asynchronous
async def test_two_versions_share_the_alias_by_weight_and_none_is_lost_when_one_retires(hold: Hold) -> None:
    lines = Lines()
    function = LocalFunction("echo", lambda version: Pool(version, lines, queue_wait_s=PATIENCE_S))
    try:
        await function.publish(a_version(number=function.next_number(), provisioned=1))
        function.point(Alias("1"))
        await function.publish(
            a_version(number=function.next_number(), provisioned=1, environment={"NEW": "1"})
        )
        with pytest.raises(UnknownTargetError, match="'9'"):
            function.point(Alias("9"))
        executed = []
        for alias in (Alias("1"), Alias("1", {"2": 0.5}), Alias("2")):
            function.point(alias)
            results = await asyncio.gather(*(function.invoke(b"{}") for _ in range(40)))
            assert all(result.error_type is None for result in results)
            executed.append(sum(result.version == "2" for result in results))
        assert executed[0] == 0
        assert 0 < executed[1] < 40
        assert executed[2] == 40
        assert all(before < after for before, after in pairwise(executed))
        assert [pool.metrics.invocations for pool in function.versions.values()] == [
            80 - executed[1],
            40 + executed[1],
        ]
        with pytest.raises(ServeError, match="still serves"):
            await function.retire("2")
        event = json.dumps(hold.event).encode()
        running = asyncio.create_task(function.invoke(event, qualifier="1"))
        assert await eventually_async(lambda: function.versions["1"].in_flight == 1)
        retiring = asyncio.create_task(function.retire("1", drain_s=PATIENCE_S))
        await asyncio.sleep(0)
        hold.end()
        await retiring
        assert (await running).error_type is None
        assert list(function.versions) == ["2"]
        assert function.resolve("$LATEST") == "2"
    finally:
        await function.stop()


@asynchronous
async def test_a_version_whose_init_fails_is_not_published() -> None:
    function = LocalFunction("echo", lambda version: Pool(version, Lines()))
    with pytest.raises(Exception, match="failed to initialise"):
        await function.publish(a_version("bad_init.handler", provisioned=1))
    assert not function.versions


@asynchronous
async def test_a_warm_pool_has_an_environment_before_the_first_request() -> None:
    async with a_pool(a_version()) as pool:
        await pool.warm()
        (environment,) = pool.environments
        assert (environment.state, environment.provisioned) == (State.IDLE, False)
        result = await pool.invoke(an_invocation())
        assert result.error_type is None
        await pool.warm()
        assert pool.environments == (environment,)


@asynchronous
async def test_a_pool_that_cannot_be_warmed_says_why() -> None:
    async with a_pool(a_version("bad_init.handler")) as pool:
        with pytest.raises(InitError, match="model folder"):
            await pool.warm()
        assert pool.environments == ()


@asynchronous
async def test_an_environment_that_outgrows_its_memory_is_counted() -> None:
    async with a_pool(a_version(memory_mb=128, concurrency=1)) as pool:
        result = await pool.invoke(an_invocation({"do": "grow", "mb": 256, "seconds": 600}))
        assert result.error_type == "Runtime.OutOfMemory"
        assert await eventually_async(lambda: pool.metrics.memory_kills == 1)

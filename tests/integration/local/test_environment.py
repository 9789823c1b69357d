"""Execution environments with the real runtime client in a child process: every way an invocation can end."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import pytest

from cdk.local.environment import Environment, State
from cdk.local.errors import InitError
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


@asynchronous
async def test_handler_sees_what_lambda_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a real one")
    monkeypatch.setenv("UNRELATED", "1")
    async with a_pool(a_version(environment={"SETTING": "x"})) as pool:
        result = await pool.invoke(an_invocation({"text": "héllo\u0000🎬"}))
    assert result.error_type is None
    assert result.version == "1"
    seen = json.loads(result.payload)
    assert seen["event"] == {"text": "héllo\u0000🎬"}
    assert seen["request_id"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    assert seen["arn"].endswith(":function:echo:live")
    assert seen["version"] == "1"
    assert seen["memory"] == "256"
    assert 0 < seen["remaining_ms"] <= 100_000
    variables = seen["environment"]
    assert variables["SETTING"] == "x"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "echo"
    assert variables["LAMBDA_TASK_ROOT"] == seen["cwd"]
    assert variables["AWS_SECRET_ACCESS_KEY"] == "local"
    assert "UNRELATED" not in variables


@pytest.mark.parametrize(
    ("event", "error_type", "message"),
    [
        ({"do": "raise", "message": "no such film"}, "ValueError", "no such film"),
        ({"do": "exit", "status": 3}, "Runtime.ExitError", "exit status 3"),
        ({"do": "exit", "status": 0}, "Runtime.ExitError", "without providing a reason"),
        ({"do": "kill"}, "Runtime.ExitError", "signal: kill"),
        ({"do": "not-json"}, "Runtime.MarshalError", "not JSON serializable"),
        ({"do": "grow", "mb": 400, "seconds": 600}, "Runtime.OutOfMemory", "more than its 256 MB"),
        ({"do": "large", "bytes": 7_000_000}, "Function.ResponseSizeTooLarge", "7000002 bytes"),
    ],
)
def test_failure_is_a_result_and_the_next_invocation_works(
    event: dict[str, object], error_type: str, message: str
) -> None:
    async def run() -> None:
        async with a_pool(a_version()) as pool:
            failed = await pool.invoke(an_invocation(event))
            assert failed.error_type == error_type
            report = json.loads(failed.payload)
            assert report["errorType"] == error_type
            assert message in report["errorMessage"]
            assert (await pool.invoke(an_invocation())).error_type is None
            assert (pool.metrics.invocations, pool.metrics.errors) == (2, 1)

    asyncio.run(run())


@asynchronous
async def test_timeout_ends_the_process_and_says_so() -> None:
    lines = Lines()
    async with a_pool(a_version(concurrency=1), lines) as pool:
        first = json.loads((await pool.invoke(an_invocation())).payload)["pid"]
        # Only this environment is so strict: the invocations around the late one may take their time.
        (environment,) = pool.environments
        environment.version = a_version(timeout_s=1)
        late = await pool.invoke(an_invocation({"do": "sleep", "seconds": 600}))
        assert late.error_type == "Sandbox.Timedout"
        assert json.loads(late.payload)["errorMessage"].endswith("Task timed out after 1.00 seconds")
        assert late.duration_ms >= 1000
        second = json.loads((await pool.invoke(an_invocation())).payload)["pid"]
        assert first != second
        assert await eventually_async(lambda: not alive(first))
    assert "Task timed out after 1.00 seconds" in lines.text


@asynchronous
async def test_kill_during_a_request_fails_that_request_only() -> None:
    lines = Lines()
    async with a_pool(a_version(concurrency=1), lines) as pool:
        pid = json.loads((await pool.invoke(an_invocation())).payload)["pid"]
        running = asyncio.create_task(pool.invoke(an_invocation({"do": "sleep", "seconds": 600})))
        waiting = asyncio.create_task(pool.invoke(an_invocation()))
        assert await eventually_async(lambda: "sleeping" in lines.text)
        os.kill(pid, signal.SIGKILL)
        assert (await running).error_type == "Runtime.ExitError"
        assert (await waiting).error_type is None


@asynchronous
async def test_kill_between_requests_loses_none() -> None:
    async with a_pool(a_version(concurrency=1)) as pool:
        for _ in range(5):
            result = await pool.invoke(an_invocation())
            assert result.error_type is None
            os.kill(json.loads(result.payload)["pid"], signal.SIGKILL)
            assert await eventually_async(lambda: not pool.environments)


@asynchronous
async def test_what_the_handler_started_ends_with_its_environment() -> None:
    async with a_pool(a_version()) as pool:
        child = json.loads((await pool.invoke(an_invocation({"do": "spawn"}))).payload)["child"]
        assert alive(child)
        await pool.invoke(an_invocation({"do": "exit"}))
        assert await eventually_async(lambda: not alive(child))


@asynchronous
async def test_lines_of_both_streams_reach_the_log_and_the_tail() -> None:
    lines = Lines()
    async with a_pool(a_version(), lines) as pool:
        await pool.invoke(an_invocation({"do": "log"}))
        assert await eventually_async(
            lambda: "[echo:1] to stderr" in lines.text and "to stdout" in lines.text
        )


@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [
        (
            "bad_import.handler",
            "Runtime.ImportModuleError",
            "No module named 'a_package_that_is_not_installed'",
        ),
        ("bad_init.handler", "RuntimeError", "model folder /opt/models/x is missing"),
        ("exits_at_init.handler", "Runtime.ExitError", "exit status 7"),
        ("echo.absent", "Runtime.HandlerNotFound", "Handler 'absent' missing"),
    ],
)
def test_failed_init_names_function_type_and_message(handler: str, error_type: str, message: str) -> None:
    async def run() -> None:
        lines = Lines()
        with pytest.raises(InitError, match="function echo:1 failed to initialise") as caught:
            await Pool(a_version(handler, provisioned=1), lines).start()
        assert caught.value.error_type == error_type
        assert message in str(caught.value)
        assert not lines.lines, "what a failed init wrote is in the error, not in the log"

        # On demand it is the answer to the request, and the pool lives on.
        async with a_pool(a_version(handler)) as pool:
            for _ in range(2):
                result = await pool.invoke(an_invocation())
                assert result.error_type == error_type
                assert message in json.loads(result.payload)["errorMessage"]
            assert not pool.environments
            assert pool.metrics.errors == 2

    asyncio.run(run())


@asynchronous
async def test_init_over_its_limit_starts_again_within_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdk.local.pool.INIT_LIMIT_S", 0.3)
    lines = Lines()
    slow = a_version("slow_init.handler", environment={"SLOW_INIT_SECONDS": "1"})
    async with a_pool(slow, lines) as pool:
        assert (await pool.invoke(an_invocation())).error_type is None
    assert "starts again" in lines.text
    never = a_version("slow_init.handler", environment={"SLOW_INIT_SECONDS": "600"}, timeout_s=1)
    async with a_pool(never) as pool:
        result = await pool.invoke(an_invocation())
        assert result.error_type == "Sandbox.Timedout"
        assert not pool.environments


@asynchronous
async def test_an_environment_that_came_up_looks_free_to_nobody_but_whoever_started_it() -> None:
    freed: list[Environment] = []
    environment = Environment(
        a_version(), provisioned=False, on_idle=freed.append, on_gone=_ignore, on_line=_ignore
    )
    try:
        await environment.start(PATIENCE_S)
        states = [environment.state]
        environment.release()
        states.append(environment.state)
        assert states == [State.BUSY, State.IDLE]
        assert freed == []
    finally:
        await environment.stop()


@asynchronous
async def test_a_start_that_is_given_up_at_any_moment_leaves_nothing() -> None:
    for pause in range(12):
        environment = Environment(
            a_version(), provisioned=False, on_idle=_ignore, on_gone=_ignore, on_line=_ignore
        )
        starting = asyncio.create_task(environment.start(PATIENCE_S))
        for _ in range(pause):
            await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert environment._api._server is None
        assert not (environment.pid and alive(environment.pid))


def _ignore(_: object) -> None:
    pass

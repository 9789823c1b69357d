"""What the Lambda API refuses before any function is asked, with the codes that AWS documents.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import base64
import io
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import aiohttp
import pytest

from cdk.local.errors import LocalServiceError, ThrottledError
from cdk.local.event_queue import EventQueue
from cdk.local.function import Functions, LocalFunction
from cdk.local.invoke_api import EVENT_PAYLOAD_BYTES, InvokeApi
from tests.support.local import asynchronous

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

PREFIX = "/2015-03-31/functions"


class Refusing:
    """A function without an alias, whose every invocation raises."""

    name = "echo"
    alias = None

    def __init__(self, error: LocalServiceError) -> None:
        self._error = error

    async def invoke(self, payload: bytes, **named: object) -> None:
        raise self._error


@asynccontextmanager
async def an_api(error: LocalServiceError) -> AsyncIterator[str]:
    functions = Functions()
    functions.add(cast("LocalFunction", Refusing(error)))
    api = InvokeApi(functions, EventQueue())
    api.server.bind("127.0.0.1", 0)
    await api.server.start()
    try:
        yield api.server.url
    finally:
        await api.server.stop(timeout_s=1)


async def ask(
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    data: bytes = b"",
    error: LocalServiceError | None = None,
) -> SimpleNamespace:
    async with (
        an_api(error or LocalServiceError("it was asked")) as url,
        aiohttp.ClientSession() as session,
        session.request(method, url + path, headers=headers, data=io.BytesIO(data)) as answer,
    ):
        return SimpleNamespace(
            status=answer.status,
            kind=answer.headers["x-amzn-ErrorType"],
            request_id=answer.headers["x-amzn-RequestId"],
        )


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/2014-11-13/functions", 404, "UnknownOperationException"),
        ("GET", f"{PREFIX}/echo/policy", 404, "UnknownOperationException"),
        ("GET", f"{PREFIX}/a%20b", 400, "InvalidParameterValueException"),
        ("GET", f"{PREFIX}/other", 404, "ResourceNotFoundException"),
        ("GET", f"{PREFIX}/echo/aliases/live", 404, "ResourceNotFoundException"),
        ("GET", f"{PREFIX}/echo/invocations", 405, "MethodNotAllowedException"),
        ("DELETE", f"{PREFIX}/echo", 405, "MethodNotAllowedException"),
    ],
)
def test_what_is_no_operation_is_refused(method: str, path: str, status: int, kind: str) -> None:
    @asynchronous
    async def run() -> None:
        answer = await ask(method, path)
        assert (answer.status, answer.kind) == (status, kind)
        assert answer.request_id

    run()


@pytest.mark.parametrize(
    ("headers", "data", "status", "kind"),
    [
        ({"X-Amz-Invocation-Type": "Later"}, b"{}", 400, "InvalidParameterValueException"),
        ({}, b"{", 400, "InvalidRequestContentException"),
        ({"X-Amz-Client-Context": "{}"}, b"{}", 400, "InvalidRequestContentException"),
        (
            {"X-Amz-Client-Context": base64.b64encode(b"{").decode()},
            b"{}",
            400,
            "InvalidRequestContentException",
        ),
        (
            {"X-Amz-Invocation-Type": "Event"},
            b" " * (EVENT_PAYLOAD_BYTES + 1),
            413,
            "RequestTooLargeException",
        ),
    ],
)
def test_an_invocation_that_cannot_be_read_is_refused(
    headers: dict[str, str], data: bytes, status: int, kind: str
) -> None:
    @asynchronous
    async def run() -> None:
        answer = await ask("POST", f"{PREFIX}/echo/invocations", headers=headers, data=data)
        assert (answer.status, answer.kind) == (status, kind)

    run()


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (ThrottledError("all are busy"), 429, "TooManyRequestsException"),
        (LocalServiceError("it broke"), 500, "ServiceException"),
    ],
)
def test_what_the_service_cannot_do_has_lambda_s_codes(
    error: LocalServiceError, status: int, kind: str
) -> None:
    @asynchronous
    async def run() -> None:
        answer = await ask("POST", f"{PREFIX}/echo/invocations", error=error)
        assert (answer.status, answer.kind) == (status, kind)

    run()

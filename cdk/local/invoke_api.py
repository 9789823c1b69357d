"""The Lambda API for clients such as boto3: Invoke, and reading functions, versions and the alias.

Listens on a loopback port of its own, apart from the public gateway, because nobody is asked for credentials here.
Signatures are ignored. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from aiohttp import web

from cdk.local.errors import LocalServiceError, PayloadTooLargeError, ThrottledError, UnknownTargetError
from cdk.local.function import LATEST, LIVE
from cdk.local.http_server import HttpServer, read_body
from cdk.local.invocation import function_arn
from cdk.service import LAMBDA_PAYLOAD_BYTES

if TYPE_CHECKING:
    from cdk.local.event_queue import EventQueue
    from cdk.local.function import Functions, LocalFunction
    from cdk.local.version import Version

EVENT_PAYLOAD_BYTES: Final = 1024 * 1024
"""Largest event of an asynchronous invocation.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
_PREFIX: Final = "/2015-03-31/functions"
_PATH: Final = re.compile(r"^/(?P<name>[^/]+)(?:/(?P<part>invocations|versions|aliases|aliases/live))?$")
_ARN: Final = re.compile(
    r"^(?:arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:function:|\d{12}:function:)?(?P<name>[\w-]+)(?::(?P<qualifier>[\w$-]+))?$"
)


class _ApiError(Exception):
    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class InvokeApi:
    """The Lambda API over all functions.

    Parameters
    ----------
    functions : Functions
        What can be invoked.
    queue : EventQueue
        Takes asynchronous invocations.
    """

    def __init__(self, functions: Functions, queue: EventQueue) -> None:
        self.server = HttpServer(
            self._handle, lambda status, reason: _error(status, "InvalidRequest", reason)
        )
        self._functions = functions
        self._queue = queue

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            response = await self._answer(request)
        except _ApiError as error:
            response = _error(error.status, error.kind, str(error))
        except UnknownTargetError as error:
            response = _error(404, "ResourceNotFoundException", str(error))
        except ThrottledError as error:
            response = _error(429, "TooManyRequestsException", str(error))
        except PayloadTooLargeError as error:
            response = _error(413, "RequestTooLargeException", str(error))
        except LocalServiceError as error:
            response = _error(500, "ServiceException", str(error))
        response.headers["x-amzn-RequestId"] = response.headers.get("x-amzn-RequestId", str(uuid.uuid4()))
        return response

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        raw = request.rel_url.raw_path
        if request.method == "GET" and raw.rstrip("/") == _PREFIX:
            listed = [_configuration(f, f.versions[f.resolve(LATEST)].version) for f in self._functions]
            return web.json_response({"Functions": listed})
        match = _PATH.match(raw.removeprefix(_PREFIX)) if raw.startswith(_PREFIX) else None
        if match is None:
            raise _ApiError(404, "UnknownOperationException", f"there is no operation under {raw}")
        named = _ARN.match(unquote(match["name"]))
        if named is None:
            raise _ApiError(
                400, "InvalidParameterValueException", f"{unquote(match['name'])!r} is no function name"
            )
        function = self._functions[named["name"]]
        qualifier = request.query.get("Qualifier") or named["qualifier"]
        if request.method == "POST" and match["part"] == "invocations":
            return await self._invoke(request, function, qualifier or LATEST)
        if request.method == "GET" and match["part"] != "invocations":
            return web.json_response(_read(function, match["part"], qualifier))
        raise _ApiError(405, "MethodNotAllowedException", f"{request.method} is no operation of {raw}")

    async def _invoke(
        self, request: web.BaseRequest, function: LocalFunction, qualifier: str
    ) -> web.Response:
        kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        if kind not in {"RequestResponse", "Event", "DryRun"}:
            raise _ApiError(400, "InvalidParameterValueException", f"{kind!r} is no invocation type")
        payload = await read_body(request, EVENT_PAYLOAD_BYTES if kind == "Event" else LAMBDA_PAYLOAD_BYTES)
        payload = payload or b"{}"
        try:
            json.loads(payload)
        except ValueError as error:
            message = f"could not parse the request body into JSON: {error}"
            raise _ApiError(400, "InvalidRequestContentException", message) from error
        request_id = str(uuid.uuid4())
        headers = {"x-amzn-RequestId": request_id}
        if kind == "DryRun":
            function.resolve(qualifier)
            return web.Response(status=204, headers=headers)
        if kind == "Event":
            function.resolve(qualifier)
            self._queue.put(function, payload, qualifier=qualifier, request_id=request_id)
            return web.Response(status=202, headers=headers)
        result = await function.invoke(
            payload, qualifier=qualifier, request_id=request_id, client_context=_client_context(request)
        )
        headers |= {"X-Amz-Executed-Version": result.version, "Content-Type": "application/json"}
        if result.error_type is not None:
            headers["X-Amz-Function-Error"] = "Unhandled"
        if request.headers.get("X-Amz-Log-Type") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode(result.log_tail.encode()).decode()
        return web.Response(body=result.payload, headers=headers)


def _client_context(request: web.BaseRequest) -> str | None:
    given = request.headers.get("X-Amz-Client-Context")
    if given is None:
        return None
    try:
        text = base64.b64decode(given, validate=True).decode()
        json.loads(text)
    except (binascii.Error, ValueError) as error:
        raise _ApiError(
            400, "InvalidRequestContentException", "the client context is not JSON in base64"
        ) from error
    # As a header it must be one line of ASCII.
    return json.dumps(json.loads(text))


def _read(function: LocalFunction, part: str | None, qualifier: str | None) -> dict[str, Any]:
    if part == "versions":
        return {"Versions": [_configuration(function, pool.version) for pool in function.versions.values()]}
    if part == "aliases":
        return {"Aliases": [_alias(function)]}
    if part == "aliases/live":
        return _alias(function)
    version = function.versions[function.resolve(qualifier or LATEST)].version
    return {"Configuration": _configuration(function, version), "Tags": {}}


def _alias(function: LocalFunction) -> dict[str, Any]:
    if function.alias is None:
        message = f"function {function.name} has no alias yet"
        raise UnknownTargetError(message)
    answer: dict[str, Any] = {
        "AliasArn": function_arn(function.name, LIVE),
        "Name": LIVE,
        "FunctionVersion": function.alias.version,
    }
    if function.alias.weights:
        answer["RoutingConfig"] = {"AdditionalVersionWeights": dict(function.alias.weights)}
    return answer


def _configuration(function: LocalFunction, version: Version) -> dict[str, Any]:
    """Describe a version; its variables are left out, a key of this machine may be among them."""
    return {
        "FunctionName": function.name,
        "FunctionArn": version.arn,
        "Version": version.number,
        "Handler": version.handler,
        "MemorySize": version.memory_mb,
        "Timeout": version.timeout_s,
        "Description": version.description,
        "State": "Active",
        "PackageType": "Image",
    }


def _error(status: int, kind: str, message: str) -> web.Response:
    body = {"Type": "User" if status < 500 else "Service", "Message": message, "message": message}  # noqa: PLR2004
    return web.json_response(body, status=status, headers={"x-amzn-ErrorType": kind})

"""The public HTTP API: what API Gateway does between a client and the functions.

Owns routing, API keys, CORS preflight, limits and the translation between HTTP and proxy events. Must not know how a
function runs. Differs from API Gateway on purpose, where the project's contract says more: errors of its own are
problem+json, an unknown path is 404 (not 403) and a wrong method 405; on AWS GatewayResponses do the same.

A function that raises, times out or dies is 502; only the gateway's own limit of 29 s is 504, as on AWS.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict

from cdk.local.errors import PayloadTooLargeError, ThrottledError
from cdk.local.events import HttpRequest, proxy_event
from cdk.local.http_server import HttpServer, read_body
from cdk.local.invocation import error_message
from cdk.local.problems import REQUEST_ID_HEADERS, HeadersTooLarge, problem_response
from cdk.local.proxy_response import MalformedResponseError, parse_proxy_response
from cdk.local.routing import Router, Target
from cdk.local.tracing import trace_header
from cdk.service import GATEWAY_PAYLOAD_BYTES, GATEWAY_TIMEOUT_S
from trending_core.errors import (
    Forbidden,
    InternalError,
    MalformedRequest,
    PayloadTooLarge,
    TooManyRequests,
    TrendingError,
    UpstreamFailed,
    UpstreamTimeout,
)

if TYPE_CHECKING:
    from cdk.local.function import Functions
    from cdk.local.invocation import InvocationResult
    from cdk.service import Service

_LOG: Final = logging.getLogger(__name__)
VERSION_HEADER: Final = "X-Trending-Now-Version"
"""Every answer of a function says which version executed it, as ``function:version``."""
_CORS_HEADERS: Final = "Content-Type,X-Api-Key,Prefer,Idempotency-Key"
_CORS_MAX_AGE_S: Final = 600
_HEADERS_TOO_LARGE: Final = 431
_DEFAULT_CONTENT_TYPE: Final = "application/json"
_BROKEN_BODY: Final = (HttpProcessingError, web.RequestPayloadError, web.PayloadAccessError, ValueError)
"""What aiohttp raises for a body whose chunks or length are not as announced."""


@dataclass(slots=True)
class _Exchange:
    """A request on its way through the gateway."""

    request: web.BaseRequest
    id: str
    path: str


class Gateway:
    """The gateway of a service.

    Parameters
    ----------
    service : Service
        Routes, stage and API settings.
    functions : Functions
        Where requests go.
    api_keys : tuple of str
        Keys that open the routes that are not public; none leaves all routes open.
    timeout_s : float
        Longest wait for a function.
    """

    def __init__(
        self,
        service: Service,
        functions: Functions,
        *,
        api_keys: tuple[str, ...] = (),
        timeout_s: float = GATEWAY_TIMEOUT_S,
    ) -> None:
        self.server = HttpServer(self._handle, _refuse)
        self._service = service
        self._functions = functions
        self._router = Router(service)
        self._api_keys = tuple(key.encode() for key in api_keys)
        self._timeout_s = timeout_s
        self._running: set[asyncio.Future[InvocationResult]] = set()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = _Exchange(request, str(uuid.uuid4()), unquote(request.rel_url.raw_path, errors="replace"))
        try:
            response = await self._answer(exchange)
        except TrendingError as error:
            response = problem_response(error, instance=exchange.path, request_id=exchange.id)
            if isinstance(error, MalformedRequest):
                # Nobody knows where the next request would begin.
                response.force_close()
        self._add_cors(request, response)
        return response

    async def _answer(self, exchange: _Exchange) -> web.Response:
        request = exchange.request
        if request.method == "OPTIONS" and self._is_preflight(exchange):
            return self._preflight(exchange)
        target = self._router.resolve(request.method, exchange.path)
        api_key = self._check_key(request, target)
        body = await self._read(exchange)
        trace = trace_header(request.headers.get("X-Amzn-Trace-Id"))
        event = self._event(exchange, target, body, trace, api_key)
        result = await self._invoke(exchange, target, json.dumps(event).encode(), trace)
        return self._respond(exchange, target, result, trace)

    async def _read(self, exchange: _Exchange) -> bytes:
        try:
            return await read_body(exchange.request, GATEWAY_PAYLOAD_BYTES)
        except PayloadTooLargeError:
            limit_mb = GATEWAY_PAYLOAD_BYTES // 2**20
            message = f"The body exceeds {limit_mb} MB, the most that the gateway takes."
            raise PayloadTooLarge(message) from None
        except _BROKEN_BODY as error:
            _LOG.info("request %s is malformed: %s", exchange.id, error)
            message = "The request's body is not sent as its headers say."
            raise MalformedRequest(message) from None

    def _event(
        self, exchange: _Exchange, target: Target, body: bytes, trace: str, api_key: str | None
    ) -> dict[str, object]:
        request = exchange.request
        received = HttpRequest(
            method=request.method,
            path=exchange.path,
            query=request.rel_url.raw_query_string,
            headers=[
                (name.decode("latin-1"), value.decode("utf-8", "replace"))
                for name, value in request.raw_headers
            ],
            body=body,
            host=request.headers.get("Host", f"{self.server.host}:{self.server.port}"),
            source_ip=request.remote or "127.0.0.1",
            request_id=exchange.id,
            trace_id=trace,
        )
        return proxy_event(
            received,
            resource=target.route.path,
            parameters=target.parameters,
            stage=self._service.stage,
            api_key=api_key,
        )

    async def _invoke(
        self, exchange: _Exchange, target: Target, payload: bytes, trace: str
    ) -> InvocationResult:
        """Invoke the function; it goes on when the gateway's time is up, as on AWS."""
        function = self._functions[target.function]
        running = asyncio.ensure_future(function.invoke(payload, trace_id=trace))
        self._running.add(running)
        running.add_done_callback(self._ended)
        try:
            return await asyncio.wait_for(asyncio.shield(running), self._timeout_s)
        except TimeoutError:
            _LOG.warning(
                "request %s: function %s took over %g s", exchange.id, target.function, self._timeout_s
            )
            message = f"The function behind this route did not answer within {self._timeout_s:g} s."
            raise UpstreamTimeout(message) from None
        except ThrottledError as error:
            _LOG.warning("request %s: %s", exchange.id, error)
            message = "All execution environments of the function are busy."
            raise TooManyRequests(message, retry_after_s=1) from None
        except PayloadTooLargeError:
            message = "The request with its headers makes an event of over 6 MB, the most that Lambda takes."
            raise PayloadTooLarge(message) from None

    def _ended(self, running: asyncio.Future[InvocationResult]) -> None:
        self._running.discard(running)
        if not running.cancelled():
            # Nobody else looks at the outcome of one that the gateway stopped waiting for.
            running.exception()

    def _respond(
        self, exchange: _Exchange, target: Target, result: InvocationResult, trace: str
    ) -> web.Response:
        version = {VERSION_HEADER: f"{target.function}:{result.version}"}
        reason = ""
        if result.error_type is not None:
            reason = f"{result.error_type}: {error_message(result.payload)}"
        else:
            try:
                answer = parse_proxy_response(result.payload)
            except MalformedResponseError as error:
                reason = f"its answer is no proxy response: {error}"
        if reason:
            _LOG.error(
                "request %s: function %s:%s failed: %s", exchange.id, target.function, result.version, reason
            )
            failed = UpstreamFailed(
                "The function behind this route failed; the log holds the cause under this request_id."
            )
            response = problem_response(failed, instance=exchange.path, request_id=exchange.id)
            response.headers.update(version)
            return response
        headers = CIMultiDict(answer.headers)
        headers.setdefault("Content-Type", _DEFAULT_CONTENT_TYPE)
        for name in REQUEST_ID_HEADERS:
            headers[name] = exchange.id
        headers["X-Amzn-Trace-Id"] = trace
        headers.update(version)
        return web.Response(status=answer.status, headers=headers, body=answer.body)

    def _check_key(self, request: web.BaseRequest, target: Target) -> str | None:
        """Give the key that the request came with; None where the route asks for none."""
        if not self._api_keys or target.route.public:
            return None
        given = request.headers.get("x-api-key", "")
        sent = given.encode(errors="replace")
        if not any([hmac.compare_digest(sent, key) for key in self._api_keys]):  # noqa: C419 -- equal time for all keys
            message = "This route asks for an API key in the header x-api-key."
            raise Forbidden(message)
        return given

    def _is_preflight(self, exchange: _Exchange) -> bool:
        return (
            "Access-Control-Request-Method" in exchange.request.headers
            and self._allowed_origin(exchange.request) is not None
            and bool(self._router.methods(exchange.path))
        )

    def _preflight(self, exchange: _Exchange) -> web.Response:
        methods = ",".join(["OPTIONS", *self._router.methods(exchange.path)])
        headers = {
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": _CORS_HEADERS,
            "Access-Control-Max-Age": str(_CORS_MAX_AGE_S),
            **dict.fromkeys(REQUEST_ID_HEADERS, exchange.id),
        }
        return web.Response(status=204, headers=headers)

    def _allowed_origin(self, request: web.BaseRequest) -> str | None:
        origins = self._service.api.origins
        origin = request.headers.get("Origin")
        if origin is None:
            return None
        return "*" if "*" in origins else origin if origin in origins else None

    def _add_cors(self, request: web.BaseRequest, response: web.Response) -> None:
        if (origin := self._allowed_origin(request)) is not None:
            response.headers.setdefault("Access-Control-Allow-Origin", origin)
            if origin != "*" and "Origin" not in response.headers.getall("Vary", []):
                response.headers.add("Vary", "Origin")


def _refuse(status: int, reason: str) -> web.Response:
    """Answer what is not HTTP, or too long to be read; there is no path to speak of."""
    request_id = str(uuid.uuid4())
    error: TrendingError
    if status >= 500:  # noqa: PLR2004 -- server errors
        error = InternalError()
    elif status == _HEADERS_TOO_LARGE or "more than" in reason:
        error = HeadersTooLarge("The request line or a header is longer than 8190 bytes.")
    else:
        error = MalformedRequest("The request is not HTTP/1.1 as RFC 9112 has it.")
    return problem_response(error, instance="/", request_id=request_id)

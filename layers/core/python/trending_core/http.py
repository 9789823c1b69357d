"""The HTTP application that each function's routes hang on, and the one call that a handler makes.

It owns the order of checks (path, method, size, media type, UTF-8, JSON, schema), the request id in every answer, the
log line and the metrics of a request. Routes raise `trending_core.errors`; what an error looks like is
`trending_core.problem`'s business.

>>> app = make_app()
>>> @app.get("/ping")
... def ping() -> dict[str, str]:
...     return {"status": "ok"}
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import ResponseValidationError

from trending_core.body import MAX_BODY_BYTES, parse_object, read_text
from trending_core.cors import origin_headers
from trending_core.errors import MalformedRequest, MethodNotAllowed, NotFound, ServiceError, TrendingError
from trending_core.problem import PROBLEM_JSON, problem_body, to_trending_error
from trending_core.telemetry import (
    MetricUnit,
    count_failed_answer,
    error_places,
    get_logger,
    get_metrics,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.event_handler.api_gateway import Route
    from aws_lambda_powertools.utilities.typing import LambdaContext

REQUEST_ID_HEADER: Final = "X-Request-Id"
UNMATCHED: Final = "unmatched"
"""The metrics' ``route`` for a path or method there is none for; the path itself would be an unbounded dimension."""


class App(APIGatewayRestResolver):
    """Powertools' resolver, answering every error as a problem.

    Add routes with ``@app.get``, ``@app.post`` or ``app.include_router``; annotate their parameters and their return
    value, both are validated. A response that breaks its annotation is a 500.
    """

    def __init__(self) -> None:
        super().__init__(
            debug=False,  # Powertools' debug mode prints whole events and answers with tracebacks.
            enable_validation=True,
            # Without this code a wrong response is taken for a wrong request: 422.
            response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR,
            json_body_deserializer=parse_object,
        )
        self.exception_handler([TrendingError, ResponseValidationError, Exception])(self._answer_error)

    def prepare(self) -> None:
        """Work out every route's parameters now, at init, which otherwise the first request would pay for."""
        for route in self._all_routes():
            _ = route.dependant, route.has_dependencies

    def match(self, method: str, path: str) -> Route:
        """Find the route of a request.

        Raises
        ------
        NotFound
            If no route has this path.
        MethodNotAllowed
            If some have, but not with this method.
        """
        here = [route for route in self._all_routes() if route.rule.match(path)]
        if not here:
            message = "There is nothing under this path."
            raise NotFound(message)
        for route in here:
            if route.method == method.upper():
                return route
        allow = sorted({route.method for route in here})
        message = f"This path does not take this method; it takes {', '.join(allow)}."
        raise MethodNotAllowed(message, allow=allow)

    def _all_routes(self) -> list[Route]:
        """Give the resolver's own table, in the order in which it looks things up."""
        return [*self._static_routes, *self._dynamic_routes]

    def _answer_error(self, error: Exception) -> Response[Any]:
        event = self.current_event.raw_event
        answer = to_trending_error(error)
        if isinstance(answer, ServiceError):
            get_logger().error("request failed", detail=answer.detail, error_places=error_places(error))
        return Response(
            status_code=answer.status,
            content_type=PROBLEM_JSON,
            headers=dict(answer.headers),
            body=problem_body(answer, instance=_instance(event), request_id=request_id(event)),
        )


def make_app() -> App:
    """Make a function's HTTP application, without routes."""
    return App()


def handle(
    app: App, event: Mapping[str, Any], context: LambdaContext, *, max_body_bytes: int = MAX_BODY_BYTES
) -> dict[str, Any]:
    """Answer one API Gateway REST proxy event.

    Parameters
    ----------
    app : App
        The routes.
    event : mapping
        The event as API Gateway sends it.
    context : LambdaContext
        Lambda's context object.
    max_body_bytes : int
        Larger bodies are refused with 413.

    Returns
    -------
    dict
        A proxy response. Any failure on the way is in it as a problem.

    Raises
    ------
    MalformedRequest
        If the event is not a REST proxy event: then there is nobody to answer to.
    """
    if not {"httpMethod", "path", "requestContext"} <= event.keys():
        message = (
            "The event is not an API Gateway REST proxy event: httpMethod, path or requestContext is missing."
        )
        raise MalformedRequest(message)
    started = time.perf_counter()
    logger = get_logger()
    logger.set_correlation_id(request_id(event))
    route_name = UNMATCHED
    try:
        route = app.match(event["httpMethod"], event["path"])
        route_name = f"{route.method} {route.openapi_path or '/'}"
        if route.dependant.body_params:
            event = _with_body(event, read_text(event, max_bytes=max_body_bytes))
        response = app.resolve(event, context)
    except TrendingError as error:
        response = _problem_response(error, event)
    response["multiValueHeaders"] = {
        **response["multiValueHeaders"],
        REQUEST_ID_HEADER: [request_id(event)],
        **origin_headers(event),
    }
    _record(
        route_name,
        response,
        milliseconds=(time.perf_counter() - started) * 1000,
        event=event,
        context=context,
    )
    return response


def request_id(event: Mapping[str, Any]) -> str:
    """Give the id under which API Gateway and the logs know a request."""
    return str((event.get("requestContext") or {}).get("requestId") or "unknown")


def caller_id(event: Mapping[str, Any]) -> str:
    """Give the id of the API key that a request came with, not the key; empty where the gateway asks for none."""
    identity = (event.get("requestContext") or {}).get("identity") or {}
    return str(identity.get("apiKeyId") or "")


def base_path(event: Mapping[str, Any]) -> str:
    """Give what stands before the route's path in the caller's URL: the stage, such as ``/prod``, or nothing.

    With a custom domain the stage is not part of the URL, and ``requestContext.path`` says so.
    """
    full = str((event.get("requestContext") or {}).get("path") or "")
    path = str(event["path"])
    return full[: -len(path)] if path and full.endswith(path) else ""


def _with_body(event: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Hand the checked body on: plain text, and a media type that Powertools reads as JSON in any case."""
    headers = {k: v for k, v in (event.get("headers") or {}).items() if k.lower() != "content-type"}
    return {
        **event,
        "headers": {**headers, "Content-Type": "application/json"},
        "body": text,
        "isBase64Encoded": False,
    }


def _instance(event: Mapping[str, Any]) -> str:
    return quote(str(event["path"]), safe="/-._~!$&'()*+,;=:@", errors="replace")


def _problem_response(error: TrendingError, event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer an error met before the resolver took over, in the resolver's own form."""
    return {
        "statusCode": error.status,
        "body": problem_body(error, instance=_instance(event), request_id=request_id(event)),
        "isBase64Encoded": False,
        "multiValueHeaders": {
            name: [value] for name, value in {**error.headers, "Content-Type": PROBLEM_JSON}.items()
        },
    }


def _record(
    route: str,
    response: Mapping[str, Any],
    *,
    milliseconds: float,
    event: Mapping[str, Any],
    context: LambdaContext,
) -> None:
    """Write the request's log line and flush its metrics, those that the route added included."""
    status = int(response["statusCode"])
    metrics = get_metrics()
    metrics.add_dimension(name="route", value=route)
    metrics.add_metric(name="Latency", unit=MetricUnit.Milliseconds, value=round(milliseconds, 3))
    metrics.add_metric(name="ClientErrors", unit=MetricUnit.Count, value=int(400 <= status < 500))  # noqa: PLR2004
    metrics.add_metric(name="ServerErrors", unit=MetricUnit.Count, value=int(status >= 500))  # noqa: PLR2004
    metrics.add_metadata(key="request_id", value=request_id(event))
    metrics.add_metadata(key="function_version", value=context.function_version)
    metrics.flush_metrics()
    if status >= 500:  # noqa: PLR2004
        count_failed_answer(context.function_name, context.function_version)
    get_logger().info("request", route=route, status=status, latency_ms=round(milliseconds, 3))

"""The application's frame, with small routes of its own."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from pydantic import BaseModel

from tests.support.gateway import REQUEST_ID, Answer, Context, proxy_event, read
from trending_core.errors import Conflict, TooManyRequests
from trending_core.http import App, base_path, handle, make_app
from trending_core.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "what nobody may read"


class Thing(BaseModel):
    size: int


@pytest.fixture(scope="module")
def app() -> App:
    app = make_app()

    @app.get("/things/<thing_id>")
    def get_thing(thing_id: str, depth: Annotated[int, Query(le=3)] = 1) -> dict[str, Any]:
        return {"id": thing_id, "depth": depth}

    @app.put("/things/<thing_id>")
    def put_thing(thing_id: str, thing: Annotated[Thing, Body()]) -> Thing:
        return thing

    @app.get("/crash")
    def crash() -> dict[str, str]:
        raise RuntimeError(SECRET)

    @app.get("/wrong")
    def wrong() -> Thing:
        return {"size": SECRET}  # type: ignore[return-value]  # the point

    @app.get("/conflict")
    def conflict() -> dict[str, str]:
        message = "Changed meanwhile."
        raise Conflict(message)

    @app.get("/busy")
    def busy() -> dict[str, str]:
        message = "Slow down."
        raise TooManyRequests(message, retry_after_s=7)

    @app.get("/page")
    def page() -> Response[str]:
        return Response(status_code=200, content_type="text/html", body="<p>")

    app.prepare()
    return app


def ask(
    app: App, method: str, path: str, body: str | None = None, query: dict[str, str] | None = None
) -> Answer:
    event = proxy_event(method, path, body)
    event["queryStringParameters"] = query
    event["multiValueQueryStringParameters"] = query and {name: [value] for name, value in query.items()}
    return read(handle(app, event, Context(), max_body_bytes=100))  # type: ignore[arg-type]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = get_logger().registered_handler
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(stream)
    yield stream
    handler.setStream(before)


def test_parameters_reach_the_route(app: App) -> None:
    assert ask(app, "GET", "/things/a", query={"depth": "2"}).body == {"id": "a", "depth": 2}


def test_a_wrong_parameter_is_named_without_its_place(app: App) -> None:
    answer = ask(app, "GET", "/things/a", query={"depth": "4"})
    assert answer.status == 422
    assert answer.body["errors"] == [{"field": "depth", "reason": "must be at most 3"}]


def test_a_body_is_read_only_where_a_route_takes_one(app: App) -> None:
    assert ask(app, "GET", "/things/a", body="not JSON").status == 200
    assert ask(app, "PUT", "/things/a", body="not JSON").status == 400


def test_the_limit_is_the_callers(app: App) -> None:
    assert ask(app, "PUT", "/things/a", body=json.dumps({"size": 1})).status == 200
    assert ask(app, "PUT", "/things/a", body=json.dumps({"size": 1, "pad": "x" * 100})).status == 413


def test_another_method_names_all_that_there_are(app: App) -> None:
    answer = ask(app, "PATCH", "/things/a")
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, PUT"


def test_an_unforeseen_error_is_500_and_says_nothing(app: App, log: io.StringIO) -> None:
    answer = ask(app, "GET", "/crash")
    assert answer.status == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["request_id"] == REQUEST_ID
    assert SECRET not in answer.text
    assert "RuntimeError" not in answer.text
    line = next(line for line in map(json.loads, log.getvalue().splitlines()) if line["level"] == "ERROR")
    assert line["correlation_id"] == REQUEST_ID
    assert "builtins.RuntimeError" in line["error_places"]
    assert any(place.endswith(" crash") for place in line["error_places"])
    assert SECRET not in log.getvalue()


def test_a_response_that_breaks_its_schema_is_500_never_4xx(app: App, log: io.StringIO) -> None:
    answer = ask(app, "GET", "/wrong")
    assert answer.status == 500
    assert answer.body["errors"] == []
    assert SECRET not in answer.text + log.getvalue()


def test_an_error_of_the_tree_is_answered_with_its_status_and_headers(app: App) -> None:
    assert ask(app, "GET", "/conflict").status == 409
    busy = ask(app, "GET", "/busy")
    assert (busy.status, busy.headers["retry-after"], busy.body["detail"]) == (429, "7", "Slow down.")


def test_a_response_of_another_type_passes(app: App) -> None:
    answer = ask(app, "GET", "/page")
    assert (answer.status, answer.text, answer.headers["content-type"]) == (200, "<p>", "text/html")


@pytest.mark.parametrize(
    ("method", "path", "route", "client", "server"),
    [
        ("GET", "/things/a", "GET /things/{thing_id}", 0, 0),
        ("GET", "/crash", "GET /crash", 0, 1),
        ("GET", "/nope", "unmatched", 1, 0),
    ],
)
def test_every_request_leaves_one_metric_blob_and_one_log_line(
    app: App,
    log: io.StringIO,
    capsys: pytest.CaptureFixture[str],
    method: str,
    path: str,
    route: str,
    client: int,
    server: int,
) -> None:
    status = ask(app, method, path).status
    blob, *failed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    # A 5xx answer is counted once more, by version: Lambda itself takes it for a success.
    assert [(one["FailedAnswers"], one["function_version"]) for one in failed] == [([1], "7")] * server
    (directive,) = blob["_aws"]["CloudWatchMetrics"]
    assert isinstance(blob["_aws"]["Timestamp"], int)
    for metric in directive["Metrics"]:
        assert all(isinstance(value, int | float) for value in blob[metric["Name"]])
    for dimensions in directive["Dimensions"]:
        assert all(isinstance(blob[name], str) for name in dimensions)
    assert blob["route"] == route
    assert (blob["ClientErrors"], blob["ServerErrors"]) == ([client], [server])
    assert blob["Latency"][0] > 0
    assert blob["request_id"] == REQUEST_ID
    line = [entry for entry in map(json.loads, log.getvalue().splitlines()) if entry["level"] == "INFO"][-1]
    assert (line["route"], line["status"], line["correlation_id"]) == (route, status, REQUEST_ID)


@pytest.mark.parametrize(
    ("full", "path", "base"),
    [
        ("/prod/docs", "/docs", "/prod"),
        ("/docs", "/docs", ""),
        ("/v1/api/docs", "/docs", "/v1/api"),
        ("", "/docs", ""),
    ],
)
def test_the_base_path_is_what_stands_before_the_route(full: str, path: str, base: str) -> None:
    assert base_path({"path": path, "requestContext": {"path": full}}) == base

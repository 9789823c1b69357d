"""The gateway over real HTTP, in front of real environments: contract, limits, failures, and nothing lost."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from cdk.local.gateway import VERSION_HEADER
from cdk.service import Api, Rollout, Warmup
from tests.support.local import PATIENCE_S, Running, a_function, a_service, eventually, serving
from trending_core.http import caller_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROBLEM = {"type", "title", "status", "detail", "instance", "request_id", "errors"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    spec = a_service(api=Api(origins=("https://app.example",)))
    with serving(spec, tmp_path_factory.mktemp("data")) as service:
        yield service


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=PATIENCE_S) as opened:
        yield opened


def assert_problem(response: httpx.Response, status: int, title: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert set(body) == PROBLEM
    assert body["status"] == status
    assert body["title"] == title
    assert body["request_id"] == response.headers["x-request-id"] == response.headers["x-amzn-requestid"]
    assert "Traceback" not in response.text
    return body


def test_request_arrives_as_a_proxy_event(client: httpx.Client) -> None:
    response = client.post(
        "/echo?a=1&a=2&empty=&name=J%C3%BCrgen%20B",
        content="plot: 🎬\u0000".encode(),
        headers=[("X-Twice", "1"), ("X-Twice", "2"), ("Content-Type", "text/plain")],
    )
    assert response.status_code == 200
    assert response.headers[VERSION_HEADER] == "echo:1"
    event = response.json()["event"]
    assert event["resource"] == event["path"] == "/echo"
    assert event["httpMethod"] == "POST"
    assert event["queryStringParameters"] == {"a": "2", "empty": "", "name": "Jürgen B"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "empty": [""], "name": ["Jürgen B"]}
    assert event["multiValueHeaders"]["X-Twice"] == ["1", "2"]
    assert event["pathParameters"] is None
    assert event["body"] == "plot: 🎬\u0000"
    assert event["isBase64Encoded"] is False
    assert event["requestContext"]["requestId"] == response.headers["x-amzn-requestid"]
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"


def test_invalid_utf8_is_replaced_and_path_parameters_are_decoded(client: httpx.Client) -> None:
    event = client.post("/echo", content=b"a\xff\xfeb").json()["event"]
    assert (event["body"], event["isBase64Encoded"]) == ("a\ufffd\ufffdb", False)
    event = client.get("/items/caf%C3%A9%20%23").json()["event"]
    assert event["pathParameters"] == {"item_id": "café #"}
    assert event["path"] == "/items/café #"
    assert event["resource"] == "/items/{item_id}"


def test_answers_of_every_form(client: httpx.Client) -> None:
    binary = client.get("/echo?do=binary")
    assert (binary.content, binary.headers["content-type"]) == (b"\x00\x01\x02\xff", "a/b")
    cookies = client.get("/echo?do=cookies")
    assert cookies.status_code == 204
    assert cookies.headers.get_list("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize("do", ["malformed", "text", "raise", "exit"])
def test_a_failed_function_is_502_and_the_next_request_is_served(
    client: httpx.Client, running: Running, do: str
) -> None:
    failed = client.get(f"/echo?do={do}")
    body = assert_problem(failed, 502, "Upstream failed")
    assert failed.headers[VERSION_HEADER] == "echo:1"
    assert body["request_id"] in body["detail"] or "log" in body["detail"]
    assert client.get("/echo").status_code == 200


def test_a_defect_behind_the_body_is_not_the_client_s_fault(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: bytes) -> None:
        message = "a defect"
        raise ValueError(message)

    with monkeypatch.context() as patch:
        patch.setattr("cdk.local.gateway.parse_proxy_response", fails)
        assert_problem(client.get("/echo"), 500, "Internal server error")
    assert "ValueError: a defect" in caplog.text
    assert client.get("/echo").status_code == 200


def test_a_function_that_takes_too_long_is_502_and_others_are_served_again(tmp_path: Path) -> None:
    hasty = a_function(timeout_s=1, rollout=Rollout(max_p99_ms=900))
    with serving(a_service(hasty), tmp_path / "data") as running:
        failed = httpx.get(f"{running.url}/echo?do=sleep&seconds=600", timeout=PATIENCE_S)
        assert_problem(failed, 502, "Upstream failed")
        assert "Task timed out after 1.00 seconds" in running.lines.text
        # On a busy machine this one may be too late for its second as well.
        assert eventually(lambda: httpx.get(f"{running.url}/echo", timeout=PATIENCE_S).status_code == 200)


def test_kill_of_an_environment_during_a_request(tmp_path: Path) -> None:
    with serving(a_service(a_function(reserved_concurrency=1)), tmp_path / "data") as running:
        (function,) = running.service.functions
        (environment,) = function.versions["1"].environments

        def kill() -> None:
            assert eventually(lambda: "sleeping" in running.lines.text)
            os.kill(environment.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        failed = httpx.get(f"{running.url}/echo?do=sleep&seconds=600", timeout=PATIENCE_S)
        killer.join()
        assert_problem(failed, 502, "Upstream failed")
        served = httpx.get(f"{running.url}/echo", timeout=PATIENCE_S)
        assert served.json()["pid"] != environment.pid


def test_the_gateway_s_own_limit_is_504(tmp_path: Path) -> None:
    with serving(a_service(), tmp_path / "data") as running:
        running.service.gateway._timeout_s = 0.2
        hold = tmp_path / "hold"
        hold.touch()
        response = httpx.get(f"{running.url}/echo?do=hold&file={hold}", timeout=PATIENCE_S)
        assert_problem(response, 504, "Upstream timed out")
        # As on AWS the function itself goes on and ends well.
        hold.unlink()
        (function,) = running.service.functions
        assert eventually(lambda: function.versions["1"].metrics.invocations == 1)
        assert function.versions["1"].metrics.errors == 0


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_wrong_method_is_405_and_names_the_right_ones(client: httpx.Client, method: str) -> None:
    response = client.request(method, "/echo")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("path", ["/", "/nope", "/echo/", "//echo", "/items/", "/items/a/b", "/%00", "/%ff"])
def test_unknown_path_is_404(client: httpx.Client, path: str) -> None:
    assert_problem(client.get(path), 404, "Not found")


def test_too_large_for_lambda_and_too_large_for_the_gateway(client: httpx.Client) -> None:
    for size, limit in ((7_000_000, "6 MB"), (11_000_000, "10 MB")):
        body = assert_problem(client.post("/echo", content=b"x" * size), 413, "Payload too large")
        assert limit in body["detail"]
    chunked = client.post("/echo", content=iter([b"x" * 1_000_000] * 12))
    assert_problem(chunked, 413, "Payload too large")
    assert client.post("/echo", content=b"x" * 5_000_000).status_code == 200
    assert client.get("/echo").status_code == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"BREW /echo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /echo HTTP/9.9\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /echo HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /echo HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 10_000 + b"\r\n\r\n", 431),
    ],
)
def test_malformed_http_gets_a_problem_and_harms_nobody(
    client: httpx.Client, running: Running, sent: bytes, status: int
) -> None:
    address = urlsplit(running.url)
    with socket.create_connection(
        (address.hostname or "", address.port or 0), timeout=PATIENCE_S
    ) as connection:
        connection.sendall(sent)
        answer = connection.makefile("rb").read()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == str(status).encode()
    assert set(json.loads(body)) == PROBLEM
    assert client.get("/echo").status_code == 200


def test_a_client_that_leaves_harms_nobody(client: httpx.Client, running: Running) -> None:
    address = urlsplit(running.url)
    for sent in (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc", b"GET /ec"):
        with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
            connection.sendall(sent)
    assert client.get("/echo").status_code == 200


def test_preflight_and_origin(client: httpx.Client) -> None:
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    preflight = client.options("/echo", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    assert set(preflight.headers["access-control-allow-methods"].split(",")) == {"OPTIONS", "GET", "POST"}
    other = client.options("/echo", headers=asked | {"Origin": "https://evil.example"})
    assert other.status_code == 405
    assert "access-control-allow-origin" not in other.headers
    error = client.get("/nope", headers={"Origin": "https://app.example"})
    assert error.headers["access-control-allow-origin"] == "https://app.example"


def test_api_keys_guard_all_but_public_routes(tmp_path: Path) -> None:
    with serving(a_service(), tmp_path / "data", api_keys=("one", "two")) as running:
        wrong: list[dict[str, Any]] = [{}, {"x-api-key": "three"}, {"x-api-key": "öne".encode()}]
        for headers in wrong:
            assert_problem(
                httpx.get(f"{running.url}/echo", headers=headers, timeout=PATIENCE_S), 403, "Forbidden"
            )
        callers = set()
        for key in ("one", "two", "one"):
            opened = httpx.get(f"{running.url}/echo", headers={"x-api-key": key}, timeout=PATIENCE_S)
            assert opened.status_code == 200
            callers.add(caller_id(opened.json()["event"]))
        assert len(callers) == 2
        assert callers.isdisjoint({"", "one", "two"})
        assert httpx.get(f"{running.url}/health", timeout=PATIENCE_S).status_code == 200


def test_throttled_requests_are_429_with_a_hint(tmp_path: Path) -> None:
    spec = a_service(a_function(reserved_concurrency=1))
    with serving(spec, tmp_path / "data") as running:
        (function,) = running.service.functions
        function.versions["1"]._queue_length = 0
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            hold = tmp_path / "hold"
            hold.touch()
            slow = executor.submit(httpx.get, f"{running.url}/echo?do=hold&file={hold}", timeout=PATIENCE_S)
            assert eventually(lambda: function.versions["1"].in_flight == 1)
            throttled = httpx.get(f"{running.url}/echo", timeout=PATIENCE_S)
            assert_problem(throttled, 429, "Too many requests")
            assert throttled.headers["retry-after"] == "1"
            hold.unlink()
            assert slow.result().status_code == 200


def test_hundreds_of_requests_over_eight_connections_lose_none(tmp_path: Path) -> None:
    with serving(a_service(), tmp_path / "data") as running:
        pids = ask_over_connections(running.url)
    assert len(pids) == 400
    assert len(set(pids)) <= max(2, os.cpu_count() or 1)


def ask_over_connections(url: str) -> list[int]:
    """Ask 50 times over each of eight connections, and give the processes that answered."""
    address = urlsplit(url)

    def ask(worker: int) -> list[int]:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE_S)
        answered = []
        for n in range(50):
            connection.request("POST", "/echo", body=f"{worker}-{n}")
            response = connection.getresponse()
            body = json.loads(response.read())
            assert response.status == 200
            assert body["event"]["body"] == f"{worker}-{n}"
            answered.append(body["pid"])
        connection.close()
        return answered

    with concurrent.futures.ThreadPoolExecutor(8) as executor:
        return [pid for answered in executor.map(ask, range(8)) for pid in answered]


def test_failed_init_on_demand_is_502(tmp_path: Path) -> None:
    spec = a_service(a_function("bad_init.handler", warmup=Warmup()))
    with serving(spec, tmp_path / "data") as running:
        assert_problem(httpx.get(f"{running.url}/echo", timeout=PATIENCE_S), 502, "Upstream failed")
        sentence = "function echo:1 failed to initialise: RuntimeError: model folder /opt/models/x is missing"
        assert sentence in running.lines.text

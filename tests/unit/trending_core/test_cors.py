from __future__ import annotations

from typing import Any

import pytest

from tests.support.gateway import Context, proxy_event
from trending_core.cors import VARIABLE, origin_headers
from trending_core.http import handle, make_app
from trending_core.telemetry import get_metrics

PAGE = "https://page.example"


@pytest.mark.parametrize(
    ("allowed", "origin", "headers"),
    [
        ("", PAGE, {}),
        (PAGE, None, {"Vary": ["Origin"]}),
        (PAGE, "https://other.example", {"Vary": ["Origin"]}),
        (PAGE, f"{PAGE}.other.example", {"Vary": ["Origin"]}),
        (f"https://a.example,{PAGE}", PAGE, {"Vary": ["Origin"], "Access-Control-Allow-Origin": [PAGE]}),
        ("*", PAGE, {"Access-Control-Allow-Origin": ["*"]}),
    ],
)
@pytest.mark.parametrize("name", ["Origin", "origin"])
def test_only_an_allowed_origin_may_read_the_answer(
    monkeypatch: pytest.MonkeyPatch,
    allowed: str,
    origin: str | None,
    headers: dict[str, list[str]],
    name: str,
) -> None:
    monkeypatch.setenv(VARIABLE, allowed)
    found = origin_headers({"headers": {} if origin is None else {name: origin}})
    exposed = found.pop("Access-Control-Expose-Headers", None)
    assert found == headers
    assert (exposed is not None) is ("Access-Control-Allow-Origin" in headers)


def test_without_headers_there_is_no_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, PAGE)
    assert origin_headers({"headers": None}) == {"Vary": ["Origin"]}


@pytest.mark.parametrize(("path", "status"), [("/things", 200), ("/nowhere", 404)])
def test_an_answer_and_an_error_can_both_be_read_by_the_page(
    monkeypatch: pytest.MonkeyPatch, path: str, status: int
) -> None:
    monkeypatch.setenv(VARIABLE, PAGE)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "any")
    get_metrics.cache_clear()
    app = make_app()

    @app.get("/things")
    def things() -> dict[str, str]:
        return {}

    event = proxy_event("GET", path)
    event["headers"]["origin"] = PAGE
    context: Any = Context()
    answer = handle(app, event, context)
    assert answer["statusCode"] == status
    assert answer["multiValueHeaders"]["Access-Control-Allow-Origin"] == [PAGE]
    get_metrics.cache_clear()

"""Routes: literal before parameter before the rest, 404 before 405."""

from __future__ import annotations

import pytest

from cdk.local.routing import Router
from cdk.service import Route
from tests.support.local import a_function, a_service
from trending_core.errors import MethodNotAllowed, NotFound

ROUTER = Router(
    a_service(
        a_function(
            name="items",
            routes=(
                Route(method="GET", path="/items/{item_id}"),
                Route(method="POST", path="/items/{item_id}/events"),
                Route(method="GET", path="/{rest+}"),
            ),
        ),
        a_function(
            name="special", routes=(Route(method="POST", path="/items/new"), Route(method="GET", path="/"))
        ),
    )
)


@pytest.mark.parametrize(
    ("method", "path", "function", "parameters"),
    [
        ("GET", "/", "special", {}),
        ("POST", "/items/new", "special", {}),
        ("GET", "/items/7", "items", {"item_id": "7"}),
        ("GET", "/items/a b\nc", "items", {"item_id": "a b\nc"}),
        ("POST", "/items/7/events", "items", {"item_id": "7"}),
        ("GET", "/a/b/c", "items", {"rest": "a/b/c"}),
    ],
)
def test_most_specific_route_wins(method: str, path: str, function: str, parameters: dict[str, str]) -> None:
    target = ROUTER.resolve(method, path)
    assert (target.function, target.parameters) == (function, parameters)


def test_wrong_method_names_the_methods_of_that_resource() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTER.resolve("DELETE", "/items/7")
    assert caught.value.headers["Allow"] == "GET"
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTER.resolve("GET", "/items/new")
    assert caught.value.headers["Allow"] == "POST"


def test_dots_in_a_route_are_literal() -> None:
    router = Router(a_service(a_function(routes=(Route(method="GET", path="/openapi.json"),))))
    assert router.resolve("GET", "/openapi.json").function == "echo"
    for path in ("/openapi-json", "/openapi.json/", "/openapi.json\n", "*", ""):
        with pytest.raises(NotFound):
            router.resolve("GET", path)

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from cdk.service import service
from functions import openapi
from tests.support.openapi import document, validator
from trending_core.cors import EXPOSED


def test_the_committed_document_is_what_the_code_says() -> None:
    assert openapi.DOCUMENT.read_text(encoding="utf-8") == openapi.render(), "run: make openapi"


def test_the_document_is_the_same_each_time() -> None:
    assert openapi.render() == openapi.render()


def test_every_documented_route_is_deployed() -> None:
    documented = {
        (method.upper(), path) for path, operations in document()["paths"].items() for method in operations
    }
    deployed = {(r.method, r.path) for function in service("production").functions for r in function.routes}
    assert documented
    assert documented <= deployed


def test_every_error_is_a_problem() -> None:
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            errors = {s: r for s, r in operation["responses"].items() if int(s) >= 400}
            assert "500" in errors, f"{method} {path}"
            for response in errors.values():
                assert response["content"] == {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                }


def test_what_takes_a_body_documents_how_it_is_refused() -> None:
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            if "requestBody" in operation:
                assert {"400", "413", "415", "422"} <= operation["responses"].keys(), f"{method} {path}"


@pytest.mark.parametrize("name", sorted(document()["components"]["schemas"]))
def test_every_schema_is_valid_and_so_are_its_examples(name: str) -> None:
    schema = document()["components"]["schemas"][name]
    Draft202012Validator.check_schema(schema)
    for example in schema.get("examples", []):
        validator(schema).validate(example)


def test_nothing_points_nowhere() -> None:
    names = set(document()["components"]["schemas"])
    text = json.dumps(document())
    used = {part.split('"', 1)[0] for part in text.split('"#/components/schemas/')[1:]}
    assert used <= names
    assert names <= used | {"Problem"}


def test_two_functions_cannot_hold_one_route(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = openapi.applications() * 2
    monkeypatch.setattr(openapi, "applications", lambda: twice)
    with pytest.raises(openapi.MergeError, match="post is defined by two functions"):
        openapi.build_document()


def test_what_needs_a_key_somewhere_says_so_and_how_it_is_refused() -> None:
    (scheme,) = document()["components"]["securitySchemes"].items()
    assert scheme[0] == openapi.API_KEY
    assert (scheme[1]["type"], scheme[1]["in"], scheme[1]["name"]) == ("apiKey", "header", "x-api-key")
    routes = [route for function in service("production").functions for route in function.routes]
    public = {(route.method.lower(), route.path) for route in routes if route.public}
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            keyed = (method, path) not in public
            assert ("security" in operation) is keyed, f"{method} {path}"
            assert ("403" in operation["responses"]) is keyed, f"{method} {path}"
            assert "429" in operation["responses"], f"{method} {path}"


def test_no_default_breaks_its_own_schema() -> None:
    for name, schema in document()["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            if "default" in described:
                assert validator(described).is_valid(described["default"]), f"{name}.{field}"


def test_headers_that_a_caller_acts_on_are_documented_and_readable_by_a_page() -> None:
    documented = {
        name.lower()
        for operations in document()["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
        for name in response.get("headers", {})
    }
    assert documented == {"location", "preference-applied", "retry-after"}
    assert documented < set(EXPOSED)

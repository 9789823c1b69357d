from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk.constructs.schemas import DRAFT_4, SchemaError, request_schema


def document(schema: object, **components: object) -> dict[str, object]:
    body = {"requestBody": {"content": {"application/json": {"schema": schema}}}}
    return {"paths": {"/classify": {"post": body}}, "components": {"schemas": components}}


def test_references_become_definitions_however_deep() -> None:
    schema = request_schema(
        document(
            {"oneOf": [{"$ref": "#/components/schemas/One"}, {"type": "null"}]},
            One={"type": "object", "properties": {"two": {"$ref": "#/components/schemas/Two"}}},
            Two={"type": "array", "items": {"$ref": "#/components/schemas/One"}},
            Unused={"type": "string"},
        ),
        "POST",
        "/classify",
    )
    assert schema == {
        "$schema": DRAFT_4,
        "title": "POST /classify",
        "oneOf": [{"$ref": "#/definitions/One"}, {"type": "null"}],
        "definitions": {
            "One": {"type": "object", "properties": {"two": {"$ref": "#/definitions/Two"}}},
            "Two": {"type": "array", "items": {"$ref": "#/definitions/One"}},
        },
    }


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = request_schema(
        document(
            {"type": "object", "properties": {"title": {"type": "string", "title": "Title"}, "const": True}}
        ),
        "POST",
        "/classify",
    )
    assert schema is not None
    assert schema["properties"] == {"title": {"type": "string"}, "const": True}


def test_what_draft_4_does_not_know_is_left_out_or_rewritten() -> None:
    schema = request_schema(
        document({"const": "bert", "default": "bert", "examples": ["bert"], "contentEncoding": "x"}),
        "POST",
        "/classify",
    )
    assert schema == {"$schema": DRAFT_4, "title": "POST /classify", "enum": ["bert"]}


@given(
    minimum=st.none() | st.integers(-3, 3),
    exclusive=st.none() | st.integers(-3, 3),
    value=st.integers(-5, 5),
)
def test_bounds_let_through_the_same_numbers(minimum: int | None, exclusive: int | None, value: int) -> None:
    given_schema: dict[str, object] = {"type": "integer"}
    if minimum is not None:
        given_schema["minimum"] = minimum
    if exclusive is not None:
        given_schema["exclusiveMinimum"] = exclusive
    schema = request_schema(document(given_schema), "POST", "/classify")
    assert schema is not None
    modern = (minimum is None or value >= minimum) and (exclusive is None or value > exclusive)
    bound = schema.get("minimum")
    strict = schema.get("exclusiveMinimum", False)
    old = bound is None or (value > bound if strict else value >= bound)
    assert strict in {True, False}
    assert old == modern


def test_a_route_without_a_body_has_no_schema() -> None:
    assert request_schema(document({"type": "object"}), "GET", "/classify") is None
    assert request_schema({}, "POST", "/classify") is None


def test_a_reference_into_nothing_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"^POST /classify: the OpenAPI document has no schema 'Gone'$"):
        request_schema(document({"$ref": "#/components/schemas/Gone"}), "POST", "/classify")
    with pytest.raises(SchemaError, match=r"does not lead into the document's components$"):
        request_schema(document({"$ref": "https://example.com/schema"}), "POST", "/classify")

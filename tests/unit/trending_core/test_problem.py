from __future__ import annotations

import json

from aws_lambda_powertools.event_handler.openapi.exceptions import ResponseValidationError

from trending_core.errors import (
    Conflict,
    FieldError,
    InProgress,
    InternalError,
    InvalidInput,
    NotFound,
    SettingsError,
)
from trending_core.problem import invalid_input, problem_body, problem_responses, to_trending_error


def test_the_body_has_the_members_of_rfc_9457() -> None:
    error = Conflict("The item was changed meanwhile.", errors=[FieldError("version", "must be 4")])
    assert json.loads(problem_body(error, instance="/items/1", request_id="r-1")) == {
        "type": "tag:trending-now,2026:conflict",
        "title": "Conflict",
        "status": 409,
        "detail": "The item was changed meanwhile.",
        "instance": "/items/1",
        "request_id": "r-1",
        "errors": [{"field": "version", "reason": "must be 4"}],
    }


def test_an_error_of_ours_stays_what_it_is() -> None:
    error = NotFound("Nothing here.")
    assert to_trending_error(error) is error


def test_everything_else_is_internal_and_keeps_its_words_to_itself() -> None:
    for error in (
        ValueError("secret"),
        ResponseValidationError([{"loc": ("response",), "type": "missing", "msg": "secret"}]),
        RecursionError("secret"),
        SettingsError("setting SECRET_ARN is required: secret"),
    ):
        answer = to_trending_error(error)
        assert isinstance(answer, InternalError)
        assert "secret" not in answer.detail


def test_the_detail_names_the_first_field_and_counts_the_others() -> None:
    one = FieldError("text", "is required")
    assert invalid_input([one]).detail == "The request does not fit the schema: text is required."
    assert invalid_input([one, one]).detail.endswith("text is required (and 1 more fault).")
    assert invalid_input([one] * 30).detail.endswith("(and 29 more faults).")
    assert len(invalid_input([one] * 30).errors) == 20


def test_documented_errors_are_problems() -> None:
    responses = problem_responses(InvalidInput)
    assert list(responses) == [422]
    assert list(responses[422]["content"]) == ["application/problem+json"]


def test_errors_of_one_status_are_documented_together() -> None:
    both = problem_responses(Conflict, InProgress)
    assert list(both) == [409]
    assert "Conflict: " in both[409]["description"]
    assert "In progress: " in both[409]["description"]
    assert list(both[409]["headers"]) == ["Retry-After"]
    assert "headers" not in problem_responses(Conflict)[409]

"""Every error's answer: RFC 9457, ``application/problem+json``.

This is the one place that turns an exception into a body, and the one that documents it in OpenAPI. It must not
know Lambda or routes.

https://www.rfc-editor.org/rfc/rfc9457
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field

from trending_core.errors import (
    FieldError,
    InternalError,
    InvalidInput,
    RequestError,
    ServiceError,
    TrendingError,
)
from trending_core.wording import field_path, reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROBLEM_JSON: Final = "application/problem+json"
MAX_ERRORS: Final = 20
"""Fields named in one answer; a caller who sends a million unknown fields gets the first ones."""


class FieldProblem(BaseModel):
    """One field of the request and what is wrong with it."""

    field: str = Field(
        description="Path of the field, such as `items[3].text`; empty for the body as a whole."
    )
    reason: str = Field(description="What is wrong with it, in plain words.")


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    model_config = ConfigDict(
        title="Problem",
        json_schema_extra={
            "examples": [
                {
                    "type": "tag:trending-now,2026:invalid-input",
                    "title": "Invalid input",
                    "status": 422,
                    "detail": "The request does not fit the schema: text is required.",
                    "instance": "/classify",
                    "request_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
                    "errors": [{"field": "text", "reason": "is required"}],
                }
            ]
        },
    )

    type: str = Field(description="Identifier of the kind of problem; the same for every occurrence.")
    title: str = Field(description="The kind of problem in a few words.")
    status: int = Field(ge=400, le=599, description="The HTTP status.")
    detail: str = Field(description="One sentence on this occurrence.")
    instance: str = Field(description="The path that was asked for.")
    request_id: str = Field(description="Also in the header `X-Request-Id`; the logs can be searched for it.")
    errors: list[FieldProblem] = Field(description="The fields concerned; empty where no field is.")


def problem_type(error: type[TrendingError]) -> str:
    """Give the identifier of a kind of problem: a tag URI (RFC 4151), since there is no page to point to."""
    return f"tag:trending-now,2026:{error.slug}"


def to_trending_error(error: Exception) -> TrendingError:
    """Sort any exception into the project's tree.

    A request that the schema refuses is `InvalidInput`. Everything else is `InternalError`: what is unknown, a wrong setting,
    and a response that breaks its own schema, which is a defect of the service and never the caller's.
    """
    if isinstance(error, RequestError | ServiceError):
        return error
    if isinstance(error, RequestValidationError):
        return invalid_input([_field_error(fault) for fault in error.errors()])
    return InternalError()


def invalid_input(errors: list[FieldError]) -> InvalidInput:
    """Make the 422 for these fields, its detail naming the first one."""
    first = errors[0]
    more = len(errors) - 1
    also = f" (and {more} more {'fault' if more == 1 else 'faults'})" if more else ""
    return InvalidInput(
        f"The request does not fit the schema: {first.field or 'the body'} {first.reason}{also}.",
        errors=errors[:MAX_ERRORS],
    )


def problem_body(error: TrendingError, *, instance: str, request_id: str) -> str:
    """Write the answer's body, as JSON.

    Parameters
    ----------
    error : TrendingError
        What happened.
    instance : str
        The path that was asked for.
    request_id : str
        The id the caller can quote.
    """
    return Problem(
        type=problem_type(type(error)),
        title=error.title,
        status=error.status,
        detail=error.detail,
        instance=instance,
        request_id=request_id,
        errors=[FieldProblem(field=fault.field, reason=fault.reason) for fault in error.errors],
    ).model_dump_json()


def problem_responses(*errors: type[TrendingError]) -> dict[int, Any]:
    """Document these errors in OpenAPI, for a route's ``responses``; those of one status together.

    Examples
    --------
    >>> sorted(problem_responses(InvalidInput, InternalError))
    [422, 500]
    """
    kinds: dict[int, list[type[TrendingError]]] = {}
    for error in errors:
        kinds.setdefault(error.status, []).append(error)
    return {status: _documented(same) for status, same in kinds.items()}


def _documented(errors: Sequence[type[TrendingError]]) -> Mapping[str, Any]:
    documented: dict[str, Any] = {
        "description": " ".join(f"{error.title}: {_first_sentence(error)}" for error in errors),
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if any(error.may_retry for error in errors):
        when = "When to ask again, in seconds, where that is known."
        documented["headers"] = {"Retry-After": {"description": when, "schema": {"type": "integer"}}}
    return documented


def _first_sentence(error: type[TrendingError]) -> str:
    sentence = (error.__doc__ or "").split("\n", 1)[0]
    return sentence[:1].lower() + sentence[1:]


def _field_error(fault: Mapping[str, Any]) -> FieldError:
    """Translate one fault that Powertools hands on from pydantic; its location begins with ``body`` or ``query``."""
    loc = tuple(fault["loc"])
    return FieldError(field=field_path(loc[1:]), reason=reason(fault))

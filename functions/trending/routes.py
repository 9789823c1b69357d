"""The trending function's routes: parse, call, answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from functions.trending.schemas import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    EventAnswer,
    EventRequest,
    ItemDetail,
    TrendingAnswer,
    WindowName,
)
from trending_core.cursor import MAX_LENGTH
from trending_core.errors import (
    Conflict,
    InternalError,
    InvalidInput,
    MalformedRequest,
    NotFound,
    PayloadTooLarge,
    Unavailable,
    UnsupportedMediaType,
)
from trending_core.genres import GENRES
from trending_core.http import App, make_app
from trending_core.models import MAX_TAG, ItemId
from trending_core.problem import problem_responses

if TYPE_CHECKING:
    from functions.trending.service import TrendingService


def build_app(service: TrendingService) -> App:
    """Make the function's HTTP application."""
    app = make_app()

    @app.get(
        "/items/<item_id>",
        operation_id="getItem",
        summary="An item with what happened to it",
        tags=["items"],
        responses={
            200: {"description": "The item", "content": {"application/json": {"model": ItemDetail}}},
            **problem_responses(NotFound, InvalidInput, InternalError, Unavailable),
        },
    )
    def item(item_id: Annotated[ItemId, Path()]) -> ItemDetail:
        return service.item(item_id)

    @app.post(
        "/items/<item_id>/events",
        operation_id="recordEvent",
        summary="Count an event",
        description=(
            "It counts at the time it arrives. The same `event_id` counts once an item, within 30 days; "
            "sending it again is safe."
        ),
        tags=["items"],
        responses={
            200: {
                "description": "What became of it",
                "content": {"application/json": {"model": EventAnswer}},
            },
            **problem_responses(
                MalformedRequest,
                NotFound,
                Conflict,
                PayloadTooLarge,
                UnsupportedMediaType,
                InvalidInput,
                InternalError,
                Unavailable,
            ),
        },
    )
    def record(item_id: Annotated[ItemId, Path()], request: Annotated[EventRequest, Body()]) -> EventAnswer:
        return service.record(item_id, request)

    @app.get(
        "/trending",
        operation_id="trending",
        summary="What is trending now",
        description=(
            "Items by the decayed sum of their events, of all items, of one genre's or of one tag's. A cursor holds its "
            "place while scores move: no item comes twice, and none that did not move is left out."
        ),
        tags=["trending"],
        responses={
            200: {"description": "One page", "content": {"application/json": {"model": TrendingAnswer}}},
            **problem_responses(InvalidInput, InternalError, Unavailable),
        },
    )
    def trending(
        genre: Annotated[
            str | None,
            Query(
                description="One genre's ranking. Not together with `tag`.",
                json_schema_extra={"enum": list(GENRES)},
            ),
        ] = None,
        tag: Annotated[
            str | None,
            Query(
                min_length=1,
                max_length=4 * MAX_TAG,
                description="One tag's ranking. Not together with `genre`: both are a 422.",
            ),
        ] = None,
        window: Annotated[
            WindowName, Query(description="How long an event counts: half after a day or a week.")
        ] = "day",
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
        cursor: Annotated[
            str | None, Query(min_length=1, max_length=MAX_LENGTH, description="`next` of the page before.")
        ] = None,
    ) -> TrendingAnswer:
        return service.trending(genre=genre, tag=tag, window=window, limit=limit, cursor=cursor)

    return app

"""The enrichment function's route: parse, call, answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header

from functions.enrichment.schemas import EnrichRequest  # noqa: TC001 -- Powertools reads it
from functions.enrichment.service import Order
from trending_core.errors import (
    Conflict,
    InProgress,
    InternalError,
    InvalidInput,
    MalformedRequest,
    PayloadTooLarge,
    Unavailable,
    UnsupportedMediaType,
    UpstreamFailed,
    UpstreamTimeout,
)
from trending_core.http import App, base_path, caller_id, make_app
from trending_core.models import Status
from trending_core.problem import problem_responses
from trending_core.views import StoredItem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponseHeader

    from functions.enrichment.service import EnrichmentService
    from trending_core.models import Item

RESPOND_ASYNC: Final = "respond-async"
"""https://www.rfc-editor.org/rfc/rfc7240#section-4.1"""
_HEADERS: Final[dict[str, OpenAPIResponseHeader]] = {
    "Location": {"description": "Where the item is, without a host.", "schema": {"type": "string"}},
    "Preference-Applied": {
        "description": f"`{RESPOND_ASYNC}`, where that was asked for.",
        "schema": {"type": "string"},
    },
}
_PREFERENCE: Final = re.compile(r"(?:^|,)\s*respond-async\s*(?=$|[,;])", re.IGNORECASE)


def build_app(service: EnrichmentService) -> App:
    """Make the function's HTTP application."""
    app = make_app()

    @app.post(
        "/enrich-item",
        operation_id="enrichItem",
        summary="Enrich and store an item",
        description=(
            "Genres, summary, score and tags of a title, by a language model or, without one, by the embedded "
            "enricher; `enriched_by` says which. Repeating a request is safe: it is enriched, and paid for, once."
        ),
        tags=["items"],
        responses={
            200: {
                "description": "The stored item",
                "headers": _HEADERS,
                "content": {"application/json": {"model": StoredItem}},
            },
            202: {
                "description": "Accepted for later; poll `Location`. Only where `Prefer: respond-async` queued the item",
                "headers": _HEADERS,
                "content": {"application/json": {"model": StoredItem}},
            },
            **problem_responses(
                MalformedRequest,
                Conflict,
                InProgress,
                PayloadTooLarge,
                UnsupportedMediaType,
                InvalidInput,
                InternalError,
                UpstreamFailed,
                Unavailable,
                UpstreamTimeout,
            ),
        },
    )
    def enrich_item(
        request: Annotated[EnrichRequest, Body()],
        prefer: Annotated[
            str | None, Header(alias="prefer", max_length=500, description="`respond-async` queues the item.")
        ] = None,
        idempotency_key: Annotated[
            str | None,
            Header(
                alias="idempotency-key",
                min_length=1,
                max_length=255,
                description=(
                    "Your own name for this request; for 24 hours it stands for this content only. Names of another API "
                    "key's requests never meet yours."
                ),
            ),
        ] = None,
    ) -> Response[StoredItem]:
        # One caller's key is another one than the same text of somebody else; an API key's id holds no colon.
        key = idempotency_key and f"{caller_id(app.current_event.raw_event)}:{idempotency_key}"
        order = Order(draft=request.draft(), fallback=request.fallback, idempotency_key=key)
        remaining_ms = app.lambda_context.get_remaining_time_in_millis
        if not _PREFERENCE.search(prefer or ""):
            return answer(service.enrich(order, remaining_ms=remaining_ms))
        return answer(service.submit(order, remaining_ms=remaining_ms), {"Preference-Applied": RESPOND_ASYNC})

    def answer(item: Item, headers: Mapping[str, str] | None = None) -> Response[StoredItem]:
        location = f"{base_path(app.current_event.raw_event)}/items/{item.item_id}"
        return Response(
            202 if item.status is Status.PENDING else 200,
            "application/json",
            StoredItem.of(item),
            headers={"Location": location, **(headers or {})},
        )

    return app

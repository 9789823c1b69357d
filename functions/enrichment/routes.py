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
    InternalError,
    InvalidInput,
    MalformedRequest,
    PayloadTooLarge,
    Unavailable,
    UnsupportedMediaType,
    UpstreamFailed,
    UpstreamTimeout,
)
from trending_core.http import App, base_path, make_app
from trending_core.models import Status
from trending_core.problem import problem_responses
from trending_core.views import StoredItem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.enrichment.service import EnrichmentService
    from trending_core.models import Item

RESPOND_ASYNC: Final = "respond-async"
"""https://www.rfc-editor.org/rfc/rfc7240#section-4.1"""
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
            200: {"description": "The stored item", "content": {"application/json": {"model": StoredItem}}},
            202: {
                "description": "Accepted for later; poll `Location`. Only where `Prefer: respond-async` queued the item",
                "content": {"application/json": {"model": StoredItem}},
            },
            **problem_responses(
                MalformedRequest,
                Conflict,
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
                description="Your own name for this request; for 24 hours it stands for this content only.",
            ),
        ] = None,
    ) -> Response[StoredItem]:
        order = Order(draft=request.draft(), fallback=request.fallback, idempotency_key=idempotency_key)
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

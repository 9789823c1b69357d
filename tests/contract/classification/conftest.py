"""The whole function as API Gateway sees it: the shipped model, the real routes, raw events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.classification.routes import build_app
from functions.classification.service import Classifier
from tests.support.gateway import Answer, Context, Deliver, Send, proxy_event, read
from trending_core.http import handle

if TYPE_CHECKING:
    from genre_model import GenreModel


@pytest.fixture(scope="session")
def deliver(shipped: GenreModel) -> Deliver:
    app = build_app(Classifier({"bert": shipped}), function_version="7")

    def send(event: dict[str, Any]) -> Answer:
        return read(handle(app, event, Context()))  # type: ignore[arg-type]  # as much of a context as is read

    return send


@pytest.fixture(scope="session")
def send(deliver: Deliver) -> Send:
    def request(
        method: str,
        path: str,
        body: str | bytes | None = None,
        *,
        content_type: str | None = "application/json",
    ) -> Answer:
        return deliver(proxy_event(method, path, body, content_type=content_type))

    return request

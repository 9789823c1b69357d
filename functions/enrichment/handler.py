"""The Lambda entry point of the HTTP side: ``functions.enrichment.handler.handler``.

Importing it is the function's init: settings, prompt, prices and lexicon are read and checked, the AWS clients are made
and, where a key is configured, the model's library is imported, so that no request waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.enrichment.routes import build_app
from functions.enrichment.settings import Settings
from functions.enrichment.wiring import build_service
from trending_core.http import handle
from trending_core.settings import load_settings
from trending_core.telemetry import get_logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

settings = load_settings(Settings)
app = build_app(build_service(settings))
app.prepare()


@get_logger().inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one API Gateway REST proxy event."""
    return handle(app, event, context, max_body_bytes=settings.max_body_bytes)

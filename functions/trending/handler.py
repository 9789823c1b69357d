"""The Lambda entry point: ``functions.trending.handler.handler``.

Importing it is the function's init: settings are read, the DynamoDB client is made, every route is prepared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.trending.routes import build_app
from functions.trending.service import TrendingService
from functions.trending.settings import Settings
from trending_core.dynamo_client import connect
from trending_core.http import handle
from trending_core.settings import load_settings
from trending_core.store_dynamodb import DynamoItemStore
from trending_core.telemetry import get_logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

settings = load_settings(Settings)
app = build_app(TrendingService(DynamoItemStore(connect(), settings.items_table)))
app.prepare()


@get_logger().inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one API Gateway REST proxy event."""
    return handle(app, event, context, max_body_bytes=settings.max_body_bytes)

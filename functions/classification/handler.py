"""The Lambda entry point of the HTTP side: ``functions.classification.handler.handler``.

Importing it is the function's init: settings are read, the model is loaded and run once, every route is prepared. So
provisioned concurrency pays for all of that before the first request, and a wrong setting or artifact fails the init
with one sentence instead of every request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.classification import start_up  # before all else
from functions.classification.routes import build_app
from functions.classification.service import Classifier
from functions.classification.settings import Settings
from trending_core.http import handle
from trending_core.settings import load_settings
from trending_core.telemetry import get_logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

settings = load_settings(Settings)
app = build_app(Classifier.load(settings), function_version=settings.aws_lambda_function_version)
app.prepare()
start_up.finished()


@get_logger().inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one API Gateway REST proxy event."""
    return handle(app, event, context, max_body_bytes=settings.max_body_bytes)

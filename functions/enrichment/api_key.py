"""Where the model's API key comes from. The key travels as a `SecretStr` and never as text of an error or a log line.

Owns the reading alone; must not know what the key opens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from trending_core.errors import SettingsError
from trending_core.telemetry import get_logger

if TYPE_CHECKING:
    from functions.enrichment.settings import WorkerSettings

CACHE_S: Final = 300
"""Seconds that Powertools keeps a secret, for whoever asks again in this environment."""
NO_VALUE: Final = "ResourceNotFoundException"
"""Secrets Manager's answer for a secret without a value."""


def read_api_key(settings: WorkerSettings) -> SecretStr | None:
    """Give the key, or None where none is configured or nobody has filled the secret yet.

    A new or rotated key reaches new execution environments only: the client is made once, at init.

    Raises
    ------
    SettingsError
        If the secret cannot be read; the sentence names the variable and no value.
    """
    if settings.gemini_api_key is not None or settings.gemini_secret_arn is None:
        return settings.gemini_api_key
    # boto3's client for Secrets Manager is not needed where the key is in the environment.
    from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415 -- see above

    try:
        text = parameters.get_secret(settings.gemini_secret_arn, max_age=CACHE_S)
    except parameters.exceptions.GetParameterError as error:
        if _has_no_value(error.__context__):
            get_logger().warning("the secret that GEMINI_SECRET_ARN names has no value yet")
            return None
        message = "The secret that GEMINI_SECRET_ARN names cannot be read."
        raise SettingsError(message) from error
    key = text.strip() if isinstance(text, str) else ""
    return SecretStr(key) if key else None


def _has_no_value(cause: BaseException | None) -> bool:
    """Tell a secret without a value from one that cannot be read; Powertools hides the cause in the context."""
    if isinstance(cause, KeyError):
        return True  # an answer with neither text nor bytes, as emulators give it
    response = getattr(cause, "response", None)
    return isinstance(response, dict) and response["Error"]["Code"] == NO_VALUE

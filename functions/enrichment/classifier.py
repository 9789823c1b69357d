"""Genres from the classification function, through the Lambda Invoke API.

Owns the event it is called with and the reading of its answer. Must not know the model behind it, nor who asks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trending_core.errors import InternalError, Unavailable
from trending_core.genres import Genre  # noqa: TC001 -- pydantic reads it
from trending_core.models import GenreScore
from trending_core.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_lambda import LambdaClient

PATH: Final = "/classify"
CONNECT_TIMEOUT_S: Final = 1.0
READ_TIMEOUT_S: Final = 6.0
"""One attempt fits in the time that `functions.enrichment.enricher` keeps for the fallback, a cold start included."""
ATTEMPTS: Final = 1


class GenreClassifier(Protocol):
    """Something that knows a plot's genres."""

    def classify(self, *, title: str, text: str) -> tuple[GenreScore, ...]:
        """Give the genres above their threshold, the most probable first; the best one where none is.

        Raises
        ------
        Unavailable
            If there is no answer.
        InternalError
            If the request is refused: asking again would not help.
        """
        ...


class _Label(BaseModel):
    model_config = ConfigDict(extra="ignore")

    label: Genre
    probability: float = Field(ge=0, le=1)
    selected: bool


class _Result(BaseModel):
    model_config = ConfigDict(extra="ignore")

    genres: list[_Label] = Field(min_length=1)


class LambdaGenreClassifier:
    """A `GenreClassifier` on a Lambda function that serves ``POST /classify``.

    Parameters
    ----------
    function : str
        Its name, ARN, or either with an alias.
    client : LambdaClient or None
        One with this module's timeouts is made when None.
    """

    def __init__(self, function: str, *, client: LambdaClient | None = None) -> None:
        self._function = function
        self._client = client or _client()

    def classify(self, *, title: str, text: str) -> tuple[GenreScore, ...]:
        """Ask the function; see `GenreClassifier.classify`."""
        # At init boto3 is not needed by every request, and importing it takes a quarter of a second.
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- see above

        body = json.dumps({"title": title, "text": text})
        try:
            answer: Mapping[str, Any] = self._client.invoke(
                FunctionName=self._function, Payload=json.dumps(proxy_event(body))
            )
            payload = json.loads(answer["Payload"].read())
            status = 500 if "FunctionError" in answer else payload["statusCode"]
            if 400 <= status < 500:  # noqa: PLR2004 -- HTTP's client errors
                # What this function accepts the other one has to accept: where it does not, one of them is wrong.
                get_logger().error("the classification function refused a plot", answered=status)
                raise InternalError
            if status != 200:  # noqa: PLR2004 -- HTTP's OK
                message = "The classification function did not classify this plot; nothing was stored."
                raise Unavailable(message, retry_after_s=5)
            result = _Result.model_validate_json(payload["body"])
        except (BotoCoreError, ClientError, ValueError, KeyError, TypeError, ValidationError) as error:
            message = "The classification function cannot be reached; nothing was stored."
            raise Unavailable(message, retry_after_s=5) from error
        ranked = sorted(result.genres, key=lambda genre: -genre.probability)
        chosen = [genre for genre in ranked if genre.selected] or ranked[:1]
        return tuple(GenreScore(label=genre.label, probability=genre.probability) for genre in chosen)


def proxy_event(body: str) -> dict[str, Any]:
    """Make the event that API Gateway's REST proxy integration would send.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    return {
        "resource": PATH,
        "path": PATH,
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": PATH,
            "path": PATH,
            "httpMethod": "POST",
            "stage": "internal",
            "requestId": "enrichment",
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


def _client() -> LambdaClient:
    import boto3  # noqa: PLC0415 -- at init alone
    from botocore.config import Config  # noqa: PLC0415 -- at init alone

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    return boto3.client("lambda", config=config)

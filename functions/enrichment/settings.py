"""The enrichment function's settings, one environment variable each."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict


def _endpoint(value: str) -> str:
    host = value.removeprefix("https://").removeprefix("http://").rstrip("/")
    if not host or any(character.isspace() for character in host) or "@" in host or "?" in host:
        message = "must be a host with an optional scheme and path, such as https://proxy.example/gemini"
        raise ValueError(message)
    return value.rstrip("/")


Name = Annotated[str, StringConstraints(min_length=1, max_length=2_048)]


class WorkerSettings(BaseSettings):
    """Read once, at init, by `trending_core.settings.load_settings`; an empty variable counts as unset."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    items_table: Name
    """``ITEMS_TABLE``: where items are stored."""
    idempotency_table: Name
    """``IDEMPOTENCY_TABLE``: records of requests and paid answers; partition key ``id``, TTL ``expiration``."""
    classification_function: Name
    """``CLASSIFICATION_FUNCTION``: name or ARN of the function that gives genres without a model."""
    gemini_secret_arn: Name | None = None
    """``GEMINI_SECRET_ARN``: the Secrets Manager secret whose text is the API key; on AWS."""
    gemini_api_key: SecretStr | None = None
    """``GEMINI_API_KEY``: the key itself; on this machine, where it goes before the secret. Without a key the
    embedded enricher answers."""
    gemini_model: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,63}$")] = (
        "gemini-2.5-flash-lite"
    )
    """``GEMINI_MODEL``."""
    gemini_api_endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    """``GEMINI_API_ENDPOINT``: another host than Google's."""
    prompt_version: str = "v1"
    """``PROMPT_VERSION``: a folder under ``prompts/``."""
    llm_attempt_timeout_s: float = Field(default=12.0, ge=0.1, le=20)
    """``LLM_ATTEMPT_TIMEOUT_S``: the longest single call, in seconds."""
    queue_max_receives: int = Field(default=3, ge=1)
    """``QUEUE_MAX_RECEIVES``: deliveries before a message goes to the dead-letter queue; the deployment gives what the
    queue has."""
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, le=6 * 1024 * 1024)
    """``MAX_BODY_BYTES``: a larger request is refused with 413. Lambda's own limit is 6 MB."""


class Settings(WorkerSettings):
    """The HTTP side's, which alone puts items into the queue."""

    enrichment_queue_url: Name
    """``ENRICHMENT_QUEUE_URL``: where items wait that were sent with ``Prefer: respond-async``."""

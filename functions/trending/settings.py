"""The trending function's settings, one environment variable each."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once, at init, by `trending_core.settings.load_settings`."""

    model_config = SettingsConfigDict(frozen=True)

    items_table: str = Field(min_length=3, max_length=255, pattern=r"^[A-Za-z0-9_.-]+$")
    """``ITEMS_TABLE``: name of the items table."""
    max_body_bytes: int = Field(default=16 * 1024, ge=1024, le=6 * 1024 * 1024)
    """``MAX_BODY_BYTES``: a larger request is refused with 413. An event is a few hundred bytes."""

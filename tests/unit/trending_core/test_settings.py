from __future__ import annotations

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from trending_core.errors import SettingsError
from trending_core.settings import load_settings


class Sample(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SAMPLE_")

    table: str
    size: int = Field(default=1, ge=1)
    key: str = Field(default="", alias="SAMPLE_API_KEY", max_length=3)
    tags: list[str] = []


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_TABLE", "items")
    monkeypatch.setenv("SAMPLE_SIZE", "3")
    settings = load_settings(Sample)
    assert (settings.table, settings.size) == ("items", 3)


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^setting SAMPLE_TABLE is required$"):
        load_settings(Sample)


def test_every_wrong_variable_is_named_and_no_value_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_SIZE", "0")
    monkeypatch.setenv("SAMPLE_API_KEY", "hunter2")
    with pytest.raises(SettingsError) as caught:
        load_settings(Sample)
    assert caught.value.detail == (
        "settings SAMPLE_TABLE is required; SAMPLE_SIZE must be at least 1; "
        "SAMPLE_API_KEY must have at most 3 characters"
    )
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__, "a traceback would print pydantic's text, value included"


def test_a_list_that_is_not_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_TABLE", "items")
    monkeypatch.setenv("SAMPLE_TAGS", "hunter2")
    with pytest.raises(SettingsError, match="tags") as caught:
        load_settings(Sample)
    assert "hunter2" not in caught.value.detail

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.classification.settings import Settings
from trending_core.errors import SettingsError
from trending_core.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


def test_what_lambda_sets_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRE_MODEL_DIR", str(tmp_path))
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "3538")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "12")
    settings = load_settings(Settings)
    assert settings.genre_model_dir == tmp_path
    assert settings.genre_xgboost_model_dir is None
    assert settings.aws_lambda_function_memory_size == 3538
    assert settings.aws_lambda_function_version == "12"


def test_no_model_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENRE_MODEL_DIR", raising=False)
    with pytest.raises(SettingsError, match=r"^setting GENRE_MODEL_DIR is required$"):
        load_settings(Settings)


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRE_MODEL_DIR", str(tmp_path / "nope"))
    with pytest.raises(SettingsError, match="GENRE_MODEL_DIR must be the folder of a model artifact"):
        load_settings(Settings)


def test_the_body_limit_stays_within_lambdas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRE_MODEL_DIR", str(tmp_path))
    monkeypatch.setenv("MAX_BODY_BYTES", str(7 * 1024 * 1024))
    with pytest.raises(SettingsError, match="MAX_BODY_BYTES must be at most 6291456"):
        load_settings(Settings)

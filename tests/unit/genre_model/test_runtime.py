"""ONNX Runtime reports nothing: told so before it is loaded, and no device id on the disk afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from genre_model import runtime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE = "ORT_DISABLE_TELEMETRY"
FAKE = f"import os\nprint(os.environ.get('{VARIABLE}'))\n"
"""A stand-in for the library that says what it would find: the real one, left to itself, would go to the network."""


def _import(environment: Mapping[str, str]) -> str:
    code = "import genre_model.runtime"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(("set_to", "found"), [(None, "1"), ("0", "0")])
def test_the_variable_is_set_before_the_library_is_loaded(
    tmp_path: Path, set_to: str | None, found: str
) -> None:
    package = tmp_path / "genre_model"
    package.mkdir()
    (package / "__init__.py").write_text("")
    shutil.copy(runtime.__file__, package)
    (tmp_path / "onnxruntime.py").write_text(FAKE)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    assert _import({**environment, **({VARIABLE: set_to} if set_to else {})}) == found


def test_the_real_library_leaves_no_device_id(tmp_path: Path) -> None:
    # Neither CI's own variables, which silence it too, nor another cache folder.
    _import({"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []

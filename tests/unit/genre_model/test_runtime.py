"""ONNX Runtime reports nothing: neither a device id on the disk nor an uploader in the process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

LOAD = """
from {module} import onnxruntime
session = onnxruntime.SessionOptions()
"""


def _written(home: Path, module: str) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    # Under CI the library keeps quiet by itself, which would make this test pass for no reason.
    for name in ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "JENKINS_URL", "BUILDKITE"):
        environment.pop(name, None)
    subprocess.run(
        [sys.executable, "-c", LOAD.format(module=module)], env={**environment, "HOME": str(home)}, check=True
    )
    return [path.name for path in home.rglob("*") if path.is_file()]


def test_loading_the_library_leaves_no_device_id(tmp_path: Path) -> None:
    assert _written(tmp_path, "genre_model.runtime") == []


def test_an_explicit_choice_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = "import os; os.environ['ORT_DISABLE_TELEMETRY'] = '0'; import genre_model.runtime; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    monkeypatch.setenv("HOME", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep the id elsewhere")
def test_the_probe_would_see_it(tmp_path: Path) -> None:
    code = "import onnxruntime"
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    if not any(path.name == "deviceid" for path in tmp_path.rglob("*")):
        pytest.skip("this build of the library has no telemetry")

"""OpenVINO is opened without its telemetry, whether or not pip brought that along."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[5]
OPENVINO = """
try:
    import openvino_telemetry
    reports = True
except ImportError:
    reports = False
class Core:
    pass
"""


def test_its_telemetry_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "openvino.py").write_text(OPENVINO)
    (tmp_path / "openvino_telemetry.py").write_text("")

    def reports(before: str) -> str:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
        code = f"{before}; import openvino; print(openvino.reports)"
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    assert reports("pass") == "True"  # the stand-in does notice
    assert (
        reports("from model_artifacts.pipeline.study.openvino_family import open_core; open_core()")
        == "False"
    )

"""ONNX Runtime, silent.

Since 1.29 its packages report to Microsoft unless this variable is set before the library is loaded: they write a device
id below the home folder and upload events. Afterwards it cannot be undone, so whoever needs the library imports it from here.
https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md
"""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["onnxruntime"]

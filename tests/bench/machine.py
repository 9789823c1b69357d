"""What a result was measured on: without it a number of milliseconds says nothing."""

from __future__ import annotations

import os
import platform
from typing import Any

from model_artifacts.pipeline.machine import processor


def describe_machine() -> dict[str, Any]:
    """Name processor, cores, Python, and how busy the machine was when asked."""
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_average": None if busy is None else round(busy, 1),
    }

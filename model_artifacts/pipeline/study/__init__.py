"""The compression study: the trained network in every form worth comparing, side by side in one run.

`step.study` runs it. A *variant* (`variant.Variant`) is one form; each family of them has a module that makes it. Quality is measured
window by window as the service runs them (`sample`), latency in interleaved rounds on one thread (`timing`).
"""

from __future__ import annotations

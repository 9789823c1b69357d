"""The garbage collector stays out of the init: imported first, it stops the collector until `finished`.

What an init makes (modules, schemas, the model) stays for good, so looking through it again and again finds nothing: 7 % of
the cold start (``tests/bench/cold_start_bench.py``). If the init fails, the process ends, and so does the need.
https://docs.python.org/3/library/gc.html#gc.freeze
"""

from __future__ import annotations

import gc

gc.disable()


def finished() -> None:
    """Start the collector again, for what requests make; what is there by now it never looks at."""
    gc.freeze()
    gc.enable()

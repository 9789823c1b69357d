"""What an init must not pay for: imported before all else, it keeps the garbage collector and pydantic's plugins out.

What an init makes (modules, schemas, the model) stays for good, so looking through it again and again finds nothing: 7 % of
the cold start (``tests/bench/cold_start_bench.py``). If the init fails, the process ends, and so does the need.
https://docs.python.org/3/library/gc.html#gc.freeze

Pydantic looks through every installed distribution for plugins of its own. A function has none, and must not run one that
happens to be installed.
https://docs.pydantic.dev/latest/concepts/plugins/
"""

from __future__ import annotations

import gc
import os

gc.disable()
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def finished() -> None:
    """Start the collector again, for what requests make; what is there by now it never looks at."""
    gc.freeze()
    gc.enable()

"""The collector rests during the init, and during the init only."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import gc
from functions.classification import start_up
during = gc.isenabled()
start_up.finished()
print(during, gc.isenabled(), gc.get_freeze_count() > 1000)
"""


def test_the_collector_rests_until_the_init_is_finished() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True"]

"""50,000 rows: all of them there, in order; and three times as many need no more memory."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.local import ROOT
from tests.support.uploads import Depot

if TYPE_CHECKING:
    from cdk.local.emulator import Emulator

PLOT = "A plot about a town and its river and the people who leave. " * 5
GROWTH_KB = 20 * 1024


def large(count: int, bad: set[int]) -> bytes:
    """Give about 300 bytes a row."""
    rows = (f"r{n}\n" if n in bad else f"r{n},{PLOT}{n}\n" for n in range(count))
    return ("id,text\n" + "".join(rows)).encode()


def work(depot: Depot) -> int:
    """Let a process of its own empty the queue; give its highest memory use in KB."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.uploads", depot.to_json(), "drain"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=250,
    )
    return int(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_every_row_once_in_order_in_flat_memory(emulator: Emulator) -> None:
    depot = Depot(emulator.endpoint_url)
    bad = set(range(17, 50_000, 4_999))
    upload = depot.put("uploads/a.csv", large(50_000, bad))
    kb = work(depot)
    assert depot.ids(upload) == [f"r{n}" for n in range(50_000) if n not in bad]
    assert depot.bad_rows(upload) == sorted(n + 2 for n in bad)
    summary = depot.summary(upload)
    assert (summary["rows"], summary["classified"], summary["failed"]) == (
        50_000,
        50_000 - len(bad),
        len(bad),
    )
    content = large(150_000, set())
    assert len(content) > 2 * 1024 * GROWTH_KB
    larger = depot.put("uploads/b.csv", content)
    larger_kb = work(depot)
    assert depot.summary(larger)["classified"] == 150_000
    assert larger_kb - kb < GROWTH_KB, (kb, larger_kb)

"""The load bench's arithmetic, and that its client sends what it says; what it measures is for the docs."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.bench.cost import Prices
from tests.bench.load_bench import CONCURRENCIES, WORDS, Round, compare, costs, spec, summary, text_of
from tests.bench.load_client import send
from tests.bench.load_plot import plot
from tests.support.local import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status = 200
    together = 1
    seen: list[bytes]
    met: threading.Barrier

    def do_POST(self) -> None:
        self.seen.append(self.rfile.read(int(self.headers["Content-Length"])))
        if self.status == http.HTTPStatus.OK:
            self.met.wait(60)
        self.send_response(self.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it so
        pass


@contextmanager
def server(together: int = 1, status: int = 200) -> Iterator[tuple[str, list[bytes]]]:
    """Answer requests only when so many are there at once."""
    seen: list[bytes] = []
    handler = type(
        "Handler", (_Handler,), {"status": status, "seen": seen, "met": threading.Barrier(together)}
    )
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    listening.daemon_threads = True
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}/classify", seen
    finally:
        listening.shutdown()
        listening.server_close()


def test_requests_are_sent_over_so_many_connections_at_once() -> None:
    # The server holds every answer back until three requests are there; fewer at once would never end.
    with server(together=3) as (url, seen):
        latencies, elapsed = send(url, 3, 6, b'{"text": "x"}')

    assert len(latencies) == 6
    assert len(seen) == 6 + 3, "one more on each connection, which does not count"
    assert set(seen) == {b'{"text": "x"}'}
    assert 0 < max(latencies) <= elapsed * 1000


def test_the_clock_starts_with_the_first_request_however_late_the_main_thread_wakes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with server() as (url, seen):

        class Sleepy(threading.Barrier):
            def wait(self, timeout: float | None = None) -> int:
                place = super().wait(timeout)
                if threading.current_thread() is threading.main_thread():
                    assert eventually(lambda: len(seen) == 1 + 5)
                return place

        monkeypatch.setattr(threading, "Barrier", Sleepy)
        latencies, elapsed = send(url, 1, 5, b"{}")

    assert sum(latencies) <= elapsed * 1000


def test_requests_that_do_not_divide_evenly_are_all_sent() -> None:
    with server() as (url, _):
        latencies, _ = send(url, 3, 7, b"{}")
    assert len(latencies) == 7


def test_an_answer_that_is_no_answer_ends_the_run() -> None:
    with server(status=429) as (url, _), pytest.raises(RuntimeError, match="answered 429"):
        send(url, 2, 4, b"{}")


def test_percentiles_are_of_all_requests_and_throughput_of_all_the_time() -> None:
    rounds = [Round([1.0] * 50, 1.0), Round([3.0] * 50, 3.0)]
    assert summary(rounds) == {"p50_ms": 2.0, "p99_ms": 3.0, "requests_per_second": 25.0, "requests": 100}


def test_ratios_are_of_the_rounds() -> None:
    # The machine was ten times slower in the second round; the sides are as far apart as before.
    pairs = [
        (Round([2.0] * 10, 0.1), Round([6.0] * 10, 0.2)),
        (Round([20.0] * 10, 1.0), Round([60.0] * 10, 2.0)),
    ]
    found = compare(pairs)
    assert found["times_faster"]["median"] == 3
    assert found["times_throughput"]["median"] == 2


def test_texts_have_the_lengths_they_are_named_by() -> None:
    assert {name: len(text_of(words).split()) for name, words in WORDS.items()} == WORDS


def test_a_function_is_not_offered_at_a_size_it_does_not_fit() -> None:
    times = {"cpu_ms": {"page": 10.0}, "memory_mb": 430}
    assert [row["memory_mb"] for row in costs(times, Prices.load())] == [1024, 1769, 3538]


def test_both_functions_stand_behind_one_gateway_alike(tmp_path: Path) -> None:
    ours, theirs = spec(tmp_path, tmp_path).functions
    assert [route.path for route in (*ours.routes, *theirs.routes)] == ["/classify", "/rival"]
    assert (ours.memory_mb, ours.warmup) == (theirs.memory_mb, theirs.warmup)
    assert ours.environment["OMP_NUM_THREADS"] == theirs.environment["OMP_NUM_THREADS"] == "1"


def test_a_result_can_be_drawn(tmp_path: Path) -> None:
    one = {"p50_ms": 3.0, "requests_per_second": 300.0}
    rows = [
        {"text": name, "concurrency": count, "ours": one, "transformers": one}
        for name in WORDS
        for count in CONCURRENCIES
    ]
    times = {"cpu_ms": dict.fromkeys(WORDS, 10.0), "memory_mb": 100}
    priced = costs(times, Prices.load())
    plot({"load": rows, "usd_per_million": {"ours": priced, "transformers": priced}}, tmp_path / "load.png")
    assert (tmp_path / "load.png").read_bytes().startswith(b"\x89PNG")

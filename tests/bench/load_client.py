"""Sends requests from a process of its own, so that measuring takes no time from the gateway's.

    python -m tests.bench.load_client URL CONCURRENCY REQUESTS < body

Each of the connections stays open and sends its next request when its last has been answered (a closed loop). Prints
``{"latencies_ms": [...], "elapsed_s": ...}``; an answer other than 200 ends the run.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

TIMEOUT_S = 120
HEADERS = {"Content-Type": "application/json"}


def send(url: str, concurrency: int, requests: int, body: bytes) -> tuple[list[float], float]:
    """Send so many requests over so many connections.

    Returns
    -------
    latencies : list of float
        ms of each request, from before it is sent until its answer has been read.
    elapsed : float
        Seconds that all took together; connecting and one request on each connection before the others do not count.

    Raises
    ------
    RuntimeError
        If an answer is not 200.
    """
    parts = urlsplit(url)
    started = 0.0

    def start() -> None:
        nonlocal started
        started = time.perf_counter()

    # The last connection to be ready takes the time, before any goes on: this thread may wake later than they do.
    ready = threading.Barrier(concurrency, action=start)
    shares = [requests // concurrency + (number < requests % concurrency) for number in range(concurrency)]

    def worker(share: int) -> list[float]:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        try:
            _ask(connection, parts.path, body)
            ready.wait(TIMEOUT_S)
            return [_ask(connection, parts.path, body) for _ in range(share)]
        except BaseException:
            ready.abort()
            raise
        finally:
            connection.close()

    with ThreadPoolExecutor(concurrency) as executor:
        running = [executor.submit(worker, share) for share in shares]
        latencies = [latency for worker_done in running for latency in worker_done.result()]
        return latencies, time.perf_counter() - started


def _ask(connection: http.client.HTTPConnection, path: str, body: bytes) -> float:
    started = time.perf_counter()
    connection.request("POST", path, body, HEADERS)
    answer = connection.getresponse()
    content = answer.read()
    elapsed = (time.perf_counter() - started) * 1000
    if answer.status != http.client.OK:
        message = f"{path} answered {answer.status}: {content[:300]!r}"
        raise RuntimeError(message)
    return elapsed


def main() -> None:
    """Read the body, send, print."""
    url, concurrency, requests = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    latencies, elapsed = send(url, concurrency, requests, sys.stdin.buffer.read())
    sys.stdout.write(json.dumps({"latencies_ms": latencies, "elapsed_s": elapsed}) + "\n")


if __name__ == "__main__":
    main()

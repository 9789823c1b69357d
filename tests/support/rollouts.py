"""Rollouts in tests: a function to roll out, seeded client traffic through the gateway, and waiting for the end."""

from __future__ import annotations

import random
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from cdk.local.gateway import VERSION_HEADER
from cdk.service import Function, Rollout, Route
from tests.support.local import PATIENCE_S, a_function, a_service, eventually, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from typing import Self

    from cdk.cli.control_client import ControlClient
    from tests.support.local import Running

GOLDEN: Final = Path(__file__).with_name("golden")
SPEED: Final = 6_000.0
"""The shortest interval of the spec, a minute, takes 10 ms: a step lasts until it has seen enough requests."""
PATIENT: Final[dict[str, Any]] = {"max_p99_ms": 25_000, "max_slowdown": 1_000}
"""Limits on the latency that a busy machine keeps, for rollouts that are not about it."""
_WORDS: Final = ("detective", "riddle", "harbour", "letter", "storm", "brother", "train", "debt")


def a_canary(rollout: Rollout | None = None, **changes: Any) -> Function:
    """Make a function of the spec that can be rolled out."""
    routes = (Route(method="POST", path="/classify"),)
    limits = rollout or Rollout(interval_minutes=1, golden="canary", **PATIENT)
    return a_function("canary.handler", **({"name": "canary", "routes": routes, "rollout": limits} | changes))


def serving_canary(data: Path, function: Function | None = None) -> AbstractContextManager[Running]:
    """Run a service of one such function."""
    return serving(a_service(function or a_canary()), data, golden=GOLDEN)


class Traffic:
    """Clients that ask without pause, each in a thread, with texts from a seeded generator.

    Attributes
    ----------
    answers : Counter
        Status -> number of answers.
    versions : Counter
        Executed version, as the answer's header says it -> number of answers.
    """

    def __init__(self, url: str, *, clients: int = 3, seed: int = 20) -> None:
        self.answers: Counter[int] = Counter()
        self.versions: Counter[str] = Counter()
        self._url = url
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(random.Random(seed + number),), name=f"client-{number}")
            for number in range(clients)
        ]
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    @property
    def failed(self) -> int:
        """Answers that are of no use to a client."""
        with self._lock:
            return sum(count for status, count in self.answers.items() if status >= 429)

    @property
    def total(self) -> int:
        with self._lock:
            return sum(self.answers.values())

    def _ask(self, generator: random.Random) -> None:
        with httpx.Client(base_url=self._url, timeout=PATIENCE_S) as client:
            for body in _bodies(generator):
                if self._stopped.is_set():
                    return
                answer = client.post("/classify", json=body)
                with self._lock:
                    self.answers[answer.status_code] += 1
                    self.versions[answer.headers.get(VERSION_HEADER, "none")] += 1


def _bodies(generator: random.Random) -> Iterator[dict[str, str]]:
    while True:
        yield {"text": " ".join(generator.choices(_WORDS, k=generator.randint(3, 30)))}


def wait_for_end(
    control: ControlClient, function: str = "canary", seconds: float = 2 * PATIENCE_S
) -> dict[str, Any]:
    """Wait until no rollout is under way, and give the record."""
    assert eventually(lambda: not control.status(function)[0]["under_way"], seconds), control.status(function)
    record: dict[str, Any] = control.status(function)[0]["rollout"]
    return record

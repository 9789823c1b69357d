"""Golden requests: what is asked of a version, what it must answer, and the verdict.

A function with routes is asked over HTTP, one that reads a queue is given messages.
`judge` takes any way to invoke, so CodeDeploy's hook, a local rollout and a test share it. A golden file asks only what
changes nothing: no item is written, no LLM is paid.
"""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from functions.hooks.proxy_event import proxy_event
from functions.hooks.queue_event import queue_event
from functions.hooks.shape import ShapeError, check_schema, faults

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER: Final = Path(__file__).with_name("golden")
ROUNDS: Final = 3
"""Each case is asked so often; its latency is the median, which neither the cold start nor one hiccup moves."""


class GoldenError(ValueError):
    """A golden file is missing or cannot be used; the text names the file and what is wrong."""


class InvocationError(Exception):
    """The version did not answer at all: it raised, died, or ran out of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request and what its answer must be.

    Parameters
    ----------
    request : mapping
        ``method``, ``path`` and, where needed, ``route``, ``parameters``, ``body``.
    schema : mapping
        The answer's shape (`functions.hooks.shape`).
    labels : tuple of str
        Genres that the answer should select; they count towards the agreement of all cases together.
    """

    name: str
    request: Mapping[str, Any]
    status: int
    schema: Mapping[str, Any]
    labels: tuple[str, ...] = ()

    def event(self, round_: int) -> dict[str, Any]:
        """Make the proxy event of this case."""
        request = self.request
        return proxy_event(
            method=request["method"],
            path=request["path"],
            route=request.get("route", request["path"].partition("?")[0]),
            parameters=request.get("parameters", {}),
            body=request.get("body"),
            request_id=f"golden-{self.name}-{round_}",
        )

    def read(self, response: Mapping[str, Any]) -> tuple[list[str], frozenset[str]]:
        """Give what is wrong with one proxy response, a sentence each, and the labels it selects."""
        status = response.get("statusCode")
        if status != self.status:
            return [f"{self.name}: status {status}, not {self.status}"], frozenset()
        try:
            body = json.loads(response.get("body") or "")
        except (json.JSONDecodeError, TypeError):
            return [f"{self.name}: the body is not JSON"], frozenset()
        wrong = [f"{self.name}: {fault}" for fault in faults(body, self.schema)]
        if wrong or not self.labels:
            return wrong, frozenset()
        return [], frozenset(genre["label"] for genre in body["genres"] if genre["selected"])


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCase:
    """One message, alone in a batch of a queue, and whether it must be named as failed.

    Parameters
    ----------
    message : object
        The body: anything JSON; a text goes as it is.
    failed : bool
        Whether the partial batch response must name it.
    """

    name: str
    message: object
    failed: bool
    labels: tuple[str, ...] = ()

    def event(self, _round: int) -> dict[str, Any]:
        """Make the SQS event of this case."""
        return queue_event(self.message, message_id=self._id)

    def read(self, response: Mapping[str, Any]) -> tuple[list[str], frozenset[str]]:
        """Give what is wrong with one partial batch response; it selects no labels."""
        expected = {"batchItemFailures": [{"itemIdentifier": self._id}] if self.failed else []}
        if response == expected:
            return [], frozenset()
        return [f"{self.name}: the answer is not {json.dumps(expected)}"], frozenset()

    @property
    def _id(self) -> str:
        return f"golden-{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """All cases of one function, and the agreement they must reach together (0 to 1)."""

    name: str
    cases: tuple[Case | MessageCase, ...]
    min_agreement: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the golden requests found.

    Parameters
    ----------
    agreement : float
        Share of the expected labels that were selected; 1 where none is expected.
    slowest_ms : float
        The slowest case's median.
    faults : tuple of str
        A sentence for everything that is wrong; empty means passed.
    """

    agreement: float
    slowest_ms: float
    faults: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether traffic may move."""
        return not self.faults


def load_suite(name: str, folder: Path = FOLDER) -> Suite:
    """Read ``<folder>/<name>.json``.

    Raises
    ------
    GoldenError
        If there is no such file, or it is not what a golden file is.
    """
    path = folder / f"{name}.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        schemas = document["schemas"]
        for key, schema in schemas.items():
            check_schema(schema, key)
        cases = tuple(_case(case, schemas) for case in document["cases"])
        suite = Suite(name=name, cases=cases, min_agreement=float(document.get("min_agreement", 0)))
    except FileNotFoundError:
        message = f"there are no golden requests {path.name}"
        raise GoldenError(message) from None
    except KeyError as error:
        message = f"{path.name}: {error} is missing"
        raise GoldenError(message) from None
    except (json.JSONDecodeError, ShapeError, TypeError, AttributeError) as error:
        message = f"{path.name}: {error}"
        raise GoldenError(message) from error
    if not suite.cases:
        message = f"{path.name}: it asks nothing"
        raise GoldenError(message)
    return suite


def _case(case: Mapping[str, Any], schemas: Mapping[str, Any]) -> Case | MessageCase:
    """Read one case: a message of a queue if it has one, else a request."""
    if "message" in case:
        return MessageCase(name=case["name"], message=case["message"], failed=case["failed"])
    return Case(
        name=case["name"],
        request=case["request"],
        status=case["status"],
        schema=schemas[case["schema"]],
        labels=tuple(case.get("labels", ())),
    )


def judge(
    suite: Suite,
    invoke: Callable[[dict[str, Any]], Mapping[str, Any]],
    *,
    max_ms: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Verdict:
    """Ask every case, and say what is wrong with the answers.

    Parameters
    ----------
    invoke : callable
        Takes a case's event, gives the function's answer; raises `InvocationError` where there is none.
    max_ms : float
        Latency in ms that no case may exceed.
    clock : callable
        Seconds, rising.
    """
    found: list[str] = []
    expected = agreed = 0
    medians: list[float] = []
    for case in suite.cases:
        times: list[float] = []
        labels: frozenset[str] = frozenset()
        wrong: list[str] = []
        for round_ in range(ROUNDS):
            start = clock()
            try:
                response = invoke(case.event(round_))
            except InvocationError as error:
                wrong = [f"{case.name}: {error}"]
                break
            times.append((clock() - start) * 1_000)
            wrong, labels = case.read(response)
            if wrong:
                break
        found.extend(wrong)
        expected += len(case.labels)
        agreed += len(labels.intersection(case.labels))
        if times:
            medians.append(statistics.median(times))
            if medians[-1] > max_ms:
                found.append(f"{case.name}: the answer took {medians[-1]:.0f} ms, more than {max_ms:.0f} ms")
    agreement = agreed / expected if expected else 1.0
    if agreement < suite.min_agreement:
        found.append(
            f"{agreed} of {expected} expected labels were selected, less than {suite.min_agreement:.0%}"
        )
    return Verdict(agreement=agreement, slowest_ms=max(medians, default=0.0), faults=tuple(found))

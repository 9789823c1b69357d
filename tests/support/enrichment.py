"""Fakes and samples for the enrichment function."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from functions.enrichment.asking import Asker
from functions.enrichment.breaker import CircuitBreaker
from functions.enrichment.enricher import Enricher, LlmEnricher
from functions.enrichment.local_enricher import LocalEnricher
from functions.enrichment.pricing import load_prices
from functions.enrichment.prompts import load_prompt
from functions.enrichment.retry import Retrier, RetryPolicy
from functions.enrichment.sentiment import load_lexicon
from functions.enrichment.service import EnrichmentService
from trending_core.errors import Unavailable
from trending_core.genres import Genre
from trending_core.models import Draft, GenreScore
from trending_core.store_memory import MemoryItemStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.enrichment.jobs import Job
    from functions.enrichment.ledger import PaidAnswers
    from functions.enrichment.llm import LlmClient, LlmReply, LlmRequest

KEY = "test-key-7f3a91c2d8"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
ANSWER: dict[str, Any] = {
    "genres": [{"label": "Thriller", "confidence": 0.9}, {"label": "Drama", "confidence": 0.6}],
    "summary": "Two sisters smuggle salt over a closed border and learn who closed it.",
    "score": 8.25,
    "tags": ["Smuggling", "closed border", "sisters"],
}
GOOD = json.dumps(ANSWER)


def draft(**changes: Any) -> Draft:
    """Give a valid draft."""
    values: dict[str, Any] = {
        "title": "The Salt Road",
        "plot": (
            "Two sisters smuggle salt across a closed border at night. "
            "When a patrol finds their cart, the older sister is arrested. "
            "The younger sister crosses the border alone to find out who closed it and why."
        ),
        "reviews": ("Tense, beautifully shot, and the ending is earned.", "A gripping smuggling story."),
        "year": 2024,
    }
    return Draft(**{**values, **changes})


def far_off() -> int:
    """Give the milliseconds of an invocation that has just begun."""
    return 29_000


class Clock:
    """A clock that moves when somebody sleeps, and remembers the waits."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@dataclass
class FakeClassifier:
    """Knows one genre, and every plot is of it; or is down."""

    down: bool = False
    calls: int = 0

    def classify(self, *, title: str, text: str) -> tuple[GenreScore, ...]:
        self.calls += 1
        if self.down:
            message = "The classification function cannot be reached; nothing was stored."
            raise Unavailable(message)
        return (GenreScore(label=Genre.MYSTERY, probability=0.71),)


@dataclass
class MemoryAnswers:
    """Paid answers in a dictionary."""

    kept: dict[str, LlmReply] = field(default_factory=dict)
    full: bool = False

    def get(self, fingerprint: str) -> LlmReply | None:
        return self.kept.get(fingerprint)

    def put(self, fingerprint: str, reply: LlmReply) -> None:
        if self.full:
            message = "The item store does not answer."
            raise Unavailable(message)
        self.kept[fingerprint] = reply

    def drop(self, fingerprint: str) -> None:
        self.kept.pop(fingerprint, None)


class Always:
    """A `Once` that remembers nothing."""

    def run(self, key: str, content: str, work: Callable[[], str], *, remaining_ms: Callable[[], int]) -> str:
        return work()


@dataclass
class MemoryQueue:
    """A queue in a list; or one that refuses."""

    jobs: list[Job] = field(default_factory=list)
    down: bool = False

    def send(self, job: Job) -> None:
        if self.down:
            message = "The queue for enrichments does not take this item; ask again."
            raise Unavailable(message)
        self.jobs.append(job)


@dataclass
class ScriptedLlm:
    """A model that says or raises what it is told, in order; the last step repeats."""

    steps: list[LlmReply | Exception]
    requests: list[LlmRequest] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)
    model: str = "gemini-2.5-flash-lite"

    def generate(self, request: LlmRequest, *, timeout_s: float) -> LlmReply:
        step = self.steps[min(len(self.requests), len(self.steps) - 1)]
        self.requests.append(request)
        self.timeouts.append(timeout_s)
        if isinstance(step, Exception):
            raise step
        return step


@dataclass
class House:
    """A whole service on fakes, and a look at its parts."""

    service: EnrichmentService
    store: MemoryItemStore
    answers: PaidAnswers
    classifier: FakeClassifier
    queue: MemoryQueue
    clock: Clock
    breaker: CircuitBreaker


def house(
    client: LlmClient | None,
    *,
    answers: PaidAnswers | None = None,
    store: MemoryItemStore | None = None,
    policy: RetryPolicy | None = None,
    classifier: FakeClassifier | None = None,
    sleep: Callable[[float], None] | None = None,
    **parts: Any,
) -> House:
    """Put a service together around a model (or none)."""
    clock = Clock()
    answers = answers or MemoryAnswers()
    store = store or MemoryItemStore()
    classifier = classifier or FakeClassifier()
    queue = MemoryQueue()
    breaker = CircuitBreaker(clock=clock)
    llm = None
    if client is not None:
        retrier = Retrier(policy or RetryPolicy(), sleep=sleep or clock.sleep)
        asker = Asker(client, answers=answers, breaker=breaker, retrier=retrier, prices=load_prices())
        llm = LlmEnricher(load_prompt("v1"), asker)
    enricher = Enricher(LocalEnricher(classifier, load_lexicon()), llm)
    wired = {"keys": Always(), "contents": Always(), **parts}
    service = EnrichmentService(store=store, enricher=enricher, queue=queue, now=lambda: NOW, **wired)
    return House(service, store, answers, classifier, queue, clock, breaker)

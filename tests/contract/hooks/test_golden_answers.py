"""The golden requests against the functions themselves: today's code and the shipped model must pass their own gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from functions.classification.routes import build_app as classification
from functions.classification.service import Classifier
from functions.classification.uploads.batch import Batches
from functions.enrichment.batch import work_batch
from functions.enrichment.routes import build_app as enrichment
from functions.hooks.golden import judge, load_suite
from functions.trending.routes import build_app as trending
from functions.trending.service import TrendingService
from tests.support.enrichment import ScriptedLlm, house
from tests.support.gateway import Context
from tests.support.lambda_context import TimedContext
from tests.support.stores import NOW, draft
from tests.support.stores import enrichment as enriched
from trending_core.http import handle
from trending_core.store_memory import MemoryItemStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.hooks.golden import Verdict
    from genre_model import GenreModel
    from trending_core.http import App

UNLIMITED_MS = 3_600_000
"""Time is another test's matter: this one must not fail on a busy machine."""


def ask(name: str, app: App, context: Any) -> Verdict:
    def invoke(event: dict[str, Any]) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = handle(app, event, context)
        return answer

    return judge(load_suite(name), invoke, max_ms=UNLIMITED_MS)


def test_the_shipped_model_agrees_with_the_golden_labels(shipped: GenreModel) -> None:
    verdict = ask("classification", classification(Classifier({"bert": shipped})), Context())
    assert verdict.passed, verdict.faults


def test_the_trending_function_answers_its_golden_requests_and_changes_nothing() -> None:
    store = MemoryItemStore()
    store.complete(draft("salt-road"), enriched(genres=("Drama",), tags=("sisters",), score=8), NOW)
    before = store.get("salt-road")
    verdict = ask("trending", trending(TrendingService(store, now=lambda: NOW)), Context())
    assert verdict.passed, verdict.faults
    assert store.get("salt-road") == before


def test_the_enrichment_function_answers_its_golden_requests_without_asking_the_model() -> None:
    # A script without an answer: a request that reached the model would fail the test.
    verdict = ask("enrichment", enrichment(house(ScriptedLlm([])).service), TimedContext())
    assert verdict.passed, verdict.faults


def test_the_upload_worker_leaves_its_golden_message_alone() -> None:
    # Without worker and queue: an upload, or a message that is buried, would fail the test.
    batches = Batches(cast("Any", None), cast("Any", None), bucket="files", max_receives=1)

    def invoke(event: dict[str, Any]) -> Mapping[str, Any]:
        return batches.work(event, remaining_ms=lambda: 300_000)

    verdict = judge(load_suite("uploads"), invoke, max_ms=UNLIMITED_MS)
    assert verdict.passed, verdict.faults


def test_the_enrichment_worker_refuses_its_golden_message_without_asking_the_model() -> None:
    made = house(ScriptedLlm([]))

    def invoke(event: dict[str, Any]) -> Mapping[str, Any]:
        return work_batch(made.service, event, max_receives=1, remaining_ms=lambda: 150_000)

    verdict = judge(load_suite("enrichment-worker"), invoke, max_ms=UNLIMITED_MS)
    assert verdict.passed, verdict.faults
    assert made.queue.jobs == []


@pytest.mark.parametrize("name", ["trending", "enrichment"])
def test_a_function_behind_the_wrong_requests_is_refused(name: str, shipped: GenreModel) -> None:
    verdict = ask(name, classification(Classifier({"bert": shipped})), Context())
    assert not verdict.passed

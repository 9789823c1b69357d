"""Settings become a service: the one place that knows every implementation. Runs once, at init.

The model's library takes about a second to import; that is paid here, and only where a key is configured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.enrichment.api_key import read_api_key
from functions.enrichment.asking import Asker
from functions.enrichment.breaker import CircuitBreaker
from functions.enrichment.classifier import LambdaGenreClassifier
from functions.enrichment.enricher import Enricher, LlmEnricher
from functions.enrichment.jobs import NoJobQueue, SqsJobQueue
from functions.enrichment.ledger import DynamoPaidAnswers
from functions.enrichment.local_enricher import LocalEnricher
from functions.enrichment.once import KEEP_CONTENT_S, KEEP_KEY_S, DynamoOnce
from functions.enrichment.pricing import load_prices
from functions.enrichment.prompts import load_prompt
from functions.enrichment.retry import Retrier, RetryPolicy
from functions.enrichment.sentiment import load_lexicon
from functions.enrichment.service import EnrichmentService
from functions.enrichment.settings import Settings
from trending_core.dynamo_client import connect
from trending_core.store_dynamodb import DynamoItemStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.enrichment.settings import WorkerSettings


def build_service(settings: WorkerSettings) -> EnrichmentService:
    """Make the service with its AWS clients; it queues items only with the HTTP side's `Settings`.

    Raises
    ------
    SettingsError
        If a prompt, the price table, the lexicon or the secret cannot be used.
    """
    import boto3  # noqa: PLC0415 -- at init alone, so that tests of the parts don't pay for it

    database = connect()
    return EnrichmentService(
        store=DynamoItemStore(database, settings.items_table),
        enricher=Enricher(
            LocalEnricher(LambdaGenreClassifier(settings.classification_function), load_lexicon()),
            build_llm(settings, database),
        ),
        keys=DynamoOnce(database, settings.idempotency_table, prefix="key", keep_s=KEEP_KEY_S),
        contents=DynamoOnce(database, settings.idempotency_table, prefix="content", keep_s=KEEP_CONTENT_S),
        queue=(
            SqsJobQueue(boto3.client("sqs"), settings.enrichment_queue_url)
            if isinstance(settings, Settings)
            else NoJobQueue()
        ),
    )


def build_llm(settings: WorkerSettings, database: DynamoDBClient) -> LlmEnricher | None:
    """Make the enricher that asks the model, or None where no key is configured.

    Raises
    ------
    SettingsError
        As in `build_service`.
    """
    prompt = load_prompt(settings.prompt_version)
    prices = load_prices()
    api_key = read_api_key(settings)
    if api_key is None:
        return None
    from functions.enrichment.gemini import GeminiClient  # noqa: PLC0415 -- imports google-generativeai

    asker = Asker(
        GeminiClient(api_key=api_key, model=settings.gemini_model, endpoint=settings.gemini_api_endpoint),
        answers=DynamoPaidAnswers(database, settings.idempotency_table),
        breaker=CircuitBreaker(),
        retrier=Retrier(RetryPolicy(attempt_timeout_s=settings.llm_attempt_timeout_s)),
        prices=prices,
    )
    return LlmEnricher(prompt, asker)

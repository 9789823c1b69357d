"""Prices, settings, the key, and the reading of the classification function's answer."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters.secrets import SecretsProvider
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from functions.enrichment.api_key import read_api_key
from functions.enrichment.classifier import LambdaGenreClassifier
from functions.enrichment.jobs import Job, SqsJobQueue
from functions.enrichment.pricing import load_prices
from functions.enrichment.sentiment import LEXICON, load_lexicon
from functions.enrichment.settings import Settings
from tests.support.enrichment import KEY
from trending_core.errors import InternalError, SettingsError, Unavailable
from trending_core.settings import load_settings
from trending_core.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = {
    "ITEMS_TABLE": "items",
    "IDEMPOTENCY_TABLE": "idempotency",
    "ENRICHMENT_QUEUE_URL": "http://localhost/queue",
    "CLASSIFICATION_FUNCTION": "classification:live",
}


def test_a_call_costs_by_the_table_and_an_unknown_model_has_no_price() -> None:
    prices = load_prices()
    cost = prices.cost_usd("gemini-2.5-flash", input_tokens=1_000_000, output_tokens=1_000_000)
    assert cost == pytest.approx(2.80)
    assert prices.cost_usd("gemini-2.5-flash-001", input_tokens=1_000_000, output_tokens=0) == pytest.approx(
        0.30
    )
    lite = prices.cost_usd("gemini-2.5-flash-lite-06-17", input_tokens=1_000_000, output_tokens=0)
    assert lite == pytest.approx(0.10)
    assert prices.cost_usd("gemini-9", input_tokens=1, output_tokens=1) is None
    assert prices.cost_usd("gemini-2.5-flash-image", input_tokens=1, output_tokens=1) is None


def test_a_broken_price_table_stops_the_init(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text('{"as_of": "yesterday"}')
    with pytest.raises(SettingsError, match=r"prices\.json"):
        load_prices(path)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("GEMINI_API_KEY", "GEMINI_SECRET_ARN", "GEMINI_API_ENDPOINT", "GEMINI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in NAMES.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_name_is_named(named: pytest.MonkeyPatch, name: str) -> None:
    named.delenv(name)
    with pytest.raises(SettingsError, match=f"{name} is required"):
        load_settings(Settings)


def test_the_key_is_in_no_settings_text_and_an_empty_one_is_none(named: pytest.MonkeyPatch) -> None:
    named.setenv("GEMINI_API_KEY", KEY)
    settings = load_settings(Settings)
    assert KEY not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    key = read_api_key(settings)
    assert key is not None
    assert key.get_secret_value() == KEY
    named.setenv("GEMINI_MODEL", "not a model!")
    with pytest.raises(SettingsError) as caught:
        load_settings(Settings)
    assert KEY not in str(caught.value)
    assert "GEMINI_MODEL" in str(caught.value)
    named.delenv("GEMINI_MODEL")
    named.setenv("GEMINI_API_KEY", "")
    assert read_api_key(load_settings(Settings)) is None


@pytest.mark.parametrize("endpoint", ["http://", "https://user@host", "host with space", "https://h?key=1"])
def test_a_wrong_endpoint_stops_the_init(named: pytest.MonkeyPatch, endpoint: str) -> None:
    named.setenv("GEMINI_API_ENDPOINT", endpoint)
    with pytest.raises(SettingsError, match="GEMINI_API_ENDPOINT"):
        load_settings(Settings)


@pytest.fixture
def vault(named: pytest.MonkeyPatch, aws_environment: None) -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="us-east-1")


def test_the_key_comes_from_the_secret_and_an_unfilled_secret_is_no_key(
    vault: Any, named: pytest.MonkeyPatch
) -> None:
    named.setenv("GEMINI_SECRET_ARN", vault.create_secret(Name="filled", SecretString=f" {KEY}\n")["ARN"])
    key = read_api_key(load_settings(Settings))
    assert key is not None
    assert key.get_secret_value() == KEY
    named.setenv("GEMINI_SECRET_ARN", vault.create_secret(Name="unfilled")["ARN"])
    assert read_api_key(load_settings(Settings)) is None


def test_a_secret_that_cannot_be_read_stops_the_init(vault: Any, named: pytest.MonkeyPatch) -> None:
    class Broken:
        def get_secret_value(self, **_: str) -> dict[str, str]:
            raise EndpointConnectionError(endpoint_url="https://secretsmanager.example")

    providers = {"secrets": SecretsProvider(boto3_client=cast("Any", Broken()))}
    named.setattr("aws_lambda_powertools.utilities.parameters.secrets.DEFAULT_PROVIDERS", providers)
    named.setenv("GEMINI_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:123456789012:secret:other")
    with pytest.raises(SettingsError, match="GEMINI_SECRET_ARN names cannot be read"):
        read_api_key(load_settings(Settings))


def test_an_endpoint_is_taken_with_or_without_scheme_and_path(named: pytest.MonkeyPatch) -> None:
    for endpoint in ("http://127.0.0.1:8000/gemini/", "proxy.example"):
        named.setenv("GEMINI_API_ENDPOINT", endpoint)
        assert load_settings(Settings).gemini_api_endpoint == endpoint.rstrip("/")


def test_a_job_is_a_message_and_a_missing_queue_is_unavailable(aws_environment: None) -> None:
    with mock_aws():
        client = boto3.client("sqs")
        url = client.create_queue(QueueName="jobs")["QueueUrl"]
        SqsJobQueue(client, url).send(Job(item_id="salt", fallback=False))
        (message,) = client.receive_message(QueueUrl=url)["Messages"]
        assert json.loads(message["Body"]) == {"item_id": "salt", "fallback": False}
        with pytest.raises(Unavailable, match="queue for enrichments"):
            SqsJobQueue(client, f"{url}-gone").send(Job(item_id="salt", fallback=False))


@pytest.mark.parametrize(
    ("text", "words"), [("{", "cannot be used"), ("{}", "cannot be used"), ("[]", "cannot be used")]
)
def test_a_broken_lexicon_stops_the_init(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "lexicon.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match=words):
        load_lexicon(path)
    raw = json.loads(LEXICON.read_text())
    raw["words"]["3"] += " awful"
    path.write_text(json.dumps(raw))
    with pytest.raises(SettingsError, match="holds a word twice"):
        load_lexicon(path)


class FakeLambda:
    """Answers an invocation and remembers it."""

    def __init__(self, payload: bytes, **more: str) -> None:
        self.payload = payload
        self.more = more
        self.called: dict[str, Any] = {}

    def invoke(self, **arguments: Any) -> dict[str, Any]:
        self.called = arguments
        return {"Payload": io.BytesIO(self.payload), **self.more}


def classified(payload: bytes, **more: str) -> tuple[list[tuple[str, float]], FakeLambda]:
    fake = FakeLambda(payload, **more)
    genres = LambdaGenreClassifier("classification:live", client=cast("Any", fake)).classify(
        title="T", text="P"
    )
    return [(genre.label.value, genre.probability) for genre in genres], fake


def proxy(genres: list[dict[str, Any]], status: int = 200) -> bytes:
    return json.dumps({"statusCode": status, "body": json.dumps({"genres": genres, "model": {}})}).encode()


def label(name: str, probability: float, *, selected: bool) -> dict[str, Any]:
    return {"label": name, "probability": probability, "selected": selected}


def test_selected_genres_are_taken_or_else_the_best_one() -> None:
    genres, fake = classified(
        proxy(
            [
                label("War", 0.3, selected=False),
                label("Drama", 0.6, selected=True),
                label("Crime", 0.7, selected=True),
            ]
        )
    )
    assert genres == [("Crime", 0.7), ("Drama", 0.6)]
    assert fake.called["FunctionName"] == "classification:live"
    event = json.loads(fake.called["Payload"])
    assert (event["httpMethod"], event["path"]) == ("POST", "/classify")
    assert json.loads(event["body"]) == {"title": "T", "text": "P"}
    genres, _ = classified(proxy([label("War", 0.2, selected=False), label("Drama", 0.3, selected=False)]))
    assert genres == [("Drama", 0.3)]


@pytest.mark.parametrize(
    ("payload", "more"),
    [
        (b'{"errorType": "X"}', {"FunctionError": "Unhandled"}),
        (proxy([], 500), {}),
        (proxy([]), {}),
        (proxy([label("Noir", 0.2, selected=True)]), {}),
        (b"not JSON", {}),
        (b"[]", {}),
        (b'{"statusCode": 200}', {}),
    ],
)
def test_anything_else_is_unavailable(payload: bytes, more: dict[str, str]) -> None:
    with pytest.raises(Unavailable, match="nothing was stored"):
        classified(payload, **more)


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_refusal_is_a_defect_that_is_logged_and_never_try_again(
    status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_logger().handlers[0], "stream", sys.stdout)
    with pytest.raises(InternalError) as caught:
        classified(proxy([], status))
    assert caught.value.headers == {}
    logged = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (logged["level"], logged["answered"]) == ("ERROR", status)


def test_a_function_that_cannot_be_reached_is_unavailable(aws_environment: None) -> None:
    client = boto3.client("lambda", endpoint_url="http://127.0.0.1:9", region_name="us-east-1")
    with pytest.raises(Unavailable, match="cannot be reached"):
        LambdaGenreClassifier("classification", client=client).classify(title="T", text="P")

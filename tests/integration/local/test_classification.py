"""The project's own classification function behind the local gateway, with the model that the repository ships."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from cdk.local.errors import ServeError
from cdk.service import CLASSIFICATION
from model_artifacts.registry import RegistryError
from tests.support.local import PATIENCE_S, Running, a_service, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLOTS = [
    "A detective hunts a killer who leaves riddles at every scene.",
    "Two rival bakers fall in love over one Parisian summer.",
    "A crew of astronauts answers a signal from a dead planet.",
    "A platoon crosses a frozen river behind enemy lines in 1944.",
]
REQUESTS = 1000
CONNECTIONS = 8


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(a_service(CLASSIFICATION), tmp_path_factory.mktemp("data")) as service:
        yield service


def ask(url: str, bodies: list[str]) -> list[Any]:
    """Ask one after the other over one connection."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE_S)
    answers = []
    for body in bodies:
        connection.request("POST", "/classify", body=body, headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        answers.append((response.status, json.loads(response.read())))
    connection.close()
    return answers


def test_many_connections_answer_as_one_does_and_lose_nothing(running: Running) -> None:
    bodies = [json.dumps({"text": plot}) for plot in PLOTS]
    alone = ask(running.url, bodies)
    assert [status for status, _ in alone] == [200] * len(bodies)
    assert all(answer["genres"] for _, answer in alone)
    each = REQUESTS // CONNECTIONS
    with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as executor:
        orders = [[(worker + n) % len(bodies) for n in range(each)] for worker in range(CONNECTIONS)]
        together = list(executor.map(lambda order: ask(running.url, [bodies[i] for i in order]), orders))
    answered = [
        (i, answer)
        for order, answers in zip(orders, together, strict=True)
        for i, answer in zip(order, answers, strict=True)
    ]
    assert len(answered) == REQUESTS
    assert all(answer == alone[i] for i, answer in answered)


def test_health_says_which_version_answers(running: Running) -> None:
    health = httpx.get(f"{running.url}/health", timeout=PATIENCE_S).json()
    assert health["status"] == "ok"
    assert health["function_version"] == "1"


def test_a_missing_registry_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(RegistryError, match=r"model registry .*registry\.json cannot be read"),
        serving(a_service(CLASSIFICATION), tmp_path / "data", root=tmp_path),
    ):
        pytest.fail("it started")


def test_a_corrupt_artifact_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    artifacts = tmp_path / "model_artifacts"
    entry = {"versions": {"9.9.9": {}}, "aliases": {"champion": "9.9.9"}}
    for model in CLASSIFICATION.models:
        (artifacts / model / "9.9.9").mkdir(parents=True)
        (artifacts / model / "9.9.9" / "manifest.json").write_text("{")
    models = dict.fromkeys(CLASSIFICATION.models, entry)
    (artifacts / "registry.json").write_text(json.dumps({"models": models}))
    with (
        pytest.raises(
            ServeError, match=r"function classification:1 failed to initialise: \w+: .*manifest\.json"
        ),
        serving(a_service(CLASSIFICATION), tmp_path / "data", root=tmp_path),
    ):
        pytest.fail("it started")


def test_the_tree_model_answers_when_it_is_asked_for(running: Running) -> None:
    text = "A sheriff and his deputies track an outlaw's gang across the ranches to a saloon on the frontier."
    body = {"text": text, "model": "xgboost", "top_k": 1}
    answer = httpx.post(f"{running.url}/classify", json=body, timeout=PATIENCE_S).json()
    assert answer["model"]["name"] == "genre-xgboost"
    assert answer["genres"][0]["label"] == "Western"

"""One request of each route through the gateway, and what a caller must never get to see."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from cdk.app import ROOT
from trending_core.genres import GENRES

if TYPE_CHECKING:
    import httpx

WESTERN = "A marshal rides into a dying frontier town to face the outlaw who killed his brother."
DEADLINE_S = 120
"""For what a queue does: its worker starts cold."""


def complies(answer: httpx.Response, method: str, path: str) -> None:
    """Hold an answer against the committed OpenAPI document."""
    document = json.loads((ROOT / "functions" / "openapi.json").read_text(encoding="utf-8"))
    content = document["paths"][path][method]["responses"][str(answer.status_code)]["content"]
    kind = answer.headers["content-type"].split(";")[0]
    schema = {**content[kind]["schema"], "components": document["components"]}
    Draft202012Validator(schema).validate(answer.json())


def enriched(api: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = api.post("/enrich-item", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_health_names_the_version_that_answers(stranger: httpx.Client) -> None:
    answer = stranger.get("/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["function_version"].isdigit()
    assert answer.json()["models"]["bert"]["name"] == "genre-bert"


def test_a_western_is_one(api: httpx.Client) -> None:
    answer = api.post("/classify", json={"text": WESTERN, "top_k": 3})
    assert answer.status_code == 200
    assert "x-request-id" in answer.headers
    complies(answer, "post", "/classify")
    best = answer.json()["genres"][0]
    assert (best["label"], best["selected"]) == ("Western", True)


def test_a_batch_keeps_its_order(api: httpx.Client) -> None:
    texts = {
        "long": " ".join([WESTERN] * 40),
        "short": "A ghost.",
        "war": "Soldiers hold a trench in the last war.",
    }
    items = [{"id": name, "text": text} for name, text in texts.items()]
    answer = api.post("/classify", json={"items": items})
    assert answer.status_code == 200
    complies(answer, "post", "/classify")
    assert [item["id"] for item in answer.json()["items"]] == list(texts)


def test_an_item_is_enriched_found_counted_and_ranked(api: httpx.Client, plot: dict[str, Any]) -> None:
    made = enriched(api, plot)
    assert made["status"] == "ready"
    assert "Western" in {genre["label"] for genre in made["genres"]}
    assert 0 <= made["score"] <= 10
    assert made["enriched_by"] in {"local", "gemini"}

    path = f"/items/{plot['item_id']}"
    found = api.get(path)
    complies(found, "get", "/items/{item_id}")
    assert found.json()["summary"] == made["summary"]

    event = {"type": "like", "event_id": uuid.uuid4().hex}
    first, again = (api.post(f"{path}/events", json=event) for _ in range(2))
    assert (first.json()["counted"], again.json()["counted"]) == (True, False)
    assert api.get(path).json()["engagement"]["likes"] == 1

    page = api.get("/trending", params={"genre": "Western", "limit": 100})
    complies(page, "get", "/trending")
    assert plot["item_id"] in {entry["item"]["item_id"] for entry in page.json()["entries"]}


def test_the_same_enrichment_twice_is_one(api: httpx.Client, plot: dict[str, Any]) -> None:
    assert enriched(api, plot) == enriched(api, plot)


def test_a_queued_enrichment_is_done_by_the_worker(api: httpx.Client, plot: dict[str, Any]) -> None:
    answer = api.post("/enrich-item", json=plot, headers={"prefer": "respond-async"})
    assert answer.status_code == 202
    assert answer.headers["location"].endswith(f"/items/{plot['item_id']}")
    deadline = time.monotonic() + DEADLINE_S
    while (item := api.get(f"/items/{plot['item_id']}").json())["status"] == "pending":
        assert time.monotonic() < deadline, item
        time.sleep(0.5)
    assert item["status"] == "ready"


def test_pages_of_a_ranking_do_not_overlap(api: httpx.Client, plot: dict[str, Any]) -> None:
    names = []
    for number in range(3):
        names.append(f"{plot['item_id']}-{number}")
        enriched(api, {**plot, "item_id": names[-1]})
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.get("/trending", params={"limit": 2, **cursor}).json()
        seen.extend(entry["item"]["item_id"] for entry in page["entries"])
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert len(seen) == len(set(seen))
    assert set(names) <= set(seen)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/classify", {"text": 3}, 422),
        ("POST", "/classify", {"text": ""}, 422),
        ("POST", "/classify", {"text": WESTERN, "items": []}, 422),
        ("POST", "/enrich-item", {"title": "No plot"}, 422),
        ("POST", "/items/nobody/events", {"type": "applause", "event_id": "e1"}, 422),
        ("POST", "/items/nobody/events", {"type": "like", "event_id": "e1"}, 404),
        ("GET", "/items/nobody", None, 404),
        ("GET", "/trending?limit=1000", None, 422),
        ("GET", "/trending?genre=Telenovela", None, 422),
        ("GET", "/nowhere", None, 404),
    ],
)
def test_bad_input_is_a_problem(api: httpx.Client, method: str, path: str, body: Any, status: int) -> None:
    answer = api.request(method, path, json=body)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), answer.text
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    assert {"type", "title", "detail", "instance"} <= set(problem)
    assert "Traceback" not in answer.text


def test_every_genre_has_a_ranking(api: httpx.Client) -> None:
    statuses = {genre: api.get("/trending", params={"genre": genre}).status_code for genre in GENRES}
    assert set(statuses.values()) == {200}, statuses


def test_the_documents_are_public(stranger: httpx.Client) -> None:
    served = stranger.get("/openapi.json")
    assert served.status_code == 200
    assert "/enrich-item" in served.json()["paths"]
    page = stranger.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")

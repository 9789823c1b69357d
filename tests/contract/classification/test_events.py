"""Raw API Gateway events, fed as they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.gateway import REQUEST_ID, load_event, proxy_event
from tests.support.openapi import assert_documented, document

if TYPE_CHECKING:
    from tests.support.gateway import Deliver, Send

PLOT = "A marshal rides into a dying frontier town to face the outlaw who killed his brother."


def test_one_text_gives_its_genres(deliver: Deliver) -> None:
    answer = deliver(load_event("classify"))
    assert answer.status == 200
    assert_documented("POST", "/classify", answer)
    assert answer.body["genres"][0]["label"] == "Western"
    assert answer.body["genres"][0]["selected"] is True
    assert answer.body["model"]["name"] == "genre-bert"


def test_a_batch_is_answered_in_order_with_its_ids(deliver: Deliver) -> None:
    answer = deliver(load_event("classify_items"))
    assert answer.status == 200
    assert_documented("POST", "/classify", answer)
    assert [item["id"] for item in answer.body["items"]] == ["tt-1", None]
    romance, science_fiction = ({g["label"] for g in item["genres"]} for item in answer.body["items"])
    assert "Romance" in romance
    assert "Science Fiction" in science_fiction


def test_a_base64_body_is_the_same_request(deliver: Deliver, send: Send) -> None:
    text = json.dumps({"text": "Ein Dorf, ein Geheimnis und dazu ein 🐺."})
    answer = deliver(load_event("classify_base64"))
    assert answer.status == 200
    assert answer.body == send("POST", "/classify", text).body


def test_health_names_the_versions(deliver: Deliver) -> None:
    answer = deliver(load_event("health"))
    assert answer.status == 200
    assert_documented("GET", "/health", answer)
    assert answer.body["function_version"] == "7"
    assert answer.body["models"]["bert"]["name"] == "genre-bert"


def test_the_document_is_served_with_the_stage_as_server(deliver: Deliver) -> None:
    answer = deliver(load_event("openapi"))
    assert answer.status == 200
    assert answer.body == {**document(), "servers": [{"url": "/prod"}]}


def test_the_document_is_served_at_the_root_where_no_stage_is_in_the_url(deliver: Deliver) -> None:
    event = load_event("openapi")
    event["requestContext"]["path"] = "/openapi.json"
    assert deliver(event).body == document()


def test_the_docs_page_needs_no_other_host(deliver: Deliver) -> None:
    answer = deliver(load_event("docs"))
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "SwaggerUIBundle" in answer.text
    assert "<script src" not in answer.text
    assert "<link" not in answer.text


@pytest.mark.parametrize("name", ["classify", "health", "docs", "openapi"])
def test_every_answer_carries_the_request_id(deliver: Deliver, name: str) -> None:
    assert deliver(load_event(name)).headers["x-request-id"] == REQUEST_ID


def test_the_same_request_twice_gives_the_same_bytes(deliver: Deliver) -> None:
    assert deliver(load_event("classify_items")).text == deliver(load_event("classify_items")).text


@pytest.mark.parametrize("top_k", [1, 5, 18])
def test_top_k_cuts_the_answer_but_never_a_selected_label(send: Send, top_k: int) -> None:
    body = {"text": PLOT, "top_k": top_k}
    genres = send("POST", "/classify", json.dumps(body)).body["genres"]
    full = send("POST", "/classify", json.dumps({**body, "top_k": 18})).body["genres"]
    assert len(full) == 18
    assert genres == [g for rank, g in enumerate(full) if rank < top_k or g["selected"]]


def test_an_event_of_another_kind_is_named_as_such(deliver: Deliver) -> None:
    with pytest.raises(Exception, match="not an API Gateway REST proxy event"):
        deliver({"Records": []})


def test_a_trailing_slash_and_a_missing_content_type_do_not_matter(deliver: Deliver) -> None:
    event = proxy_event("POST", "/classify/", json.dumps({"text": "x"}), content_type=None)
    assert deliver(event).status == 200

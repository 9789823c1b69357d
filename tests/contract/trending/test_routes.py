"""What the trending function answers, and that every answer is as documented."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.openapi import assert_documented

if TYPE_CHECKING:
    from tests.contract.trending.conftest import Call

EVENTS = "/items/{item_id}/events"


def test_an_item_comes_with_what_happened_to_it(call: Call) -> None:
    call("POST", "/items/salt-road/events", '{"type": "like", "event_id": "e1"}')
    call("POST", "/items/salt-road/events", '{"type": "rating", "value": 7, "event_id": "e2"}')
    answer = call("GET", "/items/salt-road")
    assert answer.status == 200
    assert_documented("GET", "/items/{item_id}", answer)
    assert answer.body["title"] == "The Salt Road"
    assert answer.body["genres"] == [{"label": "Drama", "probability": 0.8}]
    assert answer.body["enriched_by"] == "local"
    assert answer.body["engagement"] == {
        "views": 0,
        "likes": 1,
        "dislikes": 0,
        "shares": 0,
        "ratings": 1,
        "mean_rating": 7.0,
    }
    assert answer.body["trending"]["day"] == pytest.approx(1 + 4 + 4 + 3.5)


@pytest.mark.parametrize(("sent", "mean"), [("1e-200", 0.0), ("7.345", 7.35), ("9.999", 10.0)])
def test_a_rating_counts_in_hundredths(call: Call, sent: str, mean: float) -> None:
    for event_id in ("e1", "e2"):
        body = f'{{"type": "rating", "value": {sent}, "event_id": "{event_id}"}}'
        assert call("POST", "/items/salt-road/events", body).status == 200
    assert call("GET", "/items/salt-road").body["engagement"]["mean_rating"] == mean


def test_a_pending_item_is_shown_as_pending(call: Call) -> None:
    answer = call("GET", "/items/pending-one")
    assert answer.status == 200
    assert_documented("GET", "/items/{item_id}", answer)
    assert (answer.body["status"], answer.body["summary"], answer.body["trending"]["day"]) == (
        "pending",
        None,
        0,
    )


def test_an_event_counts_once(call: Call) -> None:
    body = '{"type": "share", "event_id": "e1"}'
    first, again = (call("POST", "/items/lake/events", body) for _ in range(2))
    for answer, counted in ((first, True), (again, False)):
        assert answer.status == 200
        assert_documented("POST", EVENTS, answer)
        assert answer.body == {"item_id": "lake", "event_id": "e1", "counted": counted}
    assert call("GET", "/items/lake").body["engagement"]["shares"] == 1


def test_trending_ranks_and_follows_events(call: Call) -> None:
    answer = call("GET", "/trending")
    assert answer.status == 200
    assert_documented("GET", "/trending", answer)
    assert [entry["item"]["item_id"] for entry in answer.body["entries"]] == ["salt-road", "lake", "bus"]
    assert [entry["rank"] for entry in answer.body["entries"]] == [1, 2, 3]
    assert answer.body["entries"][0]["trending_score"] == pytest.approx(5)
    assert (answer.body["window"], answer.body["next"]) == ("day", None)
    call("POST", "/items/bus/events", '{"type": "share", "event_id": "e1"}')
    assert call("GET", "/trending").body["entries"][0]["item"]["item_id"] == "bus"


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"genre": "Drama"}, ["salt-road", "lake"]),
        ({"genre": "Comedy", "window": "week"}, ["lake", "bus"]),
        ({"genre": "War"}, []),
        ({"tag": "sisters"}, ["salt-road", "bus"]),
        ({"tag": "Slow Burn"}, ["bus"]),
        ({"tag": "nobody-has-this"}, []),
        ({"limit": "2"}, ["salt-road", "lake"]),
    ],
)
def test_trending_is_of_a_genre_or_a_tag(call: Call, query: dict[str, str], ids: list[str]) -> None:
    answer = call("GET", "/trending", query=query)
    assert answer.status == 200
    assert_documented("GET", "/trending", answer)
    assert [entry["item"]["item_id"] for entry in answer.body["entries"]] == ids


def test_a_cursor_leads_to_the_next_page(call: Call) -> None:
    first = call("GET", "/trending", query={"limit": "2"}).body
    second = call("GET", "/trending", query={"limit": "2", "cursor": first["next"]})
    assert second.status == 200
    assert [entry["item"]["item_id"] for entry in second.body["entries"]] == ["bus"]
    assert second.body["next"] is None


LONG = "x" * 17_000


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "status", "field"),
    [
        ("GET", "/items/nobody", None, None, 404, None),
        ("GET", "/items/" + "x" * 65, None, None, 422, "item_id"),
        ("GET", "/items/-", None, None, 422, "item_id"),
        ("GET", "/trending", {"limit": "0"}, None, 422, "limit"),
        ("GET", "/trending", {"limit": "10000"}, None, 422, "limit"),
        ("GET", "/trending", {"limit": "-1"}, None, 422, "limit"),
        ("GET", "/trending", {"limit": "ten"}, None, 422, "limit"),
        ("GET", "/trending", {"limit": "1.5"}, None, 422, "limit"),
        ("GET", "/trending", {"window": "year"}, None, 422, "window"),
        ("GET", "/trending", {"genre": "Noir"}, None, 422, "genre"),
        ("GET", "/trending", {"genre": "drama"}, None, 422, "genre"),
        ("GET", "/trending", {"genre": ""}, None, 422, "genre"),
        ("GET", "/trending", {"tag": "!!"}, None, 422, "tag"),
        ("GET", "/trending", {"tag": "x" * 200}, None, 422, "tag"),
        ("GET", "/trending", {"tag": "a", "genre": "Drama"}, None, 422, "tag"),
        ("GET", "/trending", {"cursor": "garbage"}, None, 422, "cursor"),
        ("GET", "/trending", {"cursor": "x" * 600}, None, 422, "cursor"),
        ("GET", "/trending", {"cursor": "ü"}, None, 422, "cursor"),
        ("POST", EVENTS, None, '{"type": "view", "event_id": "e"}', 404, None),
        ("POST", "/items/pending-one/events", None, '{"type": "view", "event_id": "e"}', 409, None),
        ("POST", "/items/lake/events", None, '{"type": "stare", "event_id": "e"}', 422, "type"),
        ("POST", "/items/lake/events", None, '{"type": "view"}', 422, "event_id"),
        ("POST", "/items/lake/events", None, '{"type": "view", "event_id": ""}', 422, "event_id"),
        ("POST", "/items/lake/events", None, '{"type": "view", "event_id": "a b"}', 422, "event_id"),
        ("POST", "/items/lake/events", None, '{"type": "view", "event_id": 7}', 422, "event_id"),
        ("POST", "/items/lake/events", None, '{"type": "rating", "event_id": "e"}', 422, None),
        ("POST", "/items/lake/events", None, '{"type": "view", "value": 3, "event_id": "e"}', 422, None),
        (
            "POST",
            "/items/lake/events",
            None,
            '{"type": "rating", "value": 11, "event_id": "e"}',
            422,
            "value",
        ),
        (
            "POST",
            "/items/lake/events",
            None,
            '{"type": "rating", "value": "9", "event_id": "e"}',
            422,
            "value",
        ),
        (
            "POST",
            "/items/lake/events",
            None,
            '{"type": "view", "event_id": "e", "at": "2020-01-01"}',
            422,
            "at",
        ),
        ("POST", "/items/lake/events", None, "{", 400, None),
        ("POST", "/items/lake/events", None, "[]", 422, None),
        ("POST", "/items/lake/events", None, json.dumps({"type": "view", "event_id": LONG}), 413, None),
    ],
)
def test_bad_input_is_refused_by_name_and_changes_nothing(
    call: Call,
    method: str,
    path: str,
    query: dict[str, str] | None,
    body: str | None,
    status: int,
    field: str | None,
) -> None:
    before = call("GET", "/trending").body
    answer = call(method, path.replace("{item_id}", "nobody"), body, query=query)
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["status"] == status
    if field is not None:
        assert [error["field"] for error in answer.body["errors"]] == [field]
    assert call("GET", "/trending").body == before


def test_a_cursor_of_another_query_is_refused(call: Call) -> None:
    cursor = call("GET", "/trending", query={"limit": "1"}).body["next"]
    answer = call("GET", "/trending", query={"limit": "1", "genre": "Drama", "cursor": cursor})
    assert answer.status == 422
    assert_documented("GET", "/trending", answer)
    assert answer.body["errors"][0]["field"] == "cursor"


def test_text_that_is_not_json_is_the_wrong_type(call: Call) -> None:
    assert call("POST", "/items/lake/events", "type=view", content_type="text/plain").status == 415

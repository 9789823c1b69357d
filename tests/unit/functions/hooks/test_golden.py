from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.hooks.golden import FOLDER, GoldenError, InvocationError, MessageCase, judge, load_suite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from functions.hooks.golden import Suite

Invoke = "Callable[[dict[str, Any]], Mapping[str, Any]]"
MODEL = {"name": "genre-bert", "version": "0.2.0"}
PROBLEM = {
    "type": "tag:trending-now,2026:invalid-input",
    "title": "Invalid input",
    "status": 422,
    "detail": "The request does not fit the schema: text must not be empty.",
    "instance": "/classify",
    "request_id": "golden",
    "errors": [{"field": "text", "reason": "must not be empty"}],
}


class Version:
    """A version of the classification function that answers each golden request as expected, until told otherwise."""

    def __init__(self, suite: Suite, clock: list[float]) -> None:
        self.expected = {case.event(0)["body"]: case.labels for case in suite.cases}
        self.clock = clock
        self.seconds = 0.05
        self.first_seconds: float | None = None
        self.labels: list[str] | None = None
        self.asked = 0

    def __call__(self, event: dict[str, Any]) -> Mapping[str, Any]:
        self.asked += 1
        first = self.first_seconds if self.asked == 1 else None
        self.clock[0] += self.seconds if first is None else first
        if event["httpMethod"] == "GET":
            body: dict[str, Any] = {
                "status": "ok",
                "service": "classification",
                "version": "0.1.0",
                "function_version": "7",
                "models": {"bert": MODEL},
            }
            return {"statusCode": 200, "body": json.dumps(body)}
        request = json.loads(event["body"])
        if "items" in request:
            items = [{"id": item["id"], "genres": self.genres(["Drama"])} for item in request["items"]]
            return {"statusCode": 200, "body": json.dumps({"items": items, "model": MODEL})}
        if not request["text"]:
            return {"statusCode": 422, "body": json.dumps(PROBLEM)}
        labels = self.labels if self.labels is not None else list(self.expected[event["body"]])
        return {"statusCode": 200, "body": json.dumps({"genres": self.genres(labels), "model": MODEL})}

    @staticmethod
    def genres(labels: list[str]) -> list[dict[str, Any]]:
        return [
            *({"label": label, "probability": 0.9, "selected": True} for label in labels),
            {"label": "History", "probability": 0.1, "selected": False},
        ]


@pytest.fixture
def suite() -> Suite:
    return load_suite("classification")


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def version(suite: Suite, clock: list[float]) -> Version:
    return Version(suite, clock)


def ask(suite: Suite, version: Callable[[dict[str, Any]], Mapping[str, Any]], clock: list[float]) -> Any:
    return judge(suite, version, max_ms=1_000, clock=lambda: clock[0])


def test_a_version_that_answers_as_expected_passes(
    suite: Suite, version: Version, clock: list[float]
) -> None:
    verdict = ask(suite, version, clock)
    assert verdict.passed, verdict.faults
    assert verdict.agreement == 1
    assert verdict.slowest_ms == pytest.approx(50)


def test_labels_that_disagree_with_the_golden_set_are_named(
    suite: Suite, version: Version, clock: list[float]
) -> None:
    version.labels = ["Western"]
    verdict = ask(suite, version, clock)
    assert not verdict.passed
    assert verdict.faults == ("1 of 13 expected labels were selected, less than 70%",)


def test_a_slow_version_is_refused_but_a_cold_start_is_not(
    suite: Suite, version: Version, clock: list[float]
) -> None:
    version.first_seconds = 8.0
    assert ask(suite, version, clock).passed
    version.seconds = 1.5
    faults = ask(suite, version, clock).faults
    assert len(faults) == len(suite.cases)
    assert faults[0] == "western: the answer took 1500 ms, more than 1000 ms"


def test_a_version_that_dies_is_refused_with_its_words(suite: Suite, clock: list[float]) -> None:
    def dead(_event: dict[str, Any]) -> Mapping[str, Any]:
        message = "the function failed (Unhandled): Runtime exited with error: signal: killed"
        raise InvocationError(message)

    faults = ask(suite, dead, clock).faults
    assert "western: the function failed (Unhandled): Runtime exited with error: signal: killed" in faults


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        ({"statusCode": 500, "body": "{}"}, "western: status 500, not 200"),
        ({"statusCode": 200, "body": "<html>"}, "western: the body is not JSON"),
        ({"statusCode": 200, "body": None}, "western: the body is not JSON"),
        (
            {"statusCode": 200, "body": '{"model": {"name": "a", "version": "1"}}'},
            "western: answer lacks genres",
        ),
        (
            {
                "statusCode": 200,
                "body": '{"genres": [{"label": "Noir", "probability": 0.5, "selected": true}], '
                '"model": {"name": "a", "version": "1"}}',
            },
            "western: answer.genres[0].label is 'Noir', none of",
        ),
        (
            {
                "statusCode": 200,
                "body": '{"genres": [{"label": "War", "probability": 1.5, "selected": true}], '
                '"model": {"name": "a", "version": "1"}}',
            },
            "western: answer.genres[0].probability is 1.5, above 1",
        ),
    ],
)
def test_an_answer_that_breaks_the_contract_is_named(
    suite: Suite, clock: list[float], response: dict[str, Any], fault: str
) -> None:
    faults = ask(suite, lambda _event: response, clock).faults
    assert any(found.startswith(fault) for found in faults), faults


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_golden_file_can_be_used_and_writes_nothing(path: Path) -> None:
    suite = load_suite(path.stem)
    assert len({case.name for case in suite.cases}) == len(suite.cases)
    for case in suite.cases:
        if isinstance(case, MessageCase):  # tests/contract/hooks shows what becomes of a message
            continue
        method = case.request["method"]
        writes = method != "GET" and not case.request["path"].startswith("/classify")
        assert not writes or case.status >= 400, f"{case.name} would change something"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "broken.json: Expecting property name"),
        ('{"schemas": {}}', "broken.json: 'cases' is missing"),
        ('{"schemas": {}, "cases": []}', "broken.json: it asks nothing"),
        ('{"schemas": {}, "cases": [{"name": "a", "message": "b"}]}', "broken.json: 'failed' is missing"),
        (
            '{"schemas": {"a": {"pattern": "x"}}, "cases": []}',
            "broken.json: a: the keyword 'pattern' cannot be checked",
        ),
        ('{"schemas": {"a": {"type": "text"}}, "cases": []}', "broken.json: a: unknown type 'text'"),
    ],
)
def test_a_broken_golden_file_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(GoldenError, match=r"^" + reason.replace("(", r"\(")):
        load_suite("broken", tmp_path)


@pytest.fixture
def messages(tmp_path: Path) -> Suite:
    cases = [
        {"name": "good", "message": {"a": 1}, "failed": False},
        {"name": "bad", "message": "no JSON", "failed": True},
    ]
    (tmp_path / "messages.json").write_text(json.dumps({"schemas": {}, "cases": cases}))
    return load_suite("messages", tmp_path)


def test_a_message_comes_as_lambda_brings_it(messages: Suite, clock: list[float]) -> None:
    bodies = []

    def reader(event: dict[str, Any]) -> Mapping[str, Any]:
        (record,) = event["Records"]
        assert record["attributes"]["ApproximateReceiveCount"] == "1"
        bodies.append(record["body"])
        failed = [] if record["body"].startswith("{") else [{"itemIdentifier": record["messageId"]}]
        return {"batchItemFailures": failed}

    assert ask(messages, reader, clock).passed
    assert set(bodies) == {'{"a": 1}', "no JSON"}


@pytest.mark.parametrize(
    ("answer", "faults"),
    [
        ({"batchItemFailures": []}, ("bad: the answer is not {",)),
        ({"batchItemFailures": [{"itemIdentifier": "golden-bad"}]}, ("good: the answer is not {",)),
        ({"batchItemFailures": None}, ("good: the answer is not {", "bad: the answer is not {")),
        ({}, ("good: the answer is not {", "bad: the answer is not {")),
        ({"statusCode": 200, "body": "{}"}, ("good: the answer is not {", "bad: the answer is not {")),
    ],
)
def test_a_wrong_partial_batch_response_is_refused(
    messages: Suite, clock: list[float], answer: dict[str, Any], faults: tuple[str, ...]
) -> None:
    found = ask(messages, lambda _event: answer, clock).faults
    assert len(found) == len(faults)
    assert all(one.startswith(fault) for one, fault in zip(found, faults, strict=True)), found


def test_a_missing_golden_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GoldenError, match=r"^there are no golden requests nothing\.json$"):
        load_suite("nothing", tmp_path)

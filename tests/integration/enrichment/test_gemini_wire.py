"""The Gemini client over a real socket: what it sends, and what each misbehaviour becomes."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from functions.enrichment.gemini import MAX_REPLY_BYTES, GeminiClient
from functions.enrichment.llm import FailureKind, LlmError, LlmReply, LlmRequest
from functions.enrichment.prompts import load_prompt
from tests.support.enrichment import GOOD, KEY, draft
from tests.support.scripted_server import (
    ScriptedServer,
    breaks_off,
    drops,
    fails,
    gives,
    hangs,
    raw,
    redirects,
    says,
    trickles,
)

if TYPE_CHECKING:
    from tests.support.scripted_server import Step

MODEL = "gemini-2.5-flash-lite"
REQUEST: LlmRequest = load_prompt("v1").render(draft())


def ask(server: ScriptedServer, *, timeout_s: float = 60.0, path: str = "") -> LlmReply:
    client = GeminiClient(api_key=SecretStr(KEY), model=MODEL, endpoint=server.url + path)
    return client.generate(REQUEST, timeout_s=timeout_s)


def failure(step: Step, *, timeout_s: float = 60.0) -> LlmError:
    with ScriptedServer(step) as server, pytest.raises(LlmError) as caught:
        ask(server, timeout_s=timeout_s)
    assert len(server.seen) == 1, "the library retries by itself"
    return caught.value


def test_a_question_carries_instruction_item_schema_and_key() -> None:
    with ScriptedServer(says(GOOD)) as server:
        reply = ask(server, path="/gemini")
    (seen,) = server.seen
    assert reply == LlmReply(text=GOOD, model=MODEL, input_tokens=100, output_tokens=20)
    assert seen.path.startswith(f"/gemini/v1beta/models/{MODEL}:generateContent")
    assert KEY not in seen.path
    assert seen.headers["x-goog-api-key"] == KEY
    body = seen.json
    assert body["systemInstruction"]["parts"][0]["text"] == REQUEST.system
    assert body["contents"] == [{"role": "user", "parts": [{"text": REQUEST.turns[0].text}]}]
    config = body["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["maxOutputTokens"] == REQUEST.max_output_tokens
    schema = config["responseSchema"]
    label = schema["properties"]["genres"]["items"]["properties"]["label"]
    assert len(label["enum"]) == 18
    assert int(schema["properties"]["genres"]["maxItems"]) == 4
    assert sorted(schema["required"]) == ["genres", "score", "summary", "tags"]


def test_a_thinking_models_thoughts_are_counted_as_output() -> None:
    with ScriptedServer(says(GOOD, tokens=(100, 20, 190))) as server:
        assert ask(server).output_tokens == 90


def test_counts_below_nothing_are_none() -> None:
    with ScriptedServer(says(GOOD, tokens=(-5, -20, -25))) as server:
        assert ask(server) == LlmReply(text=GOOD, model=MODEL, input_tokens=0, output_tokens=0)
    with ScriptedServer(says(GOOD, tokens=(-5, 20, 20))) as server:
        assert ask(server) == LlmReply(text=GOOD, model=MODEL, input_tokens=0, output_tokens=20)


def test_a_reason_to_finish_that_the_library_does_not_know_is_none_to_refuse() -> None:
    with ScriptedServer(says(GOOD, finish=15)) as server:
        assert ask(server).text == GOOD


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_is_not_followed_with_key_and_text(status: int) -> None:
    with ScriptedServer(says(GOOD)) as other:
        error = failure(redirects(other.url, status=status))
    assert error.kind is FailureKind.REQUEST_REFUSED
    assert other.seen == []


def test_a_second_question_repeats_the_conversation() -> None:
    repair = load_prompt("v1").render_repair(REQUEST, "prose", "it is not a complete JSON object")
    with ScriptedServer(says(GOOD)) as server:
        GeminiClient(api_key=SecretStr(KEY), model=MODEL, endpoint=server.url).generate(repair, timeout_s=60)
    roles = [turn["role"] for turn in server.seen[0].json["contents"]]
    assert roles == ["user", "model", "user"]


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (fails(400), FailureKind.REQUEST_REFUSED),
        (fails(403), FailureKind.KEY_REFUSED),
        (
            fails(
                400,
                details=[
                    {
                        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": "API_KEY_INVALID",
                        "domain": "googleapis.com",
                    }
                ],
            ),
            FailureKind.KEY_REFUSED,
        ),
        (fails(404), FailureKind.REQUEST_REFUSED),
        (fails(408), FailureKind.OVERLOADED),
        (fails(429), FailureKind.RATE_LIMITED),
        (fails(500), FailureKind.OVERLOADED),
        (fails(503), FailureKind.OVERLOADED),
        (fails(504), FailureKind.OVERLOADED),
        (raw(b"<html>Bad gateway</html>", status=502), FailureKind.OVERLOADED),
        (raw(b"[]", status=500), FailureKind.OVERLOADED),
        (raw(b'{"error": "no"}', status=500), FailureKind.MALFORMED_REPLY),
        (raw(b'{"error": {"details": [7]}}', status=503), FailureKind.MALFORMED_REPLY),
        (raw(b"[" * 100_000, status=503), FailureKind.MALFORMED_REPLY),
        (raw(b"[" * 100_000), FailureKind.MALFORMED_REPLY),
        (raw(b'{"candidates": 7}'), FailureKind.MALFORMED_REPLY),
        (drops, FailureKind.CONNECTION),
        (breaks_off, FailureKind.CONNECTION),
        (raw(b'{"candidates": [{"content": {"par'), FailureKind.MALFORMED_REPLY),
        (raw(b"\xff\xfe not text"), FailureKind.MALFORMED_REPLY),
        (raw(b"x" * (MAX_REPLY_BYTES + 1)), FailureKind.REPLY_TOO_LARGE),
        (says("x" * 10_000_000), FailureKind.REPLY_TOO_LARGE),
        (gives({"promptFeedback": {"blockReason": "SAFETY"}}), FailureKind.BLOCKED),
        (gives({"promptFeedback": {"blockReason": 77}}), FailureKind.BLOCKED),
        (says("", finish="SAFETY"), FailureKind.BLOCKED),
        (says("", finish="PROHIBITED_CONTENT"), FailureKind.BLOCKED),
    ],
)
def test_each_misbehaviour_has_its_kind(step: Step, kind: FailureKind) -> None:
    assert failure(step).kind is kind


def test_401_is_sent_again_by_the_library_at_most_twice() -> None:
    with ScriptedServer(fails(401)) as server, pytest.raises(LlmError) as caught:
        ask(server)
    assert caught.value.kind is FailureKind.KEY_REFUSED
    assert len(server.seen) <= 3


@pytest.mark.parametrize("step", [hangs, trickles])
def test_a_hang_and_a_trickle_end_at_the_deadline(step: Step) -> None:
    # The server would go on for minutes, and end a hang in another way.
    with ScriptedServer(step) as server, pytest.raises(LlmError) as caught:
        ask(server, timeout_s=0.3)
    assert caught.value.kind is FailureKind.TIMEOUT


@pytest.mark.parametrize(
    "step",
    [
        gives({}),
        gives({"candidates": []}),
        raw(b"[]"),
        gives({"candidates": [{"finishReason": "STOP"}]}),
        gives({"candidates": [{"content": {"parts": []}, "finishReason": "MAX_TOKENS"}]}),
    ],
)
def test_an_empty_candidate_is_an_empty_text(step: Step) -> None:
    with ScriptedServer(step) as server:
        assert ask(server).text == ""


def test_retry_after_is_read_in_each_of_its_forms() -> None:
    assert failure(fails(429)).retry_after_s is None
    assert failure(fails(429, headers={"Retry-After": "7"})).retry_after_s == 7
    assert failure(fails(503, headers={"Retry-After": "0"})).retry_after_s == 0
    assert failure(fails(429, headers={"Retry-After": "soon"})).retry_after_s is None
    assert failure(fails(429, headers={"Retry-After": "-1"})).retry_after_s is None
    assert failure(fails(429, headers={"Retry-After": "nan"})).retry_after_s is None
    for beyond in (
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2029 00:00:00 +99999999999999999999",
    ):
        assert failure(fails(503, headers={"Retry-After": beyond})).retry_after_s is None
    moment = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert failure(fails(429, headers={"Retry-After": moment})).retry_after_s == pytest.approx(3600, abs=600)
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17.5s"}
    assert failure(fails(429, details=[info])).retry_after_s == 17.5


@pytest.mark.parametrize("step", [fails(403, message=f"bad key {KEY}"), drops, raw(KEY.encode())])
def test_the_key_is_in_no_error_and_no_log(
    step: Step, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        error = failure(step)
        logging.getLogger("test").exception("failed", exc_info=error)
    shown = [repr(error), str(error), caplog.text, *capfd.readouterr()]
    assert not any(KEY in text for text in shown)
    assert json.loads(GOOD)["summary"] not in caplog.text
    assert "smuggle" not in caplog.text

"""A model's text is accepted, cleaned or refused; it is never trusted."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.enrichment.prompts import load_prompt
from functions.enrichment.validation import InvalidAnswer, plain, read_answer, unfenced
from tests.support.enrichment import ANSWER, GOOD
from trending_core.genres import GENRES

INSTRUCTION = load_prompt("v1").instruction


def read(text: str) -> Any:
    return read_answer(text, instruction=INSTRUCTION)


def refused(text: str) -> str:
    with pytest.raises(InvalidAnswer) as caught:
        read(text)
    return str(caught.value)


def changed(**changes: Any) -> str:
    return json.dumps({**ANSWER, **changes})


def test_a_good_answer_is_read() -> None:
    answer = read(GOOD)
    assert [genre.label.value for genre in answer.genres] == ["Thriller", "Drama"]
    assert answer.score == 8.25
    assert answer.tags == ("smuggling", "closed-border", "sisters")
    assert read(f"```json\n{GOOD}\n```") == answer
    assert read(f"  \n{GOOD}\n") == answer


@given(
    st.lists(st.sampled_from(["```", "json", "`", "\n", " ", "\r\n", "\t", "{}", "a b"]), max_size=8).map(
        "".join
    )
)
def test_a_fence_is_taken_off_as_the_plain_pattern_takes_it(text: str) -> None:
    fenced = re.match(r"```(?:json)?\s*\n(.*?)\n?```\Z", text.strip(), re.DOTALL)
    assert unfenced(text) == (fenced[1].strip() if fenced else text)


def test_a_million_lines_in_a_fence_that_does_not_end_are_no_fence() -> None:
    # Tried from each line anew, this would take hours.
    for text in ("```" + "\n" * 1_000_000 + "x", "```json" + " \n" * 500_000 + "``"):
        assert unfenced(text) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("Certainly! Here it is.", "not a complete JSON object"),
        (GOOD[:-5], "not a complete JSON object"),
        (f"{GOOD} {GOOD}", "not a complete JSON object"),
        ("[" * 10_000, "not a complete JSON object"),
        ("x" * 20_001, "longer than 20000"),
        ("null", "the answer"),
        ("[]", "the answer"),
        ("{}", "genres: Field required"),
        (changed(score="eleven"), "score"),
        (changed(score="8"), "score"),
        (changed(score=11), "score"),
        (changed(score=-0.1), "score"),
        (changed(score=None), "score"),
        (changed(score=True), "score"),
        (GOOD.replace("8.25", "NaN"), "score"),
        (GOOD.replace("8.25", "1e999"), "score"),
        (changed(genres=[]), "genres"),
        (changed(genres=[{"label": "Noir", "confidence": 1}]), "genres.label: not one of the 18 genres"),
        (changed(genres=[{"label": "drama", "confidence": 1}]), "not one of the 18"),
        (changed(genres=[{"label": "Drama", "confidence": 2}]), "genres.confidence"),
        (changed(genres=[{"label": "Drama", "confidence": 1}] * 2), "named twice"),
        (changed(genres=[{"label": name, "confidence": 1} for name in GENRES[:5]]), "genres"),
        (changed(summary="Short."), "shorter than a sentence"),
        (changed(summary="word " * 250), "longer than 1000"),
        (changed(summary="x" * 4_001), "summary"),
        (changed(summary=["a", "b"]), "summary"),
        (changed(tags=[]), "tags"),
        (changed(tags=["!!", "\u200b"]), "no tag"),
        (changed(tags="one"), "tags"),
        (changed(tags=["x"] * 51), "tags"),
        (changed(summary=INSTRUCTION[200:420]), "repeats the instruction"),
        (changed(summary=f"A film. {INSTRUCTION[300:400].upper()}"), "repeats the instruction"),
    ],
)
def test_what_is_wrong_is_said_without_quoting_the_answer(text: str, reason: str) -> None:
    assert reason in refused(text)


def test_a_refusal_quotes_nothing_that_the_model_made_up() -> None:
    assert "pwned" not in refused(changed(genres=[{"label": "pwned", "confidence": 1}]))
    assert "pwned" not in refused(
        json.dumps({**{k: v for k, v in ANSWER.items() if k != "score"}, "pwned": 1})
    )


def test_markup_and_control_characters_are_taken_out() -> None:
    hostile = "Two <b>sisters</b> <script>alert(1)</script>\x00\x1b[31m smuggle\u202e salt\u200b\nat <img src=x onerror=y"
    answer = read(changed(summary=hostile, tags=["<i>salt</i>", "Salt", "salt "]))
    assert answer.summary == "Two sisters alert(1) [31m smuggle salt at"
    assert answer.tags == ("salt",)


def test_unknown_fields_are_dropped() -> None:
    assert read(changed(item_id="other", enriched_by="me")) == read(GOOD)


@given(st.text(max_size=300))
def test_plain_text_is_one_line_of_visible_characters(text: str) -> None:
    cleaned = plain(text)
    assert plain(cleaned) == cleaned
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"} for character in cleaned)
    assert "\n" not in cleaned
    assert "<script" not in cleaned


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(sorted(ANSWER)), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_any_json_is_either_a_valid_answer_or_refused(value: Any) -> None:
    try:
        answer = read(json.dumps(value))
    except InvalidAnswer:
        return
    assert 0 <= answer.score <= 10

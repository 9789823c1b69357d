"""Identity and keys of an upload."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.classification.uploads.upload import MAX_KEY_BYTES, RESULTS, Upload

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(lambda name: f"uploads/{name}")
short_keys = keys.filter(lambda key: len(key.encode()) <= MAX_KEY_BYTES)


def test_what_comes_of_it_lies_beside_it() -> None:
    upload = Upload("files", "uploads/a/b.csv", "v1", "e1")
    assert upload.results == "results/a/b.csv.jsonl"
    assert upload.errors == "results/a/b.csv.errors.jsonl"
    assert upload.summary == "results/a/b.csv.summary.json"
    assert upload.chunk(7) == f"work/{upload.id}/00000007"


def test_it_is_told_by_its_version_and_without_one_by_its_etag() -> None:
    assert Upload("b", "k", "v1", "e1").id == Upload("b", "k", "v1", "other").id
    assert Upload("b", "k", "v1", "e1").id != Upload("b", "k", "v2", "e1").id
    assert Upload("b", "k", None, "e1").id != Upload("b", "k", None, "e2").id
    assert Upload("b", "k", None, "v1").id != Upload("b", "k", "v1", "e1").id


@given(short_keys)
def test_every_key_that_s3_takes_has_result_keys_that_s3_takes(key: str) -> None:
    upload = Upload("files", key, "v1", "e1")
    for made in (upload.results, upload.errors, upload.summary):
        assert made.startswith(RESULTS)
        assert len(made.encode()) <= MAX_KEY_BYTES


@pytest.mark.parametrize("letter", ["x", "é", "映"])
def test_keys_too_long_for_an_ending_are_told_apart(letter: str) -> None:
    name = letter * ((MAX_KEY_BYTES - 9) // len(letter.encode()))
    first, second = (Upload("files", f"uploads/{name}{end}", "v1", "e1") for end in "ab")
    assert len({first.results, second.results, first.summary, second.summary}) == 4
    assert max(len(key.encode()) for key in (first.summary, first.errors)) <= MAX_KEY_BYTES

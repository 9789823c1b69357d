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


stems = st.sampled_from(["a", "plots.csv", "映.csv", "x" * 1000, "x" * 990])
ends = st.sampled_from(
    ["", ".errors", ".summary", ".jsonl", ".json", ".errors.jsonl", "~0123456789abcdef", "/b"]
)
tricky = st.builds(lambda stem, more: stem + "".join(more), stems, st.lists(ends, max_size=3))
told_apart = tricky.map(
    lambda name: Upload("files", f"uploads/{name}", "v1", "e1").results.removesuffix(".jsonl")
)
"""Names that look like those of others' results."""
names = st.one_of(tricky, told_apart.map(lambda base: base.removeprefix(RESULTS)))


@given(st.lists(names.filter(lambda name: len(name.encode()) <= MAX_KEY_BYTES - 8), unique=True, min_size=2))
def test_no_two_uploads_share_a_name(found: list[str]) -> None:
    uploads = [Upload("files", f"uploads/{name}", "v1", "e1") for name in found]
    made = [name for upload in uploads for name in (upload.results, upload.errors, upload.summary)]
    assert len(set(made)) == 3 * len(uploads)
    assert max(len(name.encode()) for name in made) <= MAX_KEY_BYTES


def test_results_of_a_file_named_like_errors_are_no_errors() -> None:
    plots, other = (Upload("files", f"uploads/plots.csv{end}", "v1", "e1") for end in ("", ".errors"))
    assert plots.errors == "results/plots.csv.errors.jsonl"
    assert other.results.startswith("results/plots.csv.errors~")


@pytest.mark.parametrize("letter", ["x", "é", "映"])
def test_keys_too_long_for_an_ending_are_told_apart(letter: str) -> None:
    name = letter * ((MAX_KEY_BYTES - 9) // len(letter.encode()))
    first, second = (Upload("files", f"uploads/{name}{end}", "v1", "e1") for end in "ab")
    assert len({first.results, second.results, first.summary, second.summary}) == 4
    assert max(len(key.encode()) for key in (first.summary, first.errors)) <= MAX_KEY_BYTES

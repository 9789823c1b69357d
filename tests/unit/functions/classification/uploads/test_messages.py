"""S3's notifications are read as S3 writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.classification.uploads.errors import UploadFailed
from functions.classification.uploads.messages import read_message, write_message
from functions.classification.uploads.upload import Upload

EVENT = Path(__file__).parents[4] / "events" / "s3_upload.json"


def event(**changes: Any) -> str:
    """Give the raw event with other values in its object."""
    content = json.loads(EVENT.read_text(encoding="utf-8"))
    content["Records"][0]["s3"]["object"] |= changes
    return json.dumps(content)


def test_a_raw_event_is_one_upload() -> None:
    assert read_message(event()) == [
        Upload(
            bucket="trending-now-dev-files",
            key="uploads/été 2026/a+b.csv",
            version="096fKKXTRTtl3on89fVO.nfljtsv6qko",
            etag="0123456789abcdef0123456789abcdef",
        )
    ]


def test_without_versions_the_version_is_none() -> None:
    content = json.loads(event())
    del content["Records"][0]["s3"]["object"]["versionId"]
    assert read_message(json.dumps(content))[0].version is None


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=900).filter(
        lambda name: not name.endswith("/")
    )
)
def test_every_key_comes_back_as_it_was(name: str) -> None:
    upload = Upload("files", f"uploads/{name}", "v1", "e1")
    assert read_message(write_message(upload)) == [upload]


@pytest.mark.parametrize("key", ["results/a.csv.jsonl", "work/1/0", "uploads/", "uploads/a/", "a.csv"])
def test_what_is_no_upload_is_left_out(key: str) -> None:
    assert read_message(event(key=key)) == []


def test_the_test_event_is_left_out() -> None:
    assert (
        read_message(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "files"})) == []
    )


def test_removals_are_left_out() -> None:
    content = json.loads(event())
    content["Records"][0]["eventName"] = "ObjectRemoved:Delete"
    assert read_message(json.dumps(content)) == []


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not JSON",
        "[]",
        "3",
        "{}",
        '{"Records": 1}',
        '{"Records": [1]}',
        '{"Records": [{}]}',
        "[" * 5000,
        '{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"object": {}}}]}',
        '{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3":'
        ' {"bucket": {"name": "b"}, "object": {"key": "", "eTag": "e"}}}]}',
    ],
)
def test_anything_else_is_refused_with_a_sentence(body: str) -> None:
    with pytest.raises(UploadFailed, match=r"^The message is no event notification of S3\.$"):
        read_message(body)

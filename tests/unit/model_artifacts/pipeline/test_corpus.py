from __future__ import annotations

import gzip
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from model_artifacts.pipeline.corpus import UNSTATED, read_titles
from model_artifacts.pipeline.errors import CorpusError

if TYPE_CHECKING:
    from pathlib import Path

GOOD: dict[str, Any] = {
    "id": "a",
    "source": "s",
    "title": "T",
    "genres": ["Drama"],
    "synopsis": "A plot.",
    "alt_synopses": [{"synopsis": "A blurb."}],
}


def write(path: Path, *lines: object) -> Path:
    rows = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_texts_hold_the_synopsis_first(tmp_path: Path) -> None:
    (title,) = read_titles(write(tmp_path / "c.jsonl", GOOD))

    assert title.texts == ("A plot.", "A blurb.")
    assert title.genres == ("Drama",)


def test_a_licence_is_kept_in_the_corpus_own_words_and_may_be_unstated(tmp_path: Path) -> None:
    stated: list[dict[str, Any]] = [
        {"licence": "CC BY-SA 4.0 (text)"},
        {"licence": None},
        {"licence": ""},
        {},
    ]
    lines = [{**GOOD, "id": str(n), **licence} for n, licence in enumerate(stated)]

    titles = read_titles(write(tmp_path / "c.jsonl", *lines))

    assert [title.licence for title in titles] == ["CC BY-SA 4.0 (text)", UNSTATED, UNSTATED, UNSTATED]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "Expecting property name"),
        ("7", "expected an object, found int"),
        ({**GOOD, "genres": ["Noir"]}, "unknown genre 'Noir'"),
        ({**GOOD, "genres": []}, "'genres' is missing, empty"),
        ({**GOOD, "synopsis": " "}, "'synopsis' is missing, empty"),
        ({k: v for k, v in GOOD.items() if k != "title"}, "'title' is missing"),
        ({**GOOD, "alt_synopses": [{}]}, "'synopsis' is missing"),
        ({**GOOD, "alt_synopses": 3}, "'alt_synopses' is not a list"),
        ({**GOOD, "genres": [{"id": 18, "name": "Drama"}]}, "unknown genre {'id': 18"),
        ("[" * 100_000, "recursion"),
        ({**GOOD, "id": "c", "synopsis": "Half \ud800 of a pair."}, "surrogates not allowed"),
        ({**GOOD, "id": "c", "licence": ["MIT"]}, "'licence' is missing, empty or not a string"),
        (GOOD, "id 'a' is that of line 1"),
    ],
)
def test_a_flawed_line_is_named_by_file_and_line_and_can_be_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, line: object, sentence: str
) -> None:
    path = write(tmp_path / "c.jsonl", GOOD, "", line, {**GOOD, "id": "b"})

    with pytest.raises(CorpusError, match=rf"c\.jsonl:3: .*{sentence}"):
        list(read_titles(path))

    with caplog.at_level(logging.WARNING):
        assert [title.id for title in read_titles(path, skip_bad_lines=True)] == ["a", "b"]
    assert "c.jsonl:3" in caplog.text


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_bytes(b'{"id": "\xff"}\n')

    with pytest.raises(CorpusError, match=r"c\.jsonl:1: "):
        list(read_titles(tmp_path / "c.jsonl"))


@pytest.mark.parametrize("skip", [True, False])
def test_a_file_cut_in_half_always_stops(tmp_path: Path, *, skip: bool) -> None:
    rows = "".join(json.dumps({**GOOD, "id": f"a{n}"}) + "\n" for n in range(500))
    whole = gzip.compress(rows.encode())
    (tmp_path / "c.jsonl.gz").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(CorpusError, match=r"c\.jsonl\.gz:\d+: cannot read on"):
        list(read_titles(tmp_path / "c.jsonl.gz", skip_bad_lines=skip))


def test_a_packed_file_with_a_wrong_byte_always_stops(tmp_path: Path) -> None:
    whole = gzip.compress((json.dumps(GOOD) + "\n").encode())
    for place in range(10, len(whole)):
        (tmp_path / "c.jsonl.gz").write_bytes(
            whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        )

        with pytest.raises(CorpusError, match=r"c\.jsonl\.gz:\d+: "):
            list(read_titles(tmp_path / "c.jsonl.gz"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"none\.jsonl:1: cannot read on"):
        list(read_titles(tmp_path / "none.jsonl"))

"""A row of an upload gets the answer of a single `POST /classify`: every length, every format, every kind of model."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from functions.classification.files.rows import Row
from functions.classification.routes import build_app
from functions.classification.service import Classifier
from functions.classification.uploads.settings import UploadSettings
from functions.classification.uploads.wiring import load_model
from genre_model import GENRES, GenreModel
from model_artifacts.registry import Registry
from tests.support.gateway import Context, proxy_event, read
from tests.support.uploads import Depot
from trending_core.http import handle

if TYPE_CHECKING:
    from pathlib import Path

    from cdk.local.emulator import Emulator
    from functions.classification.uploads.worker import Model

ROWS = 90
TWO_VCPUS_MB = 2 * 1769
WORDS = [
    *[
        "a",
        "the",
        "of",
        "and",
        "in",
        "on",
        "he",
        "she",
        "it",
        "is",
        "was",
        "not",
        "who",
        "what",
        "town",
        "river",
        "war",
        "love",
        "ghost",
        "ship",
        "storm",
        "sister",
    ],
    *[
        "detective",
        "murder",
        "robot",
        "planet",
        "heist",
        "wedding",
        "desert",
        "school",
        "laughter",
        "tragedy",
        "1943",
        "café",
        "naïve",
        "Zürich",
    ],
    *["東京", "кино", "😀", "don't", "well-known", "(sic)", '"quoted"', "a,b", "a;b", "tab\tbed"],
]


def texts(count: int) -> list[Row]:
    """Make rows from one word to several windows and beyond what is read, with and without title, line ends inside."""
    chance = random.Random(20261122)
    rows = []
    for number in range(count):
        words = int(2 ** chance.uniform(0, 11 if number % 10 == 0 else 8))
        joint = chance.choice([" ", " ", "  ", "\n"])
        title = " ".join(chance.choices(WORDS, k=chance.randint(1, 12))).strip()
        rows.append(
            Row(
                number,
                id=f"r{number}",
                text=joint.join(chance.choices(WORDS, k=words)) + "!",
                title=title if number % 3 else None,
            )
        )
    return rows


def as_csv(rows: list[Row], delimiter: str) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter)
    writer.writerow(["title", "id", "text"])
    writer.writerows([row.title or "", row.id, row.text] for row in rows)
    return stream.getvalue().encode()


def as_jsonl(rows: list[Row], *, escaped: bool) -> bytes:
    records = ({"id": row.id, "text": row.text, "title": row.title} for row in rows)
    return "".join(json.dumps(record, ensure_ascii=escaped) + "\n" for record in records).encode()


@pytest.fixture(scope="module", params=["genre-bert", "genre-xgboost"])
def folder(request: pytest.FixtureRequest) -> Path:
    return Registry.load().resolve(request.param)


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    """What the upload function loads at init, with two vCPUs."""
    named = {
        name: "none"
        for name, field in UploadSettings.model_fields.items()
        if field.is_required() and name != "genre_model_dir"
    }
    settings: Any = {**named, "genre_model_dir": folder, "aws_lambda_function_memory_size": TWO_VCPUS_MB}
    return load_model(UploadSettings(**settings))


@pytest.fixture(scope="module")
def singly(folder: Path) -> dict[str, tuple[dict[str, float], list[str]]]:
    """Scores and selected genres of each text, asked for one by one."""
    app = build_app(Classifier({"bert": GenreModel.load(folder)}))
    found = {}
    for row in texts(ROWS):
        body = {"text": row.text, "top_k": len(GENRES)} | ({"title": row.title} if row.title else {})
        event = proxy_event("POST", "/classify", json.dumps(body))
        answer = read(handle(app, event, Context()))  # type: ignore[arg-type]  # as much of a context as is read
        assert answer.status == 200, answer.text
        genres = answer.body["genres"]
        found[row.id] = (
            {genre["label"]: genre["probability"] for genre in genres},
            [genre["label"] for genre in genres if genre["selected"]],
        )
    return found


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", as_csv(texts(ROWS), ",")),
        ("b.tsv", as_csv(texts(ROWS)[::-1], "\t")),
        ("c.jsonl", b"\xef\xbb\xbf" + as_jsonl(texts(ROWS), escaped=True)),
        ("d.jsonl.gz", gzip.compress(as_jsonl(texts(ROWS)[::2] + texts(ROWS)[1::2], escaped=False))),
    ],
)
def test_every_row_has_the_answer_of_a_request_of_its_own(
    emulator: Emulator,
    model: Model,
    singly: dict[str, tuple[dict[str, float], list[str]]],
    name: str,
    content: bytes,
) -> None:
    assert model.threads == min(2, len(os.sched_getaffinity(0)))
    depot = Depot(emulator.endpoint_url)
    upload = depot.put(f"uploads/{name}", content)
    depot.drain(depot.batches(model, chunk_rows=40))
    results = [json.loads(line) for line in depot.read(upload.results).splitlines()]
    assert {result["id"]: (result["scores"], result["genres"]) for result in results} == singly
    assert len(results) == ROWS

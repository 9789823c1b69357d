"""What `prepare` writes down of the corpus it read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from model_artifacts.pipeline.prepare import prepare
from model_artifacts.pipeline.recipe import PrepareRecipe

if TYPE_CHECKING:
    from pathlib import Path


def test_titles_are_counted_by_source_and_licence(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    stated: dict[str, list[tuple[str, str | None]]] = {
        "train": [
            ("plots", "CC BY-SA"),
            ("blurbs", "CC0"),
            ("plots", "MIT"),
            ("blurbs", "CC0"),
            ("plots", None),
        ],
        "validation": [("blurbs", "CC0")],
    }
    for split, rows in stated.items():
        lines = [
            {"id": str(n), "source": source, "title": "T", "genres": ["Drama"], "synopsis": "A plot."}
            | ({} if licence is None else {"licence": licence})
            for n, (source, licence) in enumerate(rows)
        ]
        (corpus / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    prepare(corpus=corpus, out=tmp_path / "out", recipe=PrepareRecipe())

    written = json.loads((tmp_path / "out" / "prepare.json").read_text())["corpus"]
    assert written["train"]["sources"] == [
        {"source": "blurbs", "licence": "CC0", "titles": 2},
        {"source": "plots", "licence": "CC BY-SA", "titles": 1},
        {"source": "plots", "licence": "MIT", "titles": 1},
        {"source": "plots", "licence": "unstated", "titles": 1},
    ]
    assert written["validation"]["sources"] == [{"source": "blurbs", "licence": "CC0", "titles": 1}]

"""Step 1, prepare: corpus files -> tokenized examples, labels, and which labels each source knows."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from genre_model.labels import GENRES
from model_artifacts.pipeline.base_model import write_serving_tokenizer
from model_artifacts.pipeline.corpus import Title, read_titles
from model_artifacts.pipeline.errors import CorpusError
from model_artifacts.pipeline.examples import Examples, Ragged
from model_artifacts.pipeline.files import sha256, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from model_artifacts.pipeline.recipe import PrepareRecipe

logger = logging.getLogger(__name__)

_INDEX = {genre: i for i, genre in enumerate(GENRES)}


def absent_labels(titles: Sequence[Title], *, ratio: float, minimum: int) -> dict[str, tuple[str, ...]]:
    """Find the labels that a source does not use at all, or only by accident.

    Streaming catalogues have their own taxonomies: one has no "Crime", another no "War". There a missing
    label is no evidence against the genre, so training masks it. A label counts as absent when the
    source has it on less than ``ratio`` of the titles that its size and the label's overall share make
    one expect, and that expectation is at least ``minimum`` titles (small sources prove nothing).

    Returns
    -------
    dict of str to tuple of str
        Source -> absent labels in label order; sources with none are left out.
    """
    sizes = Counter(title.source for title in titles)
    overall = Counter(genre for title in titles for genre in title.genres)
    seen = Counter((title.source, genre) for title in titles for genre in title.genres)
    absent = {}
    for source, size in sorted(sizes.items()):
        expected = {genre: overall[genre] * size / len(titles) for genre in GENRES}
        labels = tuple(
            genre
            for genre in GENRES
            if expected[genre] >= minimum and seen[source, genre] < ratio * expected[genre]
        )
        if labels:
            absent[source] = labels
    return absent


def sources(titles: Sequence[Title]) -> list[dict[str, str | int]]:
    """Count the titles of each source and licence: ``source``, ``licence``, ``titles``, most titles first."""
    counts = Counter((title.source, title.licence) for title in titles)
    return [
        {"source": source, "licence": licence, "titles": count}
        for (source, licence), count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    ]


def tokenize(
    titles: Sequence[Title],
    tokenizer: Tokenizer,
    absent: dict[str, tuple[str, ...]],
    recipe: PrepareRecipe,
) -> Examples:
    """Turn titles into arrays; see `Examples` for their shapes and dtypes."""
    texts = [text for title in titles for text in title.texts]
    owner = [row for row, title in enumerate(titles) for _ in title.texts]
    is_main = [position == 0 for title in titles for position in range(len(title.texts))]
    labels = np.zeros((len(titles), len(GENRES)), np.uint8)
    known = np.ones((len(titles), len(GENRES)), np.uint8)
    for row, title in enumerate(titles):
        labels[row, [_INDEX[genre] for genre in title.genres]] = 1
        known[row, [_INDEX[genre] for genre in absent.get(title.source, ())]] = 0
    known |= labels  # what a source does state, it knows

    def encode(strings: Sequence[str], limit: int) -> Ragged:
        return Ragged.of(
            [
                encoding.ids[:limit]
                for start in range(0, len(strings), 1024)
                for encoding in tokenizer.encode_batch(
                    strings[start : start + 1024], add_special_tokens=False
                )
            ]
        )

    return Examples(
        texts=encode(texts, recipe.max_text_tokens),
        owner=np.array(owner, np.int32),
        is_main=np.array(is_main, np.bool_),
        titles=encode([title.title for title in titles], recipe.max_title_tokens),
        labels=labels,
        known=known,
    )


def prepare(*, corpus: Path, out: Path, recipe: PrepareRecipe, skip_bad_lines: bool = False) -> None:
    """Run the step.

    Parameters
    ----------
    corpus : Path
        Folder with ``train.jsonl[.gz]`` and ``validation.jsonl[.gz]``.
    out : Path
        The step's folder; gets ``tokenizer.json``, ``train.npz``, ``validation.npz`` and ``prepare.json``.

    Raises
    ------
    CorpusError
        If a corpus file is missing, or has a flawed line and ``skip_bad_lines`` is off.
    """
    files = {split: corpus_file(corpus, split) for split in ("train", "validation")}
    splits = {split: list(read_titles(path, skip_bad_lines=skip_bad_lines)) for split, path in files.items()}
    for split, titles in splits.items():
        if not titles:
            message = f"{files[split]}: holds no usable title"
            raise CorpusError(message)
    absent = absent_labels(
        splits["train"], ratio=recipe.absent_label_ratio, minimum=recipe.absent_label_minimum
    )
    write_serving_tokenizer(out / "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    for split, titles in splits.items():
        tokenize(titles, tokenizer, absent, recipe).save(out / f"{split}.npz")
        logger.info("%s: %d titles, %d texts", split, len(titles), sum(len(t.texts) for t in titles))
    write_json(
        out / "prepare.json",
        {
            "recipe": recipe.model_dump(mode="json"),
            "corpus": {
                split: {
                    "file": path.name,
                    "sha256": sha256(path),
                    "titles": len(splits[split]),
                    "texts": sum(len(title.texts) for title in splits[split]),
                    "sources": sources(splits[split]),
                }
                for split, path in files.items()
            },
            "absent_labels": absent,
        },
    )


def corpus_file(folder: Path, split: str) -> Path:
    """Find one file of the corpus folder.

    Raises
    ------
    CorpusError
        If it is there neither gzipped nor plain.
    """
    for name in (f"{split}.jsonl.gz", f"{split}.jsonl"):
        if (folder / name).is_file():
            return folder / name
    message = f"{folder}: has neither {split}.jsonl.gz nor {split}.jsonl"
    raise CorpusError(message)

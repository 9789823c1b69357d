"""A corpus written for the tests: a few hundred invented titles in which genre words decide the genre."""

from __future__ import annotations

import gzip
import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_CUES = {
    "Action": "chase explosion commando rescue",
    "Adventure": "treasure map jungle voyage",
    "Animation": "cartoon talking animals toys",
    "Comedy": "prank mishap awkward wedding joke",
    "Crime": "heist detective mob robbery",
    "Documentary": "interviews archive footage history of",
    "Drama": "grief family secret illness",
    "Family": "puppy children school summer",
    "Fantasy": "wizard dragon kingdom spell",
    "History": "emperor treaty revolution century",
    "Horror": "haunted curse basement scream",
    "Music": "band singer concert tour",
    "Mystery": "missing clue riddle stranger",
    "Romance": "love letter kiss reunion",
    "Science Fiction": "spaceship robot planet future",
    "Thriller": "hostage conspiracy deadline hunted",
    "War": "trench soldier battle front",
    "Western": "sheriff outlaw ranch saloon",
}
_PLACES = ["a harbour town", "the northern hills", "an old theatre", "the last train", "a desert road"]


def title_record(number: int, rng: random.Random) -> dict[str, Any]:
    """Give one record with one or two genres and their cue words in the text."""
    genres = sorted(rng.sample(sorted(_CUES), rng.choice([1, 1, 2])))
    cues = [word for genre in genres for word in _CUES[genre].split()]
    sentences = [
        f"In {rng.choice(_PLACES)} there is {rng.choice(cues)} and {rng.choice(cues)}."
        for _ in range(rng.choice([1, 2, 30]))
    ]
    return {
        "id": f"test:{number}",
        "source": rng.choice(["alpha", "beta"]),
        "title": f"Title {number}",
        "year": 2000,
        "kind": "movie",
        "genres": genres,
        "synopsis": " ".join(sentences),
        "alt_synopses": [{"source": "gamma", "id": "x", "licence": "none", "synopsis": sentences[0]}]
        if number % 5 == 0
        else [],
    }


def write_corpus(folder: Path, *, train: int, validation: int, seed: int = 0) -> Path:
    """Write ``train.jsonl.gz`` and ``validation.jsonl``."""
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(title_record(number, rng)) + "\n" for number in range(train + validation)]
    with gzip.open(folder / "train.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.writelines(lines[:train])
    (folder / "validation.jsonl").write_text("".join(lines[train:]), encoding="utf-8")
    return folder

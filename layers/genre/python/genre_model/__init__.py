"""Genres of a text: an artifact folder in, calibrated probabilities out.

A self-contained package: numpy, onnxruntime and tokenizers, nothing else and nothing of the project, so that a
function's cold start pays for exactly this.

>>> model = GenreModel.load(Path("model_artifacts/genre-bert/0.6.0"), threads=1)  # doctest: +SKIP
>>> model.predict([Document("A sheriff and an outlaw ride into a dying town.")])  # doctest: +SKIP
array([[...]], dtype=float32)
"""

from __future__ import annotations

from genre_model.documents import Document
from genre_model.errors import ArtifactError
from genre_model.labels import GENRES
from genre_model.manifest import MANIFEST_NAME, Manifest
from genre_model.model import GenreModel
from genre_model.threads import threads_for_memory

__all__ = [
    "GENRES",
    "MANIFEST_NAME",
    "ArtifactError",
    "Document",
    "GenreModel",
    "Manifest",
    "threads_for_memory",
]

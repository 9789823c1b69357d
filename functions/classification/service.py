"""The classification logic: documents in, genres out.

It owns which models a deployment holds, how an answer is cut and rounded, and what is measured about it. It must not know
HTTP, and of a model only `GenreModel`'s public face.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from functions.classification.contract import DECIMALS
from functions.classification.schemas import Genre, ModelInfo
from genre_model import GENRES, Document, GenreModel, Manifest, threads_for_memory
from trending_core.errors import FieldError, InvalidInput
from trending_core.telemetry import MetricUnit, get_metrics, watched_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from functions.classification.schemas import ModelChoice
    from functions.classification.settings import Settings


class Model(Protocol):
    """What the logic needs of a model; `genre_model.GenreModel` has it."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def version(self) -> str:
        """The artifact's version."""

    @property
    def thresholds(self) -> npt.NDArray[np.float32]:
        """float32 ``[18]``, one threshold per label."""

    def predict(self, documents: Sequence[Document]) -> npt.NDArray[np.float32]:
        """Give float32 ``[documents, 18]`` calibrated probabilities."""


@dataclass(frozen=True, slots=True)
class Classification:
    """The answer to a sequence of documents: one list of genres each, in order."""

    genres: tuple[list[Genre], ...]
    model: ModelInfo


class DeferredModel:
    """A model that most requests do not ask for: checked at init by its manifest, loaded by its first request.

    Parameters
    ----------
    folder : Path
        The artifact folder.
    threads : int
        Compute threads.

    Raises
    ------
    genre_model.ArtifactError
        If the folder holds no valid manifest.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        manifest = Manifest.load(folder)
        self.name = manifest.name
        self.version = manifest.version
        self.thresholds = np.array(manifest.thresholds, np.float32)
        self._folder = folder
        self._threads = threads
        self._loaded: GenreModel | None = None

    def predict(self, documents: Sequence[Document]) -> npt.NDArray[np.float32]:
        """Give float32 ``[documents, 18]``, loading the model first where that has not happened.

        Raises
        ------
        genre_model.ArtifactError
            If a file of the artifact is damaged.
        """
        if self._loaded is None:
            self._loaded = GenreModel.load(self._folder, threads=self._threads)
        return self._loaded.predict(documents)


class Classifier:
    """The models of a deployment, by the name a caller asks for.

    Parameters
    ----------
    models : mapping
        The loaded models; empty only where nothing is classified (the OpenAPI generator).
    """

    def __init__(self, models: Mapping[ModelChoice, Model]) -> None:
        self._models = dict(models)

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """Load the default model and run it once; the other waits for its first request.

        The first run of a network allocates its memory; here, during init, nobody waits for it.

        Raises
        ------
        genre_model.ArtifactError
            If a folder does not hold a complete artifact.
        """
        threads = threads_for_memory(settings.aws_lambda_function_memory_size)
        models: dict[ModelChoice, Model] = {
            "bert": GenreModel.load(settings.genre_model_dir, threads=threads)
        }
        if settings.genre_xgboost_model_dir is not None:
            models["xgboost"] = DeferredModel(settings.genre_xgboost_model_dir, threads)
        models["bert"].predict([Document("A short text that opens the session.")])
        return cls(models)

    @property
    def models(self) -> dict[str, ModelInfo]:
        """Which models there are, by the name a caller asks for."""
        return {choice: _info(model) for choice, model in self._models.items()}

    def classify(self, documents: Sequence[Document], *, top_k: int, model: ModelChoice) -> Classification:
        """Classify documents with one model.

        Parameters
        ----------
        documents : sequence of Document
            At least one.
        top_k : int
            How many of the likeliest labels each answer holds; selected ones beyond them are added.
        model : str
            The name the caller asks for.

        Raises
        ------
        InvalidInput
            If this deployment does not hold the model.
        """
        chosen = self._models.get(model)
        if chosen is None:
            reason = f"must be one that this deployment holds: {', '.join(self._models)}"
            message = f"The model {model} is not deployed; model {reason}."
            raise InvalidInput(message, errors=[FieldError("model", reason)])
        started = time.perf_counter()
        probabilities = chosen.predict(documents)
        milliseconds = (time.perf_counter() - started) * 1000
        selected = probabilities >= chosen.thresholds
        _measure(_info(chosen), selected, milliseconds)
        answers = (_answer(p, s, top_k) for p, s in zip(probabilities, selected, strict=True))
        return Classification(tuple(answers), _info(chosen))


def _info(model: Model) -> ModelInfo:
    return ModelInfo(name=model.name, version=model.version)


def _answer(
    probabilities: npt.NDArray[np.float32], selected: npt.NDArray[np.bool_], top_k: int
) -> list[Genre]:
    """Cut one document's labels: by falling probability, equal ones in the order of `GENRES`."""
    order = np.argsort(-probabilities, kind="stable")
    return [
        Genre(
            label=GENRES[i], probability=round(float(probabilities[i]), DECIMALS), selected=bool(selected[i])
        )
        for rank, i in enumerate(order)
        if rank < top_k or selected[i]
    ]


def _measure(model: ModelInfo, selected: npt.NDArray[np.bool_], milliseconds: float) -> None:
    """Measure the work and what came out; a shift in the labels' shares is how drift shows first."""
    metrics = get_metrics()
    metrics.add_dimension(name="model", value=model.name)
    metrics.add_dimension(name="model_version", value=model.version)
    metrics.add_metric(name="Inference", unit=MetricUnit.Milliseconds, value=round(milliseconds, 3))
    metrics.add_metric(name="Items", unit=MetricUnit.Count, value=len(selected))
    for label, count in zip(GENRES, selected.sum(axis=0), strict=True):
        metrics.add_metric(name=f"Selected.{label}", unit=MetricUnit.Count, value=int(count))
    # What alarms and rollouts watch: a network or thresholds that are broken select nothing, or everything.
    watched = watched_metrics()
    watched.add_metric(name="Classified", unit=MetricUnit.Count, value=len(selected))
    watched.add_metric(name="Unlabelled", unit=MetricUnit.Count, value=int((~selected.any(axis=1)).sum()))
    watched.add_metric(name="Labels", unit=MetricUnit.Count, value=int(selected.sum()))
    watched.flush_metrics()

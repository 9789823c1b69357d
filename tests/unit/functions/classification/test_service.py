from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from functions.classification.service import Classifier
from functions.classification.settings import Settings
from genre_model import GENRES, ArtifactError, Document
from tests.support.artifacts import write_tiny_artifact
from trending_core.errors import FieldError, InvalidInput
from trending_core.telemetry import get_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LABELS = len(GENRES)


class FakeModel:
    """Answers given rows, and remembers what it was asked."""

    name = "fake"
    version = "1.2.3"

    def __init__(self, *rows: npt.NDArray[np.float32], threshold: float = 0.5) -> None:
        self.rows = np.array(rows, np.float32)
        self.thresholds: npt.NDArray[np.float32] = np.full(LABELS, threshold, np.float32)
        self.asked: list[Document] = []

    def predict(self, documents: Sequence[Document]) -> npt.NDArray[np.float32]:
        self.asked = list(documents)
        return self.rows


def row(**values: float) -> npt.NDArray[np.float32]:
    by_label = {name.replace("_", " "): value for name, value in values.items()}
    return np.array([by_label.get(label, 0.01) for label in GENRES], np.float32)


@pytest.fixture(autouse=True)
def _no_metrics_left() -> Iterator[None]:
    get_metrics().provider.clear_metrics()
    yield
    get_metrics().provider.clear_metrics()


def test_labels_come_by_falling_probability_and_cut_at_top_k() -> None:
    classifier = Classifier({"bert": FakeModel(row(War=0.3, Drama=0.4, Western=0.2))})
    (genres,) = classifier.classify([Document("x")], top_k=2, model="bert").genres
    assert [(g.label, g.probability, g.selected) for g in genres] == [
        ("Drama", 0.4, False),
        ("War", 0.3, False),
    ]


def test_a_selected_label_is_never_cut() -> None:
    model = FakeModel(row(War=0.9, Drama=0.8, Western=0.7))
    (genres,) = Classifier({"bert": model}).classify([Document("x")], top_k=1, model="bert").genres
    assert [g.label for g in genres] == ["War", "Drama", "Western"]


def test_equal_probabilities_keep_the_labels_order() -> None:
    (genres,) = (
        Classifier({"bert": FakeModel(row())}).classify([Document("x")], top_k=18, model="bert").genres
    )
    assert tuple(g.label for g in genres) == GENRES


def test_selection_is_by_the_unrounded_probability() -> None:
    just_below = np.nextafter(np.float32(0.5), np.float32(0))
    model = FakeModel(row(War=float(just_below), Drama=0.5))
    (genres,) = Classifier({"bert": model}).classify([Document("x")], top_k=2, model="bert").genres
    assert [(g.label, g.probability, g.selected) for g in genres] == [
        ("Drama", 0.5, True),
        ("War", 0.5, False),
    ]


def test_documents_and_answers_keep_their_order() -> None:
    model = FakeModel(row(War=0.9), row(Music=0.9))
    documents = [Document("first", "title"), Document("second")]
    answer = Classifier({"bert": model}).classify(documents, top_k=1, model="bert")
    assert model.asked == documents
    assert [genres[0].label for genres in answer.genres] == ["War", "Music"]
    assert (answer.model.name, answer.model.version) == ("fake", "1.2.3")


def test_a_model_that_is_not_deployed_names_those_that_are() -> None:
    classifier = Classifier({"bert": FakeModel(row())})
    with pytest.raises(InvalidInput) as caught:
        classifier.classify([Document("x")], top_k=1, model="xgboost")
    assert caught.value.errors == (FieldError("model", "must be one that this deployment holds: bert"),)


def test_the_model_asked_for_answers() -> None:
    other = FakeModel(row(War=0.9))
    other.name = "other"
    classifier = Classifier({"bert": FakeModel(row()), "xgboost": other})
    assert classifier.classify([Document("x")], top_k=1, model="xgboost").model.name == "other"
    assert set(classifier.models) == {"bert", "xgboost"}


def test_what_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    model = FakeModel(row(War=0.9, Drama=0.8), row(War=0.7))
    Classifier({"bert": model}).classify([Document("a secret"), Document("b")], top_k=1, model="bert")
    get_metrics().flush_metrics()
    out = capsys.readouterr().out
    watched, blob = (json.loads(line) for line in out.splitlines())
    assert (watched["Classified"], watched["Unlabelled"], watched["Labels"]) == ([2], [0], [3])
    assert (blob["model"], blob["model_version"]) == ("fake", "1.2.3")
    assert {"model", "model_version"} <= set(blob["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0])
    assert blob["Items"] == [2]
    counts = {label: blob[f"Selected.{label}"] for label in GENRES}
    assert counts == {label: [{"War": 2, "Drama": 1}.get(label, 0)] for label in GENRES}
    assert blob["Inference"][0] >= 0
    assert "secret" not in out


@given(hnp.arrays(np.float32, (5, LABELS), elements=st.floats(0, 1, width=32)), st.floats(0, 1, width=32))
def test_texts_without_and_with_labels_add_up(
    probabilities: npt.NDArray[np.float32], threshold: float
) -> None:
    with redirect_stdout(io.StringIO()) as out:
        model = FakeModel(*probabilities, threshold=threshold)
        genres = Classifier({"bert": model}).classify([Document("x")] * 5, top_k=1, model="bert").genres
    watched = json.loads(out.getvalue())
    selected = [sum(genre.selected for genre in answer) for answer in genres]
    assert watched["Classified"] == [5]
    assert watched["Labels"] == [sum(selected)]
    assert watched["Unlabelled"] == [selected.count(0)]
    get_metrics().provider.clear_metrics()


@given(
    probabilities=hnp.arrays(np.float32, LABELS, elements=st.floats(0, 1, width=32)),
    threshold=st.floats(0, 1, width=32),
    top_k=st.integers(1, LABELS),
)
def test_an_answer_is_sorted_complete_and_rounded(
    probabilities: npt.NDArray[np.float32], threshold: float, top_k: int
) -> None:
    model = FakeModel(probabilities, threshold=threshold)
    (genres,) = Classifier({"bert": model}).classify([Document("x")], top_k=top_k, model="bert").genres
    values = [g.probability for g in genres]
    assert values == sorted(values, reverse=True)
    assert all(value == round(value, 4) for value in values)
    assert len({g.label for g in genres}) == len(genres) >= top_k
    selected = {label for label, p in zip(GENRES, probabilities, strict=True) if p >= np.float32(threshold)}
    assert {g.label for g in genres if g.selected} == selected
    get_metrics().provider.clear_metrics()


def test_loading_takes_the_folders_that_the_settings_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENRE_MODEL_DIR", str(write_tiny_artifact(tmp_path / "a")))
    assert set(Classifier.load(Settings()).models) == {"bert"}
    monkeypatch.setenv("GENRE_XGBOOST_MODEL_DIR", str(write_tiny_artifact(tmp_path / "b", version="9.9.9")))
    models = Classifier.load(Settings()).models
    assert {choice: model.version for choice, model in models.items()} == {
        "bert": "1.2.3",
        "xgboost": "9.9.9",
    }


def test_a_folder_without_an_artifact_stops_the_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRE_MODEL_DIR", str(tmp_path))
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        Classifier.load(Settings())


def test_the_second_model_is_loaded_by_its_first_request_and_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_tiny_artifact(tmp_path / "b")
    monkeypatch.setenv("GENRE_MODEL_DIR", str(write_tiny_artifact(tmp_path / "a")))
    monkeypatch.setenv("GENRE_XGBOOST_MODEL_DIR", str(folder))
    network = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(b"not there yet")
    classifier = Classifier.load(Settings())

    with pytest.raises(ArtifactError, match=r"model\.onnx"):
        classifier.classify([Document("x")], top_k=1, model="xgboost")
    (folder / "model.onnx").write_bytes(network)
    first = classifier.classify([Document("word1 word2")], top_k=18, model="xgboost")
    (folder / "model.onnx").unlink()

    assert classifier.classify([Document("word1 word2")], top_k=18, model="xgboost") == first

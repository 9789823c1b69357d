from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genre_model import GENRES, ArtifactError, Document, GenreModel, threads_for_memory
from genre_model.windows import plan_windows
from tests.support.artifacts import (
    VOCABULARY,
    WORDS,
    manifest_of,
    tiny_network,
    tiny_tokenizer,
    write_tiny_artifact,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

texts = st.lists(st.sampled_from(WORDS), max_size=120).map(" ".join)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> GenreModel:
    return GenreModel.load(write_tiny_artifact(tmp_path_factory.mktemp("tiny")))


def expected_logits(document: Document) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Compute by hand what the tiny network must say: windows of 16, title of at most 4, mean over windows."""
    title = [VOCABULARY[w] for w in (document.title or "").split()][:4]
    head = [VOCABULARY["[CLS]"], *([*title, VOCABULARY["[SEP]"]] if title else [])]
    ids = [VOCABULARY[w] for w in document.text.split()]
    rows = []
    for start, end in plan_windows(len(ids), 16 - len(head) - 1, 4):
        window = np.array([*head, *ids[start:end], VOCABULARY["[SEP]"]])
        rows.append(8 * np.bincount(window % 18, minlength=18) / len(window) - 1)
    mean: np.ndarray[Any, np.dtype[np.float64]] = np.mean(rows, axis=0)
    return mean


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.lists(st.builds(Document, texts, st.none() | texts), max_size=9))
def test_every_document_gets_the_mean_of_its_own_windows(tiny: GenreModel, documents: list[Document]) -> None:
    found = tiny.logits(documents)

    assert found.shape == (len(documents), len(GENRES))
    assert found.dtype == np.float32
    for row, document in zip(found, documents, strict=True):
        np.testing.assert_allclose(row, expected_logits(document), atol=1e-5)


def test_probabilities_are_the_calibrated_logits(tmp_path: Path) -> None:
    calibration = {"slope": [0.5] * 18, "intercept": [float(i) for i in range(18)]}
    model = GenreModel.load(write_tiny_artifact(tmp_path, calibration=calibration))
    document = Document("word1 word2 word3")

    expected = 1 / (1 + np.exp(-(0.5 * expected_logits(document) + np.arange(18))))

    np.testing.assert_allclose(model.predict([document])[0], expected, atol=1e-6)
    assert (model.name, model.version) == ("tiny", "1.2.3")


def with_lengths(*, scale: Any = 0.2, centre: Any = None) -> dict[str, Any]:
    """Give the manifest's fields of a model whose calibration looks at lengths."""
    length = {"scale": scale, "centre": [float(i) / 10 for i in range(18)] if centre is None else centre}
    calibration = {"slope": [0.5] * 18, "intercept": [1.0] * 18, "length": length}
    return {"schema_version": 2, "calibration": calibration}


@pytest.mark.parametrize(
    ("words", "factor"), [(0, 0.8), (16, 0.8), (128, 1.0), (362, 1.1), (1024, 1.2), (3000, 1.2)]
)
def test_what_a_short_text_says_counts_less(tmp_path: Path, words: int, factor: float) -> None:
    model = GenreModel.load(write_tiny_artifact(tmp_path, **with_lengths()))
    document = Document("word1 " * words, title="word2 word3")
    centre = np.arange(18) / 10

    weighed = centre + factor * (expected_logits(document) - centre)

    np.testing.assert_allclose(
        model.predict([document])[0], 1 / (1 + np.exp(-(0.5 * weighed + 1))), rtol=1e-3
    )


def test_extreme_logits_do_not_overflow(tiny: GenreModel) -> None:
    extremes = np.array([[-1e6, 1e6, 0.0] + [0.0] * 15], np.float32)

    with np.errstate(over="raise", invalid="raise"):
        assert tiny.calibrate(extremes, np.array([5]))[0, :3].tolist() == [0.0, 1.0, 0.5]


@pytest.mark.parametrize(
    "text",
    ["", " ", "\x00", "\ud800 word1 \udfff", "\N{FIRE}" * 3, "\u202eword1", "word1 " * 30_000, "x" * 100_000],
    ids=["empty", "blank", "nul", "surrogates", "emoji", "rtl", "long", "one-word"],
)
def test_any_text_has_an_answer(tiny: GenreModel, text: str) -> None:
    probabilities = tiny.predict([Document(text, text)])

    assert np.isfinite(probabilities).all()
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_the_shipped_model_gives_the_same_answer_alone_and_in_company(shipped: GenreModel) -> None:
    documents = [
        Document("A lighthouse keeper hears a voice in the fog and follows it into the sea.", "Foghorn"),
        Document("Two rival bakers must share one oven. " * 40),
        Document("A sheriff waits for the noon train."),
    ]

    together = shipped.predict(documents)

    for row, document in zip(together, documents, strict=True):
        assert row.tolist() == shipped.predict([document])[0].tolist()


def test_the_shipped_model_knows_a_western_when_it_reads_one(shipped: GenreModel) -> None:
    document = Document(
        "A gunslinger rides into a frontier town where a cattle baron has bought the sheriff, and settles it in the street."
    )

    probabilities = shipped.predict([document])[0]

    assert GENRES[int(probabilities.argmax())] == "Western"


@pytest.mark.parametrize(
    ("memory", "threads"), [(128, 1), (1768, 1), (1769, 1), (3537, 1), (3538, 2), (10_240, 5)]
)
def test_threads_follow_the_whole_vcpus(memory: int, threads: int) -> None:
    assert threads_for_memory(memory) == threads


def test_no_threads_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        GenreModel.load(write_tiny_artifact(tmp_path), threads=0)


def _truncate(folder: Path) -> None:
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:-1])


def _flip(folder: Path) -> None:
    content = bytearray((folder / "model.onnx").read_bytes())
    content[-1] ^= 1
    (folder / "model.onnx").write_bytes(content)


def _scalar_network() -> bytes:
    """Give a network whose only output is a single number."""
    network = onnx.load_model_from_string(tiny_network())
    network.graph.node.append(onnx.helper.make_node("ReduceSum", ["logits"], ["sum_of_all"], keepdims=0))
    del network.graph.output[:]
    network.graph.output.append(onnx.helper.make_tensor_value_info("sum_of_all", onnx.TensorProto.FLOAT, []))
    content: bytes = network.SerializeToString()
    return content


def _replace(name: str, content: bytes) -> Callable[[Path], None]:
    """Swap a file together with its manifest entry, so that only the content is wrong."""

    def change(folder: Path) -> None:
        files = {"model.onnx": tiny_network(), "tokenizer.json": tiny_tokenizer(), name: content}
        (folder / name).write_bytes(content)
        (folder / "manifest.json").write_text(json.dumps(manifest_of(files)))

    return change


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda f: (f / "model.onnx").unlink(), "model.onnx cannot be read: No such file"),
        (_truncate, "bytes instead of"),
        (_flip, "model.onnx differs from the manifest's sha256"),
        (_replace("model.onnx", b"not a network"), "not a network that ONNX Runtime can load"),
        (_replace("model.onnx", tiny_network(labels=17)), "not one logit for each of 18 labels"),
        (_replace("model.onnx", _scalar_network()), r"gives \[\[\]\], not one logit for each of 18 labels"),
        (
            _replace("model.onnx", tiny_network(input_type=7)),
            r"takes .* not .*'input_ids', 'tensor\(int32\)'",
        ),
        (_replace("tokenizer.json", b"{}"), "the tokenizer cannot be read"),
        (
            _replace("tokenizer.json", tiny_tokenizer().replace(b"[CLS]", b"[FOO]")),
            r"the tokenizer lacks \[CLS\]",
        ),
        (lambda f: (f / "manifest.json").unlink(), "has no manifest.json"),
        (lambda f: (f / "manifest.json").write_text("{"), "is not readable JSON"),
        (lambda f: (f / "manifest.json").write_bytes(b"\xff"), "is not readable JSON"),
        (lambda f: (f / "manifest.json").write_text("[]"), "the manifest is missing or not an object"),
    ],
)
def test_a_damaged_artifact_is_named_in_one_sentence(
    tmp_path: Path, damage: Callable[[Path], object], sentence: str
) -> None:
    folder = write_tiny_artifact(tmp_path / "artifact")
    damage(folder)

    with pytest.raises(ArtifactError, match=sentence) as caught:
        GenreModel.load(folder)
    assert "\n" not in str(caught.value).strip()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nowhere is not there"):
        GenreModel.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema_version": 3}, "schema_version is 3, this code reads 1 to 2"),
        ({"schema_version": 0}, "schema_version is 0, this code reads 1 to 2"),
        ({"schema_version": True}, "schema_version is True, this code reads 1 to 2"),
        ({"schema_version": 2}, "calibration.length is missing or not an object"),
        (with_lengths(scale=1.0), "calibration.length.scale is 1.0, not a number from 0 to below 1"),
        (with_lengths(scale=-0.1), "calibration.length.scale is -0.1, not a number"),
        (with_lengths(scale=True), "calibration.length.scale is True, not a number"),
        (with_lengths(centre=[0.0]), "centre is not a list of 18 numbers"),
        ({"labels": ["Action"]}, "labels are not the 18 genres"),
        ({"labels": None}, "labels are not the 18 genres"),
        ({"labels": 18}, "labels are not the 18 genres"),
        ({"name": ""}, "name is missing or not a text"),
        ({"network": "other.onnx"}, "'other.onnx' is named but not listed"),
        ({"files": []}, "files is missing or not an object"),
        ({"files": {"model.onnx": 1}}, "files.model.onnx is missing or not an object"),
        ({"thresholds": [0.5]}, "thresholds is not a list of 18 numbers between 0 and 1"),
        ({"thresholds": [1.0] * 18}, "thresholds is not a list"),
        ({"thresholds": [True] * 18}, "thresholds is not a list"),
        ({"calibration": {"slope": [-1.0] * 18, "intercept": [0.0] * 18}}, "slope is not a list"),
        ({"input": {"window_tokens": 15}}, "window_tokens is 15, not a whole number from 16 to 512"),
        (
            {"input": {"window_tokens": 16, "max_windows": 1, "max_title_tokens": 6, "max_batch_tokens": 1}},
            "leaves less than half a window",
        ),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ArtifactError, match=sentence):
        GenreModel.load(write_tiny_artifact(tmp_path, **changes))


def test_a_file_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    folder = write_tiny_artifact(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../secret"] = {"sha256": "0", "size": 1}
    (folder / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(ArtifactError, match="leaves the artifact folder"):
        GenreModel.load(folder)

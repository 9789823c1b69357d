"""Registering: what the record holds, and that a registered version survives whatever happens."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from genre_model import GenreModel
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.recipe import XgboostRecipe
from model_artifacts.pipeline.register import register
from model_artifacts.registry import Registry
from tests.support.artifacts import write_tiny_artifact

RECIPE = XgboostRecipe(model="genre-xgboost", version="1.0.0", description="A test")
METRICS = {
    "data": {"file": "validation.jsonl", "sha256": "d", "titles": 3},
    "micro_f1": 0.6,
    "macro_f1": 0.5,
    "held_out": {"micro_f1": 0.59, "macro_f1": 0.49},
    "genres": {},
}


class Made:
    """A finished run, and the registry that its artifact goes to."""

    def __init__(self, root: Path) -> None:
        self.run, self.root = root / "run", root / "registry"
        self.artifact = write_tiny_artifact(self.run / "artifact", version="1.0.0")
        self.registered = self.root / "genre-xgboost" / "1.0.0"
        self.report("First")
        self._write("evaluate/metrics.json", METRICS)
        self._write("train/train.json", {"recipe": {}, "input": {"teacher": "t"}, "seconds": 1})
        self._write("prepare/prepare.json", {"corpus": {"train": {"sha256": "c"}}})

    def _write(self, name: str, content: dict[str, Any]) -> None:
        (self.run / name).parent.mkdir(parents=True, exist_ok=True)
        (self.run / name).write_text(json.dumps(content))

    def report(self, text: str, **metrics: Any) -> None:
        (self.artifact / "MODEL_CARD.md").write_text(text)
        self._write("artifact/report/metrics.json", {**METRICS, **metrics})
        self._write("evaluate/metrics.json", {**METRICS, **metrics})

    def register(self) -> dict[str, Any]:
        register(run=self.run, artifact=self.artifact, root=self.root, recipe=RECIPE)
        record: dict[str, Any] = Registry.load(self.root).models["genre-xgboost"]["versions"]["1.0.0"]
        return record

    def assert_whole(self, card: str) -> None:
        assert GenreModel.load(self.registered).version == "1.0.0"
        assert (self.registered / "MODEL_CARD.md").read_text() == card
        assert (self.registered / "report" / "metrics.json").is_file()
        assert list(self.registered.parent.iterdir()) == [self.registered]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_the_record_holds_the_held_out_figures_and_what_training_began_with(made: Made) -> None:
    record = made.register()

    assert record["metrics"] == {name: METRICS[name] for name in ("micro_f1", "macro_f1", "held_out")}
    assert record["lineage"]["training"] == {"input": {"teacher": "t"}, "seconds": 1}
    made.assert_whole("First")


def test_a_new_evaluation_of_the_same_files_renews_card_and_record_and_says_what_changed(
    made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    made.register()
    made.report("Second", micro_f1=0.7, held_out={"micro_f1": 0.68, "macro_f1": 0.49})

    with caplog.at_level(logging.INFO):
        record = made.register()

    assert record["metrics"]["micro_f1"] == 0.7
    assert "registered with the same files; figures that changed: held_out, micro_f1" in caplog.text
    made.assert_whole("Second")


def test_other_files_are_refused_and_leave_everything_as_it_is(made: Made) -> None:
    before = made.register()
    made.report("Second")
    write_tiny_artifact(made.artifact, version="1.0.0", thresholds=[0.6] * 18)

    with pytest.raises(StepError, match=r"1\.0\.0 is registered with other files"):
        made.register()

    assert Registry.load(made.root).models["genre-xgboost"]["versions"]["1.0.0"] == before
    made.assert_whole("First")


@pytest.mark.parametrize("failing", [".new", "1.0.0", ".old"])
def test_a_registration_that_is_cut_off_loses_no_version_and_the_next_one_clears_up(
    made: Made, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.register()
    made.report("Second")
    with monkeypatch.context() as patch:
        _cut_off(patch, failing)
        with pytest.raises(KeyboardInterrupt):
            made.register()
    assert any(
        (folder / "manifest.json").is_file() and (folder / "MODEL_CARD.md").is_file()
        for folder in made.registered.parent.iterdir()
    )

    made.register()

    made.assert_whole("Second")


def _cut_off(patch: pytest.MonkeyPatch, failing: str) -> None:
    """Die where a folder whose name ends so would be renamed, or (``.old``) removed."""
    if failing == ".old":
        patch.setattr("shutil.rmtree", _die_at_old)
        return
    rename = Path.rename

    def die(self: Path, target: Path) -> Path:
        if self.name.endswith(failing):
            raise KeyboardInterrupt
        return rename(self, target)

    patch.setattr(Path, "rename", die)


def _die_at_old(path: Path, **_: object) -> None:
    if path.name.endswith(".old") and path.exists():
        raise KeyboardInterrupt


def test_a_registered_folder_that_was_lost_is_put_back(made: Made) -> None:
    made.register()
    for path in (made.registered / "model.onnx", made.registered / "MODEL_CARD.md"):
        path.unlink()

    made.register()

    made.assert_whole("First")


def test_an_artifact_without_its_card_is_refused(made: Made) -> None:
    (made.artifact / "MODEL_CARD.md").unlink()

    with pytest.raises(StepError, match=r"has no MODEL_CARD\.md: run the step `report`"):
        made.register()

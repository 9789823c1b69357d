"""Which steps are due: those after one that ran again, teachers that are not trained, and evaluations from before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from model_artifacts.pipeline import stamps, steps
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.files import write_json
from model_artifacts.pipeline.recipe import BertRecipe, DistilRecipe, JointRecipe, WideRecipe
from model_artifacts.pipeline.stamps import STAMP
from model_artifacts.pipeline.steps import Run, run_steps, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give a run of a student whose steps do nothing, with a teacher that is trained."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for split in ("train", "validation"):
        (corpus / f"{split}.jsonl").touch()
    recipe = BertRecipe(
        model="genre-bert",
        version="1.1.0",
        description="A test",
        layers=1,
        distil=DistilRecipe(teacher="genre-bert-1.0.0", start_layers=(0,)),
        wide=WideRecipe(),
    )
    made = Run(recipe=recipe, corpus=corpus, out=tmp_path / "genre-bert-1.1.0", registry=tmp_path)
    names = list(steps_of(made))

    def without_work(run: Run) -> dict[str, Callable[[], None]]:
        return dict.fromkeys(names, lambda: None)

    monkeypatch.setattr(steps, "steps_of", without_work)
    write_json(tmp_path / "genre-bert-1.0.0" / "train" / STAMP, {"made_from": "its recipe"})
    return made


def all_of(run: Run) -> list[str]:
    return list(steps.steps_of(run))


def test_weights_without_a_finished_training_teach_nobody_and_cost_no_stamp(run: Run) -> None:
    run_steps(run, all_of(run))
    assert run.teacher is not None
    stamp = run.teacher / "train" / STAMP
    content = stamp.read_bytes()
    stamp.unlink()

    with pytest.raises(
        StepError, match=r"teacher genre-bert-1\.0\.0 has no finished training in .*: run its"
    ):
        run_steps(run, ["train"])

    stamp.write_bytes(content)
    assert run_steps(run, all_of(run)) == ["register"]


def test_a_teacher_without_training_is_missed_before_anything_runs(run: Run) -> None:
    assert run.teacher is not None
    (run.teacher / "train" / STAMP).unlink()

    with pytest.raises(StepError, match=r"teacher genre-bert-1\.0\.0 has no finished training"):
        run_steps(run, all_of(run))

    assert not (run.folder("prepare") / STAMP).exists()


def test_a_calibration_of_an_older_format_is_due_again_and_nothing_before_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(stamps, "_FORMATS", {})
        run_steps(run, all_of(run))

    assert run_steps(run, all_of(run)) == ["calibrate", "evaluate", "report", "register"]
    assert run_steps(run, all_of(run)) == ["register"]


def test_a_step_that_runs_again_makes_all_later_ones_due(run: Run) -> None:
    names = all_of(run)
    assert run_steps(run, names) == names
    assert run_steps(run, names) == ["register"]

    assert run_steps(run, ["train"], force=True) == ["train"]

    with pytest.raises(StepError, match="step calibrate needs step wide, which has not run"):
        run_steps(run, ["calibrate"])
    assert run_steps(run, names) == names[names.index("train") + 1 :]


def test_training_on_what_is_served_asks_the_linear_model_before(run: Run) -> None:
    assert isinstance(run.recipe, BertRecipe)
    alone = steps_of(run)
    joint = steps_of(replace(run, recipe=run.recipe.model_copy(update={"joint": JointRecipe()})))

    assert "cross-fit" not in alone
    assert list(joint)[:3] == ["prepare", "cross-fit", "train"]
    assert [name for name in joint if name != "cross-fit"] == list(alone)

"""The steps in their order, and the running of those that are due.

A step whose stamp (`stamps`) still fits is not run again; a changed recipe or corpus runs every step after the change, and
only those. A step that runs takes the stamps of all later ones away.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.files import write_json
from model_artifacts.pipeline.prepare import corpus_file, prepare
from model_artifacts.pipeline.recipe import BertRecipe
from model_artifacts.pipeline.stamps import STAMP, stamp_in, stamps_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_artifacts.pipeline.recipe import JointRecipe, Recipe, TeacherRecipe, WideRecipe, XgboostRecipe

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Where one run of the pipeline reads and writes.

    Parameters
    ----------
    recipe : Recipe
        What is made.
    corpus : Path
        Folder with the corpus files.
    out : Path
        Working folder; one sub-folder a step.
    registry : Path
        Folder with ``registry.json`` that `register` enters the artifact in.
    threads : int
        Compute threads of the tree model's training, and of the serving code in `calibrate` and `evaluate`.
    skip_bad_lines : bool
        Skip flawed corpus lines (and log them) instead of stopping.
    """

    recipe: Recipe
    corpus: Path
    out: Path
    registry: Path
    threads: int = 1
    skip_bad_lines: bool = False

    def folder(self, step: str) -> Path:
        """Give the folder of a step."""
        return self.out / step

    @property
    def teacher(self) -> Path | None:
        """The working folder of the model that this one learns from, beside its own."""
        distil = self.recipe.distil if isinstance(self.recipe, BertRecipe) else None
        return None if distil is None else self.out.parent / distil.teacher

    @property
    def artifact(self) -> Path:
        """The finished artifact's folder, before it is registered."""
        return self.folder("calibrate") / "artifact"


# Imports inside: a step pays for its own libraries only, and `--help` for none.


def _prepare(run: Run) -> None:
    prepare(
        corpus=run.corpus,
        out=run.folder("prepare"),
        recipe=run.recipe.prepare,
        skip_bad_lines=run.skip_bad_lines,
    )


def _train_bert(run: Run, recipe: BertRecipe) -> None:
    from model_artifacts.pipeline.train import WEIGHTS, Inputs, train  # noqa: PLC0415

    inputs = Inputs(
        prepared=run.folder("prepare"),
        crossed=None if recipe.joint is None else run.folder("cross-fit"),
        taught=None if recipe.teacher is None else run.folder("teach"),
        teacher=None if run.teacher is None else run.teacher / "train" / WEIGHTS,
    )
    train(inputs, out=run.folder("train"), recipe=recipe)


def _cross_fit(run: Run, joint: JointRecipe, wide: WideRecipe) -> None:
    from model_artifacts.pipeline.cross_fit import cross_fit  # noqa: PLC0415

    cross_fit(prepared=run.folder("prepare"), out=run.folder("cross-fit"), recipe=joint, wide=wide)


def _teach(run: Run, teacher: TeacherRecipe) -> None:
    from model_artifacts.pipeline.teach import teach  # noqa: PLC0415

    crossed = run.folder("cross-fit") if teacher.wide_weight else None
    teach(prepared=run.folder("prepare"), out=run.folder("teach"), recipe=teacher, crossed=crossed)


def _export_bert(run: Run, recipe: BertRecipe) -> None:
    from model_artifacts.pipeline.export import export  # noqa: PLC0415
    from model_artifacts.pipeline.train import WEIGHTS  # noqa: PLC0415

    export(weights=run.folder("train") / WEIGHTS, out=run.folder("export"), layers=recipe.layers)


def _quantize(run: Run, recipe: BertRecipe) -> None:
    from model_artifacts.pipeline.quantize import quantize  # noqa: PLC0415

    quantize(exported=run.folder("export"), out=run.folder("quantize"), recipe=recipe.quantize)


def _fit_wide(run: Run, recipe: WideRecipe) -> None:
    from model_artifacts.pipeline.wide import fit_wide  # noqa: PLC0415

    fit_wide(prepared=run.folder("prepare"), out=run.folder("wide"), recipe=recipe)


def _train_trees(run: Run, recipe: XgboostRecipe) -> None:
    from model_artifacts.pipeline.trees import grow  # noqa: PLC0415

    grow(
        prepared=run.folder("prepare"),
        out=run.folder("train"),
        recipe=recipe.trees,
        threads=run.threads,
    )


def _export_trees(run: Run, recipe: XgboostRecipe) -> None:
    from model_artifacts.pipeline.export_trees import export_trees  # noqa: PLC0415

    export_trees(
        prepared=run.folder("prepare"),
        trained=run.folder("train"),
        out=run.folder("export"),
        bins=recipe.trees.bins,
    )


def _calibrate(run: Run, network: Path, wide: Path | None = None) -> None:
    from model_artifacts.pipeline.artifact import TOKENIZER_NAME  # noqa: PLC0415
    from model_artifacts.pipeline.calibrate import calibrate  # noqa: PLC0415

    calibrate(
        corpus_file=corpus_file(run.corpus, "validation"),
        tokenizer=run.folder("prepare") / TOKENIZER_NAME,
        network=network,
        wide=wide,
        out=run.folder("calibrate"),
        recipe=run.recipe,
        threads=run.threads,
        skip_bad_lines=run.skip_bad_lines,
    )


def _evaluate(run: Run, reference: Path | None, wide: Path | None = None) -> None:
    from model_artifacts.pipeline.evaluate import evaluate  # noqa: PLC0415

    evaluate(
        corpus_file=corpus_file(run.corpus, "validation"),
        artifact=run.artifact,
        reference=reference,
        reference_wide=wide,
        out=run.folder("evaluate"),
        recipe=run.recipe,
        threads=run.threads,
        skip_bad_lines=run.skip_bad_lines,
    )


def _report(run: Run) -> None:
    from model_artifacts.pipeline.report import report  # noqa: PLC0415

    report(run=run.out, artifact=run.artifact, recipe=run.recipe)


def _register(run: Run) -> None:
    from model_artifacts.pipeline.register import register  # noqa: PLC0415

    register(run=run.out, artifact=run.artifact, root=run.registry, recipe=run.recipe)


def steps_of(run: Run) -> dict[str, Callable[[], None]]:
    """Give the steps of the run's recipe, in order, ready to be called."""
    recipe = run.recipe
    exported, quantized = run.folder("export"), run.folder("quantize")
    last: dict[str, Callable[[], None]] = {
        "report": lambda: _report(run),
        "register": lambda: _register(run),
    }
    if isinstance(recipe, BertRecipe):
        part, joint, teacher = recipe.wide, recipe.joint, recipe.teacher
        wide = None if part is None else run.folder("wide")
        return {
            "prepare": lambda: _prepare(run),
            **({} if part is None or joint is None else {"cross-fit": lambda: _cross_fit(run, joint, part)}),
            **({} if teacher is None else {"teach": lambda: _teach(run, teacher)}),
            "train": lambda: _train_bert(run, recipe),
            "export": lambda: _export_bert(run, recipe),
            "quantize": lambda: _quantize(run, recipe),
            **({} if part is None else {"wide": lambda: _fit_wide(run, part)}),
            "calibrate": lambda: _calibrate(run, quantized / "model.int8.onnx", wide),
            "evaluate": lambda: _evaluate(run, exported / "model.fp32.onnx", wide),
            **last,
        }
    return {
        "prepare": lambda: _prepare(run),
        "train": lambda: _train_trees(run, recipe),
        "export": lambda: _export_trees(run, recipe),
        "calibrate": lambda: _calibrate(run, exported / "model.onnx"),
        "evaluate": lambda: _evaluate(run, None),
        **last,
    }


def run_steps(run: Run, names: list[str], *, force: bool = False) -> list[str]:
    """Run the named steps in their order, leaving out those that are up to date.

    Parameters
    ----------
    force : bool
        Run them even where their stamp fits.

    Returns
    -------
    list of str
        The steps that ran.

    Raises
    ------
    StepError
        If a step before the first named one has not run, or ran with another recipe or corpus, or the teacher that
        training needs is not trained.
    PipelineError
        Whatever a step itself raises.
    """
    steps = steps_of(run)
    stamps = stamps_of(run, steps)
    order = list(steps)
    if unknown := [name for name in names if name not in steps]:
        message = f"{run.recipe.model} has no step {unknown[0]}; it has: {', '.join(order)}"
        raise StepError(message)
    if "train" in names and (force or stamp_in(run.folder("train")) != stamps["train"]):
        _check_teacher(run)  # before the steps that come first, which can take days
    ran = []
    for name in sorted(names, key=order.index):
        position = order.index(name)
        if position and stamp_in(run.folder(order[position - 1])) != stamps[order[position - 1]]:
            message = (
                f"step {name} needs step {order[position - 1]}, which has not run for this recipe "
                f"and corpus in {run.out}"
            )
            raise StepError(message)
        # Registering is cheap, checks itself, and may be asked for another registry.
        if not force and name != "register" and stamp_in(run.folder(name)) == stamps[name]:
            logger.info("%s: up to date", name)
            continue
        if name == "train":
            _check_teacher(run)
        logger.info("%s: starts", name)
        # What later steps made of this one's old output is out of date from here on, whatever their stamps say.
        for due in order[position:]:
            (run.folder(due) / STAMP).unlink(missing_ok=True)
        steps[name]()
        write_json(run.folder(name) / STAMP, {"made_from": stamps[name]})
        ran.append(name)
    return ran


def require(run: Run, name: str) -> None:
    """Check that a step has run for this recipe and corpus.

    Raises
    ------
    StepError
        If it has not, or the recipe has no such step.
    """
    stamps = stamps_of(run, steps_of(run))
    if name not in stamps or stamp_in(run.folder(name)) != stamps[name]:
        message = f"step {name} has not run for this recipe and corpus in {run.out}"
        raise StepError(message)


def _check_teacher(run: Run) -> None:
    """Refuse weights that no finished training stands behind, before a stamp is taken away for them."""
    if run.teacher is not None and stamp_in(run.teacher / "train") is None:
        message = f"the teacher {run.teacher.name} has no finished training in {run.teacher}: run its step `train` first"
        raise StepError(message)

"""The recipe: every choice that makes one model version, read from a TOML file and checked.

A recipe and a corpus determine a model, as long as training is not given another number of passes on its way
(`train.json` says so) and a teacher, if there is one, is the same. The recipe is copied into the registry as the
version's lineage, so nothing that matters may be passed on the command line.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from model_artifacts.pipeline.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

SPECIALS_WITH_TITLE: Final = 3
"""``[CLS]``, and a ``[SEP]`` after title and text each."""
BASE_LAYERS: Final = {"all-mpnet-base-v2": 12, "all-MiniLM-L6-v2": 6}
Fraction = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PrepareRecipe(_Section):
    """How text becomes training examples."""

    max_title_tokens: Annotated[int, Field(ge=0, le=64)] = 16
    """Word pieces of a title kept in front of the text."""
    max_text_tokens: Annotated[int, Field(ge=16, le=65_535)] = 2048
    """Word pieces of one synopsis kept; the 99th percentile of the corpus is about 1,500."""
    absent_label_ratio: Fraction = 0.05
    """A label is *unknown* for a source that has it less often than this share of what its size
    would make one expect ..."""
    absent_label_minimum: Annotated[int, Field(ge=1)] = 50
    """... if that expectation is at least this many titles."""


class TrainRecipe(_Section):
    """Optimisation: AdamW, linear warm-up and linear decay to zero."""

    seed: Annotated[int, Field(ge=0)] = 17
    epochs: Annotated[float, Field(gt=0)] = 1.0
    """Passes over all texts; a long text gives one random window per pass."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    window_tokens: Annotated[tuple[Annotated[int, Field(ge=16, le=512)], ...], Field(min_length=1)] = (
        64,
        96,
        96,
        128,
    )
    """Lengths, special tokens included, one of which is drawn for each view of a long text."""
    short_tokens: Annotated[int, Field(ge=1)] | None = None
    """Texts of at most so many word pieces are drawn ``short_repeats`` times a pass; None for all alike."""
    short_repeats: Annotated[int, Field(ge=2, le=10)] | None = None
    title_share: Fraction = 0.3
    """Share of views that carry the title in front."""
    mask_share: Fraction = 0.0
    """Share of a text's word pieces replaced by ``[MASK]``, so that no view is seen twice in the same words."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the forward and backward pass; weights and the optimizer's state are always float32.
    bfloat16 is twice as fast on a CPU that multiplies it (``avx512_bf16``, ``amx_bf16``) and slower on others."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    """Peak rate of the uppermost encoder layer."""
    head_learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Factor on the rate per layer downwards (Howard & Ruder 2018, discriminative fine-tuning)."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup_share: Fraction = 0.06
    dropout: Fraction = 0.1
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    checkpoint_steps: Annotated[int, Field(ge=1)] = 100
    monitor_steps: Annotated[int, Field(ge=1)] = 500
    """Every so many steps a part of the validation file is scored, to draw the curve."""
    monitor_titles: Annotated[int, Field(ge=1)] = 512

    @model_validator(mode="after")
    def _short_is_said_in_full(self) -> Self:
        if (self.short_tokens is None) != (self.short_repeats is None):
            message = "short_tokens and short_repeats need each other"
            raise ValueError(message)
        return self


class DistilRecipe(_Section):
    """Learning from a trained, deeper network: its lower layers to begin with, its answers as soft targets."""

    teacher: Annotated[str, Field(pattern=r"^[a-z0-9-]+-\d+\.\d+\.\d+$")]
    """Model and version whose working folder lies beside this one's, such as ``genre-bert-0.2.0``."""
    teacher_layers: Annotated[int, Field(ge=1, le=6)] = 6
    start_layers: tuple[Annotated[int, Field(ge=0, le=5)], ...]
    """The teacher's layers that the student begins with, lowest first, one for each of its own."""
    soft_share: Fraction = 0.7
    """Weight of the teacher's probabilities in the target; the labels have the rest (Hinton et al. 2015).
    With 0 the student only begins with the teacher's weights: more passes for a network that has had some."""
    start_share: Fraction | None = None
    """Share of the weights that it began with in those it ends with, the trained ones being the rest (Wortsman et al. 2022,
    arXiv:2109.01903); None for the trained ones alone."""


class JointRecipe(_Section):
    """Training on what is served: the loss is that of a text's mean over windows, with the linear model's logits added.

    The linear model's logits of a training text come from a fit that has not seen its title (the step `cross-fit`),
    because those of the served fit are better there than anywhere else.
    """

    windows: Annotated[int, Field(ge=1, le=8)] = 3
    """Windows drawn from a long text at most, spread over it; their logits are averaged (docs/adr/0013)."""
    wide_weight: Annotated[float, Field(ge=0, le=2)] = 0.6
    """Factor on the linear model's logits, less their intercepts."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Fits of the linear model, each without another part of the titles."""
    seed: Annotated[int, Field(ge=0)] = 17
    """Draws the parts."""


class TeacherRecipe(_Section):
    """A larger network whose answers are soft targets: for each fold of the titles, one that was trained on all the others.

    What a network says of a text that it was trained on is little more than its labels; what it says of one that it has not seen tells how the
    text reads. So every training text is answered by the network that did not see its title (docs/adr/0013).
    """

    base: Literal["all-mpnet-base-v2", "all-MiniLM-L6-v2"] = "all-mpnet-base-v2"
    layers: Annotated[int, Field(ge=1, le=12)] = 12
    """Layers of the base that are used, from the lowest."""
    folds: Annotated[int, Field(ge=2, le=20)] = 3
    seed: Annotated[int, Field(ge=0)] = 17
    """Draws the folds."""
    wide_weight: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Factor on the linear model's logits beside the teacher, in its training and in its answers; above 0 it needs a section ``joint``,
    for the step that makes them."""
    answer_windows: Annotated[int, Field(ge=1, le=8)] = 3
    """Windows of the longest training length that a text is read in at most when it is answered, with its title in front."""
    train: TrainRecipe = TrainRecipe()


class ServeRecipe(_Section):
    """How the network is fed when it serves; written into the manifest."""

    window_tokens: Annotated[int, Field(ge=16, le=512)] = 128
    max_windows: Annotated[int, Field(ge=1, le=64)] = 8
    max_batch_tokens: Annotated[int, Field(ge=1)] = 1
    """Padded tokens of one run of the network. 1 runs every window alone: with dynamic quantization the windows of a
    run share one activation scale, so an answer would depend on its neighbours (docs/adr/0002)."""


class QuantizeRecipe(_Section):
    """INT8 choices."""

    exclude: tuple[str, ...] = ()
    """Node-name prefixes that stay in floating point."""


class WideRecipe(_Section):
    """The linear model beside the network: logistic regression on TF-IDF of word-piece n-grams."""

    features: Annotated[int, Field(ge=1, le=2**20)] = 65_536
    """N-grams kept at most, those of the most texts; each takes 24 bytes of the artifact."""
    ngrams: Annotated[int, Field(ge=1, le=2)] = 2
    """Length of the longest n-gram."""
    l2: Annotated[float, Field(gt=0)] = 3e-6
    """Weight of half the squared weights in the loss, which is a mean over texts."""
    iterations: Annotated[int, Field(ge=1)] = 10
    """Iterations of L-BFGS at most. Stopping early is part of the regularisation (docs/adr/0010)."""


class TreesRecipe(_Section):
    """Gradient boosting: one tree per label and round, on hashed word pieces."""

    seed: Annotated[int, Field(ge=0)] = 17
    bins: Annotated[int, Field(ge=16, le=2**20)] = 16_384
    """Columns of a hashed bag, a power of two."""
    rounds: Annotated[int, Field(ge=1)] = 200
    learning_rate: Annotated[float, Field(gt=0)] = 0.2
    max_depth: Annotated[int, Field(ge=1, le=16)] = 6
    min_child_weight: Annotated[float, Field(ge=0)] = 5
    subsample: Annotated[float, Field(gt=0, le=1)] = 0.8
    colsample_bytree: Annotated[float, Field(gt=0, le=1)] = 0.3
    reg_lambda: Annotated[float, Field(ge=0)] = 1
    checkpoint_rounds: Annotated[int, Field(ge=1)] = 10

    @field_validator("bins")
    @classmethod
    def _power_of_two(cls, bins: int) -> int:
        if bins & (bins - 1):
            message = "must be a power of two"
            raise ValueError(message)
        return bins


class _Described(_Section):
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    description: str
    prepare: PrepareRecipe = PrepareRecipe()


class BertRecipe(_Described):
    """A version of the transformer, completely described."""

    model: Literal["genre-bert", "genre-bert-small"]
    layers: Annotated[int, Field(ge=1, le=6)] = 6
    train: TrainRecipe = TrainRecipe()
    distil: DistilRecipe | None = None
    teacher: TeacherRecipe | None = None
    answers_share: Fraction | None = None
    """Weight of the probabilities that the section ``teacher`` answers in the target; the labels have the rest (Hinton et al. 2015).
    None where there is no such section."""
    joint: JointRecipe | None = None
    """None for a network that is trained by itself, a window at a time."""
    serve: ServeRecipe = ServeRecipe()
    quantize: QuantizeRecipe = QuantizeRecipe()
    wide: WideRecipe | None = None
    """None for a network that stands alone."""

    @property
    def windows_of_a_text(self) -> int:
        """Windows of a text at most that are trained on together."""
        return 1 if self.joint is None else self.joint.windows

    @model_validator(mode="after")
    def _title_leaves_room(self) -> Self:
        # The manifest demands it too, but is written only after the whole training.
        if self.prepare.max_title_tokens + SPECIALS_WITH_TITLE > self.serve.window_tokens // 2:
            message = "prepare.max_title_tokens takes more than half of serve.window_tokens"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _something_stands_beside(self) -> Self:
        if self.joint is not None and self.wide is None:
            message = "joint needs a section wide: the linear model that it trains the network beside"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _teacher_fits(self) -> Self:
        teacher = self.teacher
        if (teacher is None) != (self.answers_share is None):
            message = "a section teacher and answers_share need each other"
            raise ValueError(message)
        if teacher is None:
            return self
        if self.prepare.max_title_tokens + SPECIALS_WITH_TITLE > max(teacher.train.window_tokens) // 2:
            message = (
                "prepare.max_title_tokens takes more than half of the longest of teacher.train.window_tokens"
            )
            raise ValueError(message)
        if self.distil is not None and self.distil.soft_share:
            message = "distil.soft_share must be 0 where there is a section teacher: a target has one source"
            raise ValueError(message)
        if teacher.wide_weight and self.joint is None:
            message = (
                "teacher.wide_weight needs a section joint: the linear model's logits come from its step"
            )
            raise ValueError(message)
        if teacher.layers > BASE_LAYERS[teacher.base]:
            message = f"teacher.layers is more than the {BASE_LAYERS[teacher.base]} of {teacher.base}"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _starts_fit(self) -> Self:
        if self.distil is not None:
            starts = self.distil.start_layers
            if len(starts) != self.layers or max(starts) >= self.distil.teacher_layers:
                message = f"distil.start_layers must name {self.layers} of the teacher's {self.distil.teacher_layers} layers"
                raise ValueError(message)
        return self

    def manifest_input(self) -> dict[str, Any]:
        """Give what the manifest says about feeding the network."""
        return {
            "kind": "windows",
            "input": {**self.serve.model_dump(), "max_title_tokens": self.prepare.max_title_tokens},
        }


class XgboostRecipe(_Described):
    """A version of the tree model, completely described."""

    model: Literal["genre-xgboost"]
    trees: TreesRecipe = TreesRecipe()

    def manifest_input(self) -> dict[str, Any]:
        """Give what the manifest says about feeding the network."""
        return {"kind": "bag", "input": {"bins": self.trees.bins}}


Recipe = BertRecipe | XgboostRecipe
_ANY_RECIPE: Final[TypeAdapter[Recipe]] = TypeAdapter(Annotated[Recipe, Field(discriminator="model")])


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises
    ------
    RecipeError
        If the file is missing, is not TOML, or a field is unknown, missing or out of range.
    """
    try:
        return _ANY_RECIPE.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        message = f"recipe {path}: {error.strerror}"
        raise RecipeError(message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"recipe {path}: not valid TOML: {error}"
        raise RecipeError(message) from error
    except ValidationError as error:
        details = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        message = f"recipe {path}: {details}"
        raise RecipeError(message) from error

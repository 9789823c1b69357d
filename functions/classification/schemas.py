"""What `POST /classify` and `GET /health` take and give, as pydantic models.

The OpenAPI document is made from these. They must not know how a model works.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    StringConstraints,
    Tag,
)

from functions.classification.contract import MAX_ID_CHARS, MAX_TEXT_CHARS, MAX_TITLE_CHARS
from genre_model import GENRES
from trending_core.visible import check_visible

MAX_ITEMS: Final = 64
DEFAULT_TOP_K: Final = 5

_PLOT: Final = "A marshal rides into a dying frontier town to face the outlaw who killed his brother."
_MODEL_EXAMPLE: Final[dict[str, JsonValue]] = {"name": "genre-bert", "version": "0.6.0"}
_GENRES_EXAMPLE: Final[list[JsonValue]] = [
    {"label": "Western", "probability": 0.9412, "selected": True},
    {"label": "Action", "probability": 0.4107, "selected": True},
    {"label": "Drama", "probability": 0.3391, "selected": False},
]

ModelChoice = Literal["bert", "xgboost"]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Text = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS), AfterValidator(check_visible)
]


class Item(_Request):
    """One text of a batch."""

    id: str | None = Field(default=None, max_length=MAX_ID_CHARS, description="Comes back with the answer.")
    text: Text = Field(description="Plot or synopsis; it must hold at least one visible character.")
    title: str | None = Field(
        default=None, max_length=MAX_TITLE_CHARS, description="Helps where the text is short."
    )


class _Options(_Request):
    top_k: int = Field(
        default=DEFAULT_TOP_K,
        ge=1,
        le=len(GENRES),
        description="How many of the likeliest genres are answered; selected ones beyond them are always added.",
    )
    model: ModelChoice = Field(
        default="bert",
        description="Which model answers. One that this deployment does not hold is refused with 422.",
    )


class ClassifyText(_Options):
    """One text."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": _PLOT, "title": "High Mesa", "top_k": 3}]},
    )

    text: Text = Field(description="Plot or synopsis; it must hold at least one visible character.")
    title: str | None = Field(
        default=None, max_length=MAX_TITLE_CHARS, description="Helps where the text is short."
    )


class ClassifyItems(_Options):
    """A batch of texts."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{"id": "a-1", "text": _PLOT}], "top_k": 3}]},
    )

    items: list[Item] = Field(min_length=1, max_length=MAX_ITEMS, description="Answered in the same order.")


def _form(body: Any) -> str:  # noqa: ANN401 -- whatever JSON holds
    """Tell the two forms apart by the field that only one of them has, so that the faults named are that form's."""
    return (
        "<items>"
        if isinstance(body, ClassifyItems) or (isinstance(body, dict) and "items" in body)
        else "<text>"
    )


ClassifyRequest = Annotated[
    Annotated[ClassifyText, Tag("<text>")] | Annotated[ClassifyItems, Tag("<items>")], Discriminator(_form)
]


class Genre(BaseModel):
    """One label's answer."""

    label: str = Field(json_schema_extra={"enum": list(GENRES)})
    probability: float = Field(ge=0, le=1, description="Calibrated, rounded to four decimals.")
    selected: bool = Field(
        description="The unrounded probability reaches the threshold tuned for this label."
    )


class ModelInfo(BaseModel):
    """Which model answered."""

    name: str = Field(description="Such as `genre-bert`.")
    version: str = Field(description="The artifact's version, such as `0.1.0`.")


class TextAnswer(BaseModel):
    """The answer to one text."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"genres": _GENRES_EXAMPLE, "model": _MODEL_EXAMPLE}]},
    )

    genres: list[Genre] = Field(description="By falling probability.")
    model: ModelInfo


class ItemAnswer(BaseModel):
    """One text's answer in a batch."""

    id: str | None = Field(description="The item's own id; null where it had none.")
    genres: list[Genre] = Field(description="By falling probability.")


class ItemsAnswer(BaseModel):
    """The answer to a batch."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"items": [{"id": "a-1", "genres": _GENRES_EXAMPLE}], "model": _MODEL_EXAMPLE}]
        },
    )

    items: list[ItemAnswer] = Field(description="In the order of the request.")
    model: ModelInfo


class Health(BaseModel):
    """The function is up and its models are loaded."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "ok",
                    "service": "classification",
                    "version": "0.1.0",
                    "function_version": "7",
                    "models": {"bert": _MODEL_EXAMPLE},
                }
            ]
        },
    )

    status: Literal["ok"] = "ok"
    service: str = Field(description="The function's name.")
    version: str = Field(description="The code's version.")
    function_version: str = Field(
        description="Lambda's version of the function, `$LATEST` where none is published."
    )
    models: dict[str, ModelInfo] = Field(description="What can be asked for as `model`.")

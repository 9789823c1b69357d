"""The classification function's routes: parse, call, answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from aws_lambda_powertools.event_handler.openapi.params import Body

from functions.classification.schemas import (
    ClassifyItems,
    ClassifyRequest,
    Health,
    ItemAnswer,
    ItemsAnswer,
    TextAnswer,
)
from genre_model import Document
from trending_core import __version__
from trending_core.documents import add_documents
from trending_core.errors import (
    InternalError,
    InvalidInput,
    MalformedRequest,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from trending_core.http import App, make_app
from trending_core.problem import problem_responses

if TYPE_CHECKING:
    from functions.classification.service import Classifier


def build_app(classifier: Classifier, *, function_version: str = "$LATEST") -> App:
    """Make the function's HTTP application.

    Parameters
    ----------
    classifier : Classifier
        The models that answer.
    function_version : str
        What ``/health`` says about it.
    """
    app = make_app()

    @app.post(
        "/classify",
        operation_id="classify",
        summary="Classify one text or a batch",
        description="Genres of a plot, with calibrated probabilities. A batch takes at most 64 items.",
        tags=["classification"],
        responses={
            200: {
                "description": "The genres",
                "content": {"application/json": {"model": TextAnswer | ItemsAnswer}},
            },
            **problem_responses(
                MalformedRequest, PayloadTooLarge, UnsupportedMediaType, InvalidInput, InternalError
            ),
        },
    )
    def classify(request: Annotated[ClassifyRequest, Body()]) -> TextAnswer | ItemsAnswer:
        if isinstance(request, ClassifyItems):
            documents = [Document(item.text, item.title) for item in request.items]
            answer = classifier.classify(documents, top_k=request.top_k, model=request.model)
            items = [
                ItemAnswer(id=item.id, genres=genres)
                for item, genres in zip(request.items, answer.genres, strict=True)
            ]
            return ItemsAnswer(items=items, model=answer.model)
        document = Document(request.text, request.title)
        answer = classifier.classify([document], top_k=request.top_k, model=request.model)
        return TextAnswer(genres=answer.genres[0], model=answer.model)

    @app.get(
        "/health",
        operation_id="health",
        summary="Versions of what is running",
        tags=["service"],
        responses={
            200: {"description": "Up, models loaded", "content": {"application/json": {"model": Health}}},
            **problem_responses(InternalError),
        },
    )
    def health() -> Health:
        return Health(
            service="classification",
            version=__version__,
            function_version=function_version,
            models=classifier.models,
        )

    add_documents(app, Path(__file__).parents[1] / "openapi.json")
    return app

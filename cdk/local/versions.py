"""From the spec to what runs here: a function of the spec becomes a `Version` with its code, model and variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from cdk.local.function import LIVE
from cdk.local.invocation import function_arn
from cdk.local.version import Version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cdk.service import Function, Service

MODEL_VARIABLES: Final = {"genre-bert": "GENRE_MODEL_DIR", "genre-xgboost": "GENRE_XGBOOST_MODEL_DIR"}
"""Where a function looks for the artifact folder of a model; the images set the same variables."""
_GEMINI: Final = ("GEMINI_API_KEY", "GEMINI_MODEL", "GEMINI_API_ENDPOINT")
HANDED_ON: Final = {
    "enrichment": _GEMINI,
    "enrichment-worker": _GEMINI,
    "uploads": ("UPLOAD_MAP_BYTES", "UPLOAD_MAX_BYTES"),
}
"""Variables of the service's own environment that these functions, and no others, receive."""
_LEAST_CONCURRENCY: Final = 2
"""Environments that a function may have on the smallest machine, unless its spec reserves fewer."""


def make_version(
    function: Function,
    number: str,
    *,
    root: Path,
    variables: Mapping[str, str],
    description: str = "",
) -> Version:
    """Make a version of a function from the code in a folder.

    Parameters
    ----------
    root : Path
        A checkout of the project: ``functions/`` and ``layers/`` lie in it.
    variables : mapping of str to str
        Variables beyond the function's own: those of every function, models, endpoints, names of resources.
    """
    room = max(_LEAST_CONCURRENCY, os.cpu_count() or 1)
    asked = function.reserved_concurrency or room
    return Version(
        function=function.name,
        number=number,
        handler=function.handler,
        task_root=root,
        layers=tuple(root / "layers" / layer / "python" for layer in function.layers),
        memory_mb=function.memory_mb,
        timeout_s=function.timeout_s,
        environment={**function.environment, **variables},
        provisioned=function.warmup.provisioned,
        concurrency=max(function.warmup.provisioned, min(asked, room)),
        description=description,
    )


def model_variables(
    function: Function, artifacts: Path, references: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Give the variables that name the artifact folders of a function's models.

    Parameters
    ----------
    artifacts : Path
        The folder with ``registry.json``.
    references : mapping of str to str or None
        Model to version or alias; the champion where it is not named.

    Raises
    ------
    RegistryError
        If the registry or a model's folder is missing or damaged.
    """
    if not function.models:
        return {}
    from model_artifacts.registry import (  # noqa: PLC0415 -- only functions with a model need it
        CHAMPION,
        Registry,
    )

    registry = Registry.load(artifacts)
    return {
        MODEL_VARIABLES[model]: str(registry.resolve(model, (references or {}).get(model, CHAMPION)))
        for model in function.models
    }


def grant_variables(function: Function, service: Service) -> dict[str, str]:
    """Give the variables by which a function learns the ARNs of the functions that it may invoke."""
    names = {other.name for other in service.functions}
    return {grant.variable: function_arn(grant.to, LIVE) for grant in function.grants if grant.to in names}


def handed_on_variables(function: Function) -> dict[str, str]:
    """Give the variables of the service's own environment that are meant for a function."""
    return {name: os.environ[name] for name in HANDED_ON.get(function.name, ()) if name in os.environ}

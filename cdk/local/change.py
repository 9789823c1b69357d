"""What makes a version differ from the checkout that the service runs: other models, other code, other variables.

Plain data with its JSON form and its refusals. Must not know how a version is run.

On AWS a version is an image. Here it is, in the same three parts: the code of a folder (another checkout, a git worktree),
the artifact folders of its models (by version or alias of the registry), and environment variables on top.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from cdk.local.errors import RolloutError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cdk.service import Function

_VARIABLE: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How a version differs; without arguments it is the checkout itself, with its champions.

    Parameters
    ----------
    models : mapping of str to str
        Model -> version or alias in the registry of the version's code.
    code : Path or None
        A checkout with ``functions/``, ``layers/`` and ``model_artifacts/``; None for the service's own.
    environment : mapping of str to str
        Variables that win over the spec's.
    """

    models: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    code: Path | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def parse(cls, function: Function, versions: Sequence[str], environment: Mapping[str, str]) -> Self:
        """Read what a person asked for.

        Parameters
        ----------
        versions : sequence of str
            Each is a folder with code (an absolute path), ``model=version``, or the version or alias of the function's
            only model.

        Raises
        ------
        RolloutError
            If one of them is none of these, two contradict each other, or a variable's name is impossible.
        """
        models: dict[str, str] = {}
        code: Path | None = None
        for text in versions:
            if Path(text).is_absolute():
                if code is not None:
                    message = f"a version has one folder of code, not both {code} and {text}"
                    raise RolloutError(message)
                code = _code(function, Path(text))
                continue
            model, reference = _model(function, text)
            if model in models:
                message = f"a version has one {model}, not both {models[model]} and {reference}"
                raise RolloutError(message)
            models[model] = reference
        for name in environment:
            if not _VARIABLE.match(name):
                message = f"{name!r} is not the name of an environment variable"
                raise RolloutError(message)
        return cls(models=models, code=code, environment=dict(environment))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        code = content["code"]
        return cls(
            models=dict(content["models"]),
            code=None if code is None else Path(code),
            environment=dict(content["environment"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Give the JSON form; the values of variables are in it."""
        return {
            "models": dict(self.models),
            "code": None if self.code is None else str(self.code),
            "environment": dict(self.environment),
        }

    @property
    def description(self) -> str:
        """For a person: what is in it; of variables the names only."""
        parts = [f"{model}={reference}" for model, reference in self.models.items()]
        if self.code is not None:
            parts.append(f"code of {self.code}")
        if self.environment:
            parts.append("with " + ", ".join(sorted(self.environment)))
        return ", ".join(parts) or "checkout"


def _code(function: Function, folder: Path) -> Path:
    module = function.handler.rpartition(".")[0].replace(".", "/")
    if not (folder / f"{module}.py").is_file() and not (folder / module / "__init__.py").is_file():
        message = f"{folder} holds no {module}.py, the handler of {function.name}: it is no checkout of this project"
        raise RolloutError(message)
    return folder


def _model(function: Function, text: str) -> tuple[str, str]:
    known = ", ".join(function.models) or "none"
    model, equals, reference = text.partition("=")
    if not equals:
        if not function.models:
            message = f"{text!r} is no folder with code, and function {function.name} has no model whose version it could be"
            raise RolloutError(message)
        if len(function.models) > 1:
            named = " or ".join(f"{model}={text}" for model in function.models)
            message = f"{text!r} is no folder with code; for a model of {function.name} write {named}"
            raise RolloutError(message)
        return function.models[0], text
    if model not in function.models:
        message = f"function {function.name} has no model {model!r}; it has: {known}"
        raise RolloutError(message)
    if not reference:
        message = f"{text!r} names no version; write {model}=VERSION"
        raise RolloutError(message)
    return model, reference

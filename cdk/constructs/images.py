"""What goes into a function's container image, and with it into the hash that decides whether the function changes.

The build context is the project's root, narrowed to an allow-list: the function's own folder, its layers, its model's
champion. An edit anywhere else leaves the hash, and so the function and its version, as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_lambda as lambda_

from model_artifacts.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from cdk.service import Function

NEVER: Final = ("**/__pycache__", "**/*.pyc", "**/.*", "**/*.egg-info", "**/report")
"""Left out even inside an allowed folder."""

SHARED_FILES: Final = ("functions/openapi.json",)
"""Files outside its folder that an image holds where its Dockerfile says so."""

MODEL_ARGUMENTS: Final = {"genre-bert": "MODEL", "genre-xgboost": "XGBOOST_MODEL"}
"""The Dockerfiles' build argument for the folder of each model's champion."""

_PLATFORMS: Final = {
    "x86_64": (lambda_.Architecture.X86_64, ecr_assets.Platform.LINUX_AMD64),
    "arm64": (lambda_.Architecture.ARM_64, ecr_assets.Platform.LINUX_ARM64),
}


def architecture(function: Function) -> lambda_.Architecture:
    """Give the processor architecture that the spec asks for."""
    return _PLATFORMS[function.architecture][0]


def champion_folders(function: Function, root: Path) -> tuple[str, ...]:
    """Folders of the champions that the image holds, relative to ``root``.

    Raises
    ------
    model_artifacts.registry.RegistryError
        If a model has no champion or its folder is missing.
    """
    if not function.models:
        return ()
    registry = Registry.load(root / "model_artifacts")
    folders = (registry.resolve(model, "champion") for model in function.models)
    return tuple(folder.resolve().relative_to(root.resolve()).as_posix() for folder in folders)


def ignore_patterns(allowed: tuple[str, ...]) -> list[str]:
    """Docker ignore patterns that let through ``allowed`` (paths relative to the root) and nothing else."""
    return ["*", *(f"!{path}" for path in allowed), *NEVER]


def allowed_paths(function: Function, root: Path) -> tuple[str, ...]:
    """All that the image of ``function`` is built from, relative to ``root``.

    Functions of one image get the same paths, so the same hash, so one image.
    """
    dockerfile = (root / function.image / "Dockerfile").read_text(encoding="utf-8")
    return (
        "functions/__init__.py",
        *(shared for shared in SHARED_FILES if shared in dockerfile),
        function.image,
        *(f"layers/{layer}/python" for layer in function.layers),
        *champion_folders(function, root),
    )


def image_code(function: Function, root: Path) -> lambda_.DockerImageCode:
    """Describe the image of ``function``; nothing is built at synth."""
    folders = champion_folders(function, root)
    return lambda_.DockerImageCode.from_image_asset(
        str(root),
        file=f"{function.image}/Dockerfile",
        asset_name=f"trending-now-{function.image.rsplit('/', 1)[-1]}",
        cmd=[function.handler],
        platform=_PLATFORMS[function.architecture][1],
        exclude=ignore_patterns(allowed_paths(function, root)),
        ignore_mode=cdk.IgnoreMode.DOCKER,
        build_args=dict(zip((MODEL_ARGUMENTS[name] for name in function.models), folders, strict=True))
        or None,
    )

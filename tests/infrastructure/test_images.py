"""What decides whether a function changes: its own folder, layers and model, and nothing else in the project."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from cdk.app import ROOT
from cdk.node import use_bundled_node
from cdk.service import service
from tests.support.cloud import MODEL, OTHER_MODEL, project
from tests.support.every_feature import SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

use_bundled_node()

FUNCTIONS = ("classification", "enrichment", "trending")


def hashes(root: Path) -> dict[str, str]:
    """Give each function's image hash, and the hooks', without a synth."""
    import aws_cdk as cdk  # noqa: PLC0415 -- starts Node
    from aws_cdk import aws_ecr_assets as assets  # noqa: PLC0415
    from aws_cdk import aws_s3_assets as files  # noqa: PLC0415

    from cdk.constructs.images import allowed_paths, ignore_patterns  # noqa: PLC0415

    stack = cdk.Stack(cdk.App(analytics_reporting=False), "stack")
    found = {}
    for name in FUNCTIONS:
        spec = SERVICE.function(name)
        found[name] = assets.DockerImageAsset(
            stack,
            name,
            directory=str(root),
            file=f"{spec.image}/Dockerfile",
            exclude=ignore_patterns(allowed_paths(spec, root)),
            ignore_mode=cdk.IgnoreMode.DOCKER,
        ).asset_hash
    found["hooks"] = files.Asset(
        stack,
        "hooks",
        path=str(root),
        exclude=ignore_patterns(("functions/__init__.py", "functions/hooks")),
        ignore_mode=cdk.IgnoreMode.DOCKER,
    ).asset_hash
    return found


def write(path: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("changed\n")

    return change


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ("README.md", set()),
        ("pyproject.toml", set()),
        (".env", set()),
        ("cdk/service/catalogue.py", set()),
        ("tests/unit/test_x.py", set()),
        ("model_artifacts/genre-bert/0.6.0/manifest.json", set()),
        (f"{MODEL}/report/metrics.json", set()),
        ("model_artifacts/pipeline/train.py", set()),
        ("functions/trending/__pycache__/handler.cpython-313.pyc", set()),
        ("functions/trending/.env", set()),
        ("functions/openapi.json", {"classification"}),
        ("functions/trending/handler.py", {"trending"}),
        ("functions/enrichment/prompts/v2.txt", {"enrichment"}),
        ("functions/classification/Dockerfile", {"classification"}),
        (f"{MODEL}/manifest.json", {"classification"}),
        (f"{OTHER_MODEL}/manifest.json", {"classification"}),
        ("layers/genre/python/module.py", {"classification"}),
        ("layers/core/python/module.py", {"classification", "enrichment", "trending"}),
        ("functions/hooks/golden/trending.json", {"hooks"}),
    ],
)
def test_an_edit_changes_exactly_what_holds_the_file(
    tmp_path_factory: pytest.TempPathFactory, change: str, changed: set[str]
) -> None:
    root = project(tmp_path_factory.mktemp("edited"))
    before = hashes(root)
    write(change)(root)
    after = hashes(root)
    assert {name for name in before if before[name] != after[name]} == changed


@pytest.mark.parametrize("function", service("dev").functions, ids=lambda function: function.name)
def test_an_image_is_built_from_files_that_count_towards_its_hash(function: object) -> None:
    from cdk.constructs.images import allowed_paths  # noqa: PLC0415 -- starts Node
    from cdk.service import Function  # noqa: PLC0415

    assert isinstance(function, Function)
    allowed = allowed_paths(function, ROOT)
    text = (ROOT / function.image / "Dockerfile").read_text().replace("\\\n", " ")
    sources = [
        source
        for line in re.findall(r"^COPY (?!.*--from)(.*)$", text, re.MULTILINE)
        for source in line.split()[:-1]
        if not source.startswith("--")
    ]
    assert sources
    for source in sources:
        if source.startswith(("${MODEL:-", "${XGBOOST_MODEL:-")):
            assert function.models
            continue
        assert any(source.rstrip("/") == path or source.startswith(f"{path}/") for path in allowed), source

"""What an image's Dockerfile keeps of botocore, and that no build goes on without a folder that it was to be given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FUNCTIONS = ROOT / "functions"
IMAGES = sorted(path.parent.name for path in FUNCTIONS.glob("*/Dockerfile"))
CLIENT = re.compile(r"""boto3\.client\(\s*["']([a-z0-9-]+)["']""")
ARGUMENT = re.compile(r"^ARG ([A-Z_]*MODEL)(.*)$", re.MULTILINE)
KEPT = re.compile(r"botocore/data.*?-exec", re.DOTALL)


def clients(folder: Path) -> set[str]:
    return {
        name for path in folder.rglob("*.py") for name in CLIENT.findall(path.read_text(encoding="utf-8"))
    }


def kept(image: str) -> set[str]:
    (command,) = KEPT.findall((FUNCTIONS / image / "Dockerfile").read_text(encoding="utf-8"))
    return set(re.findall(r"! -name ([a-z0-9-]+)", command))


def test_there_are_images() -> None:
    assert {"classification", "enrichment", "trending"} <= set(IMAGES)


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_keeps_every_service_that_its_function_calls(image: str) -> None:
    called = clients(FUNCTIONS / image) | clients(ROOT / "layers" / "core")
    assert "dynamodb" in called
    assert called <= kept(image)


@pytest.mark.parametrize("image", IMAGES)
def test_a_model_is_named_by_who_builds_and_a_build_without_one_stops(image: str) -> None:
    text = (FUNCTIONS / image / "Dockerfile").read_text(encoding="utf-8")
    arguments = dict(ARGUMENT.findall(text))
    assert set(arguments) == ({"MODEL", "XGBOOST_MODEL"} if image == "classification" else set())
    assert set(arguments.values()) <= {""}  # a default is forgotten when the champion changes
    for name in arguments:
        # An empty argument would turn "${MODEL}/" into "/", the whole project.
        (copied,) = re.findall(rf"^COPY .*?(\$\{{?{name}\b\S*)", text, re.MULTILINE)
        assert copied == f"${{{name}:-the-build-argument-{name}-is-missing}}/"

"""What an image's Dockerfile keeps of botocore: a description of each service that the function makes a client for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FUNCTIONS = ROOT / "functions"
IMAGES = sorted(path.parent.name for path in FUNCTIONS.glob("*/Dockerfile"))
CLIENT = re.compile(r"""boto3\.client\(\s*["']([a-z0-9-]+)["']""")
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

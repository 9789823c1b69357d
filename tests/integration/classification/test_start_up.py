"""The function's init and first requests in a process of their own: what they import, and how they fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.artifacts import write_tiny_artifact

ROOT = Path(__file__).parents[3]
HEAVY = (
    "torch",
    "transformers",
    "boto3",
    "scipy",
    "aws_xray_sdk",
    "huggingface_hub",
    "sklearn",
    "onnx",
    "xgboost",
)
"""Not even their top-level package. Powertools imports ``botocore`` itself where it finds it (a file of constants, no
client, under a millisecond), so for that one every module below it is forbidden
instead; so it is with ``google``, a namespace package that exists in every process."""

SERVE = """
import json, sys
from functions.classification.handler import handler
from tests.support.gateway import Context, load_event, proxy_event
at_init = sorted(sys.modules)
statuses = [
    handler(event, Context())["statusCode"]
    for event in (
        load_event("classify"), load_event("classify_items"), load_event("health"), load_event("docs"), load_event("openapi"),
        proxy_event("POST", "/classify", "{"), proxy_event("POST", "/classify", "{}"), proxy_event("GET", "/nope"),
    )
]
print(json.dumps({"at_init": at_init, "after": sorted(sys.modules), "statuses": statuses}))
"""

UPLOADS = """
import json, sys
from functions.classification import upload_handler
from tests.support.lambda_context import TimedContext
answer = upload_handler.handler({"Records": []}, TimedContext())
print(json.dumps({"after": sorted(sys.modules), "answer": answer}))
"""
UPLOADS_ENVIRONMENT = {
    "UPLOADS_BUCKET": "files",
    "UPLOAD_PROGRESS_TABLE": "upload-progress",
    "ITEMS_TABLE": "items",
    "UPLOADS_QUEUE_URL": "http://127.0.0.1:9/queue",
    "UPLOADS_DEAD_LETTERS_URL": "http://127.0.0.1:9/dead",
    "UPLOAD_STATE_MACHINE_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:upload-map",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    base = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GENRE_", "AWS_", "POWERTOOLS_"))
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**base, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def forbidden(modules: list[str]) -> list[str]:
    return [m for m in modules if m.split(".")[0] in HEAVY or m.startswith(("botocore.", "google."))]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_artifact(tmp_path_factory.mktemp("artifact") / "tiny")


def test_importtime_lists_nothing_heavy(artifact: Path) -> None:
    done = run(
        "-X", "importtime", "-c", "import functions.classification.handler", GENRE_MODEL_DIR=str(artifact)
    )
    assert done.returncode == 0, done.stderr[-2000:]
    modules = [
        line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")
    ]
    assert "onnxruntime" in modules
    assert forbidden(modules) == []


def test_requests_import_nothing_heavy_either(artifact: Path) -> None:
    done = run("-W", "error", "-c", SERVE, GENRE_MODEL_DIR=str(artifact))
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["statuses"] == [200, 200, 200, 200, 200, 400, 422, 404]
    assert forbidden(seen["after"]) == []


def test_the_images_lock_holds_what_is_imported_and_nothing_else(artifact: Path) -> None:
    lock = (ROOT / "functions/classification/requirements.txt").read_text(encoding="utf-8")
    locked = {line.split("==")[0] for line in lock.splitlines() if "==" in line}
    modules: set[str] = set()
    for program, variables in ((SERVE, {}), (UPLOADS, UPLOADS_ENVIRONMENT)):
        done = run("-c", program, GENRE_MODEL_DIR=str(artifact), **variables)
        assert done.returncode == 0, done.stderr[-2000:]
        modules |= set(json.loads(done.stdout.splitlines()[-1])["after"])
    always = set(json.loads(run("-c", "import json, sys; print(json.dumps(list(sys.modules)))").stdout))
    owners = packages_distributions()
    imported = {
        owner.lower().replace("_", "-")
        for module in modules - always
        for owner in owners.get(module.split(".")[0], [])
    }
    assert locked == imported - {"trending-now", "certifi"}, "botocore takes certifi where it finds it"


def test_without_its_bucket_the_upload_worker_does_not_start(artifact: Path) -> None:
    environment = {k: v for k, v in UPLOADS_ENVIRONMENT.items() if k != "UPLOADS_BUCKET"}
    done = run("-c", UPLOADS, GENRE_MODEL_DIR=str(artifact), **environment)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("SettingsError: setting UPLOADS_BUCKET is required")


def test_requests_are_served_without_the_dependencies_that_the_image_leaves_out(artifact: Path) -> None:
    unused = (ROOT / "functions/unused.txt").read_text(encoding="utf-8")
    names = [line.split(" ;")[0] for line in unused.splitlines() if line and not line.startswith("#")]
    modules = ["google.protobuf" if name == "protobuf" else name.replace("-", "_") for name in names]
    assert "huggingface_hub" in modules
    block = f"import sys\nsys.modules.update(dict.fromkeys({modules!r}))\n"
    done = run("-c", block + SERVE, GENRE_MODEL_DIR=str(artifact))
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1])["statuses"][:3] == [200, 200, 200]


def test_the_first_classification_imports_nothing_more_of_ours_or_pydantics(artifact: Path) -> None:
    done = run(
        "-c", SERVE.replace('load_event("docs"), load_event("openapi"),', ""), GENRE_MODEL_DIR=str(artifact)
    )
    seen = json.loads(done.stdout.splitlines()[-1])
    late = set(seen["after"]) - set(seen["at_init"])
    assert {
        m
        for m in late
        if m.split(".")[0] in ("functions", "trending_core", "genre_model", "pydantic", "numpy")
    } == set()


def test_each_log_line_is_json_and_holds_no_text(artifact: Path) -> None:
    done = run("-c", SERVE, GENRE_MODEL_DIR=str(artifact), POWERTOOLS_SERVICE_NAME="classification")
    *output, _ = done.stdout.splitlines()
    lines = [json.loads(line) for line in output]
    assert sum("Latency" in line for line in lines) == 8
    assert sum("Classified" in line for line in lines) == 2
    assert sum("_aws" in line for line in lines) == 8 + 2
    assert [line["status"] for line in lines if line.get("message") == "request"] == [200] * 5 + [
        400,
        422,
        404,
    ]
    assert "marshal" in (ROOT / "tests/events/classify.json").read_text(encoding="utf-8")
    assert "marshal" not in "".join(output)


def test_a_missing_setting_ends_the_init_with_a_sentence() -> None:
    done = run("-c", "import functions.classification.handler")
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[-1]
        == "trending_core.errors.SettingsError: setting GENRE_MODEL_DIR is required"
    )


def test_a_damaged_artifact_ends_the_init_with_a_sentence(tmp_path: Path) -> None:
    folder = write_tiny_artifact(tmp_path / "tiny")
    (folder / "model.onnx").write_bytes(b"not a network")
    done = run("-c", "import functions.classification.handler", GENRE_MODEL_DIR=str(folder))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("genre_model.errors.ArtifactError: ")
    assert "model.onnx" in done.stderr.splitlines()[-1]


def test_the_init_neither_collects_garbage_nor_looks_for_pydantics_plugins(artifact: Path) -> None:
    program = (
        "import gc, importlib.metadata, json\n"
        "found = []\n"
        "gc.callbacks.append(lambda phase, info: found.append(phase))\n"
        "importlib.metadata.entry_points = lambda **asked: found.append(str(asked)) or ()\n"
        "import functions.classification.handler\n"
        "at_init = list(found)\n"
        "gc.collect()\n"
        "print(json.dumps([at_init, gc.isenabled(), len(found) > len(at_init)]))\n"
    )
    done = run("-c", program, GENRE_MODEL_DIR=str(artifact))
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [[], True, True]

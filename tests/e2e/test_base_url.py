"""The suite for a deployed stage, sent to the service on this machine by ``--base-url``, as it is sent to a stage on AWS."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import pytest

from cdk.local.aws import PLACE
from cdk.local.invocation import REGION
from tests.support.local import PATIENCE_S, ROOT, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY: Final = "a-key-of-the-local-service-0123456789"
PLAN: Final = "test_a_caller_over_its_rate_is_told_to_wait"
"""Needs the rights to make a usage plan, which a caller of a stage has not."""
SERVE: Final = "from cdk.cli.main import app; app()"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Give the URL of a service that asks for a key, and the variables that lead boto3 to its data."""
    log = tmp_path / "serve.log"
    data = tmp_path / "data"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, "serve", "--port=0", f"--data={data}", f"--api-key={KEY}"],
            cwd=ROOT,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        ready = re.compile(r"is ready at (\S+)")
        assert eventually(
            lambda: process.poll() is not None or ready.search(log.read_text()) is not None, 2 * PATIENCE_S
        ), log.read_text()
        found = ready.search(log.read_text())
        assert found, log.read_text()
        place = json.loads((data / "aws" / PLACE).read_text())
        yield (
            found[1],
            {
                "AWS_ENDPOINT_URL": place["endpoint_url"],
                "AWS_ACCESS_KEY_ID": "local",
                "AWS_SECRET_ACCESS_KEY": "local",
                "AWS_DEFAULT_REGION": REGION,
                "BUCKET": place["names"]["files"],
            },
        )
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(PATIENCE_S)
    assert status == 0, log.read_text()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_suite_passes_wherever_its_base_url_leads(
    stage: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    url, variables = stage
    report = tmp_path / "report.xml"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.e2e",
            "-q",
            f"--base-url={url}",
            f"--api-key={KEY}",
            f"--bucket={variables['BUCKET']}",
            f"--junit-xml={report}",
        ],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        timeout=800,
    )
    assert done.returncode == 0, done.stdout
    cases = ET.fromstring(report.read_text()).findall(".//testcase")  # noqa: S314 -- pytest's own words
    skipped = {str(case.get("name")) for case in cases if case.find("skipped") is not None}
    assert skipped == {PLAN}
    assert len(cases) > len(skipped) + 20


@pytest.mark.slow
def test_a_base_url_that_nobody_answers_at_fails(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.e2e",
            "-q",
            "-k",
            "health",
            "--base-url=http://127.0.0.1:1",
        ],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 1, done.stdout
    assert "ConnectError" in done.stdout

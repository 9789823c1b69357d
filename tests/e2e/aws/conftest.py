"""The service behind a real API Gateway: a deployment named by ``--base-url``, or the CDK app in the AWS emulator.

    make e2e E2E="--base-url https://... --api-key ... [--bucket NAME]"     # a stage on AWS
    make e2e                                                                # here, with Docker

Nothing in the tests knows which of the two it talks to, but where a test says so.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from cdk.local.invocation import REGION
from tests.support import stack

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S = 40
"""API Gateway answers within 29 s, whatever happens behind it."""


@dataclass(frozen=True)
class Deployment:
    """Where the service answers.

    Attributes
    ----------
    key : str or None
        None where the stage asks for none.
    session, endpoint_url, bucket
        For what does not go through the gateway: files in S3.
    emulated : bool
        Whether this is the emulator, for rules that only AWS keeps.
    """

    base_url: str
    key: str | None
    session: boto3.Session
    endpoint_url: str | None
    bucket: str | None
    emulated: bool

    def client(self, *, key: str | None) -> httpx.Client:
        headers = {"x-api-key": key} if key else {}
        return httpx.Client(base_url=self.base_url, headers=headers, timeout=TIMEOUT_S)


@pytest.fixture(scope="session")
def deployment(request: pytest.FixtureRequest) -> Deployment:
    base_url = request.config.getoption("--base-url", default=None)
    if base_url:
        return Deployment(
            base_url=base_url.rstrip("/"),
            key=request.config.getoption("--api-key"),
            session=boto3.Session(),
            endpoint_url=None,
            bucket=request.config.getoption("--bucket"),
            emulated=False,
        )
    assembly: stack.Assembly = request.getfixturevalue("assembly")
    endpoint_url: str = request.getfixturevalue("docker_emulator").endpoint_url
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
    api = stack.deploy(assembly, endpoint_url)
    return Deployment(
        base_url=f"{endpoint_url}/_aws/execute-api/{api}/v1",
        key=stack.api_key(session, endpoint_url),
        session=session,
        endpoint_url=endpoint_url,
        bucket=stack.bucket(session, endpoint_url),
        emulated=True,
    )


@pytest.fixture(scope="session")
def api(deployment: Deployment) -> Iterator[httpx.Client]:
    """A caller with a key."""
    with deployment.client(key=deployment.key) as client:
        yield client


@pytest.fixture(scope="session")
def stranger(deployment: Deployment) -> Iterator[httpx.Client]:
    """A caller without one."""
    with deployment.client(key=None) as client:
        yield client


@pytest.fixture
def plot() -> dict[str, Any]:
    """An item that no earlier run has stored."""
    return {
        "item_id": f"e2e-{uuid.uuid4().hex}",
        "title": "High Mesa",
        "plot": "A marshal rides into a dying frontier town to face the outlaw who killed his brother.",
        "reviews": ["Tense and beautifully shot.", "A bitter, honest western."],
        "year": 2024,
    }

"""Who may call: API keys per route, and the usage plan's rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cdk.service import service
from tests.support.stack import STAGE

if TYPE_CHECKING:
    import httpx

    from tests.e2e.aws.conftest import Deployment

ROUTES = [(route.method, route.path, route.public) for f in service(STAGE).functions for route in f.routes]


@pytest.fixture
def keyed(deployment: Deployment) -> Deployment:
    if deployment.key is None:
        pytest.skip("this stage asks for no key")
    return deployment


@pytest.mark.parametrize(("method", "path", "public"), ROUTES)
def test_a_route_asks_for_a_key_unless_it_is_public(
    keyed: Deployment, stranger: httpx.Client, method: str, path: str, public: bool
) -> None:
    body: dict[str, str] | None = {} if method == "POST" else None
    answer = stranger.request(method, path.replace("{item_id}", "nobody"), json=body)
    assert (answer.status_code == 403) is not public
    if not public:
        assert answer.json()["status"] == 403
        assert answer.headers["content-type"].split(";")[0] == "application/problem+json"


def test_a_wrong_key_is_as_good_as_none(keyed: Deployment) -> None:
    with keyed.client(key="0" * 40) as client:
        assert client.get("/trending").status_code == 403


def test_a_caller_over_its_rate_is_told_to_wait(keyed: Deployment) -> None:
    """A plan of its own, one request a second, so that the other tests keep theirs."""
    if not keyed.emulated:
        pytest.skip("making a usage plan takes rights that a caller of the stage has not")
    client = keyed.session.client("apigateway", endpoint_url=keyed.endpoint_url)
    api_id = keyed.base_url.split("/")[-2]
    plan = client.create_usage_plan(
        name="slow",
        throttle={"rateLimit": 1, "burstLimit": 2},
        apiStages=[{"apiId": api_id, "stage": "v1"}],
    )
    key = client.create_api_key(name="slow", enabled=True)
    client.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    try:
        with keyed.client(key=key["value"]) as slow:
            answers = [slow.get("/trending", params={"limit": 1}) for _ in range(12)]
    finally:
        client.delete_api_key(apiKey=key["id"])
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert {answer.json()["status"] for answer in refused} == {429}
    assert {answer.headers["content-type"].split(";")[0] for answer in refused} == {
        "application/problem+json"
    }

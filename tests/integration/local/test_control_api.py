"""The control API over HTTP: whoever has no token or asks for nonsense changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cdk.cli.control_client import ControlClient
from cdk.local.errors import RolloutError, ServeError
from cdk.service import Rollout, Strategy
from tests.support.local import PATIENCE_S
from tests.support.rollouts import a_canary, serving_canary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a running service."""
    folder = tmp_path_factory.mktemp("control") / "data"
    with serving_canary(folder):
        yield folder


@pytest.fixture
def client(data: Path) -> Iterator[httpx.Client]:
    record = json.loads((data / "service.json").read_text(encoding="utf-8"))
    headers = {"Authorization": f"Bearer {record['control_token']}"}
    with httpx.Client(base_url=record["control_url"], headers=headers, timeout=PATIENCE_S) as made:
        yield made


def test_it_listens_on_loopback_and_its_token_is_for_this_user_only(data: Path, client: httpx.Client) -> None:
    assert client.base_url.host == "127.0.0.1"
    assert (data / "service.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic eA=="])
def test_without_the_token_nothing_is_said_or_done(client: httpx.Client, given: str) -> None:
    for method, path in (("GET", "/rollouts"), ("POST", "/rollouts/canary"), ("GET", "/x")):
        answer = client.request(method, path, headers={"Authorization": given})
        assert answer.status_code == 401
        assert "token" in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "word"),
    [
        ("GET", "/nope", "", 404, "no /nope"),
        ("GET", "/rollouts/x", "", 404, "there is no function 'x'; the service has: canary"),
        ("POST", "/rollouts/x", "{}", 404, "there is no function 'x'"),
        ("POST", "/rollouts", "{}", 405, "POST does nothing"),
        ("GET", "/rollouts/canary/rollback", "", 405, "GET does nothing"),
        ("POST", "/rollouts/canary", "{", 400, "not JSON"),
        ("POST", "/rollouts/canary", "[]", 400, "object"),
        ("POST", "/rollouts/canary", '{"versoin": []}', 400, "no other field"),
        ("POST", "/rollouts/canary", '{"versions": "x"}', 400, "versions"),
        ("POST", "/rollouts/canary", '{"environment": {"A": 1}}', 400, "environment"),
        ("POST", "/rollouts/canary", '{"speed": true}', 400, "speed"),
        ("POST", "/rollouts/canary", '{"speed": 0.5, "environment": {"A": "1"}}', 422, "factor from 1"),
        ("POST", "/rollouts/canary", "{}", 422, "say what the new version is"),
        ("POST", "/rollouts/canary", '{"versions": ["0.2.0"]}', 422, "has no model"),
        ("POST", "/rollouts/canary", " " * 70_000, 413, "exceeds"),
        ("POST", "/rollouts/canary/rollback", "", 409, "no version before 1"),
    ],
)
def test_what_makes_no_sense_is_a_sentence_and_changes_nothing(
    data: Path, client: httpx.Client, method: str, path: str, content: str, status: int, word: str
) -> None:
    answer = client.request(method, path, content=content)
    assert (answer.status_code, list(answer.json())) == (status, ["message"])
    assert word in answer.json()["message"]
    (state,) = ControlClient(data).status()
    assert (state["live"], state["rollout"], len(state["versions"])) == ("1", None, 1)
    assert not (data / "rollouts").exists()


@pytest.mark.parametrize(
    ("rollout", "word"),
    [
        (Rollout(strategy=Strategy.MANUAL, weight=1.0), "by hand"),
        (Rollout(golden="nope"), "there are no golden requests nope.json"),
    ],
)
def test_a_spec_that_cannot_be_rolled_out_is_a_sentence(tmp_path: Path, rollout: Rollout, word: str) -> None:
    with serving_canary(tmp_path / "data", a_canary(rollout)), pytest.raises(RolloutError, match=word):
        ControlClient(tmp_path / "data").start("canary", [], {"A": "1"}, 1)


def test_a_service_that_is_not_there_is_a_sentence(tmp_path: Path, data: Path) -> None:
    with pytest.raises(ServeError, match="no service runs on data folder"):
        ControlClient(tmp_path)
    record: dict[str, Any] = json.loads((data / "service.json").read_text(encoding="utf-8"))
    (tmp_path / "service.json").write_text(json.dumps(record | {"control_url": "http://127.0.0.1:9"}))
    with pytest.raises(ServeError, match="does not answer"):
        ControlClient(tmp_path).status()
    (tmp_path / "service.json").write_text("{}")
    with pytest.raises(ServeError, match="does not say how"):
        ControlClient(tmp_path)

"""The enrichment on this machine as `make serve` runs it: gateway, real runtime client, emulated AWS, queue and worker.

Only the classification function is a stand-in, so that no model is needed.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from cdk.local.aws import AwsCompanion
from cdk.local.pollers import queue_pollers
from cdk.local.service import LocalService, ServeOptions
from cdk.service import Service, Warmup, service
from tests.support.enrichment import GOOD, KEY
from tests.support.local import PATIENCE_S
from tests.support.scripted_server import ScriptedServer, fails, says

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Use = Callable[[aiohttp.ClientSession, str], Awaitable[None]]

ROOT = Path(__file__).parents[3]
BODY = {
    "title": "The Salt Road",
    "plot": "Two sisters smuggle salt across a closed border and find out who closed it.",
    "reviews": ["Tense, beautifully shot, and the ending is earned."],
}


def spec() -> Service:
    full = service("local")
    classification = replace(
        full.function("classification"),
        handler="tests.support.handlers.classified.handler",
        models=(),
    )
    # All of them up before the first request, so that none waits for a start on a busy machine.
    names = ("enrichment", "enrichment-worker", "trending")
    up = Warmup(provisioned=1)
    classification = replace(classification, warmup=up)
    others = (replace(full.function(name), warmup=up) for name in names)
    return replace(full, functions=(classification, *others), buckets=(), state_machines=())


def serve(folder: Path, use: Use) -> list[str]:
    """Run the service, use it, stop it; give every line that the functions wrote."""
    lines: list[str] = []

    async def run() -> None:
        one = spec()
        aws = AwsCompanion(one, folder / "aws")
        local = LocalService(
            one,
            ServeOptions(root=ROOT, data=folder, port=0),
            lambda prefix, line: lines.append(f"{prefix} {line}"),
            companions=(aws,),
            sources=queue_pollers(one, aws),
        )
        try:
            await local.start()
            async with aiohttp.ClientSession() as session:
                await use(session, local.gateway.server.url)
        finally:
            await local.stop()

    asyncio.run(run())
    return lines


async def post(
    session: aiohttp.ClientSession, url: str, body: dict[str, Any], **headers: str
) -> tuple[int, dict[str, Any], dict[str, str]]:
    async with session.post(f"{url}/enrich-item", json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None), dict(answer.headers)


async def finished(session: aiohttp.ClientSession, address: str) -> dict[str, Any]:
    """Poll an item until it is no longer pending."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        async with session.get(address) as answer:
            item: dict[str, Any] = await answer.json(content_type=None)
        if answer.status == 200 and item["status"] != "pending":
            return item
        await asyncio.sleep(0.1)
    pytest.fail(f"still not finished: {item}")


def test_without_a_key_now_and_through_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GEMINI_API_KEY", "GEMINI_API_ENDPOINT", "GEMINI_MODEL"):
        monkeypatch.delenv(name, raising=False)

    async def use(session: aiohttp.ClientSession, url: str) -> None:
        status, item, _ = await post(session, url, {**BODY, "item_id": "now"})
        assert status == 200, item
        assert item["enriched_by"] == "local"
        assert [genre["label"] for genre in item["genres"]] == ["Mystery"]
        status, item, headers = await post(session, url, {**BODY, "item_id": "later"}, Prefer="respond-async")
        assert (status, item["status"]) == (202, "pending")
        later = await finished(session, url + headers["Location"])
        assert (later["status"], later["enriched_by"]) == ("ready", "local")
        async with session.get(f"{url}/trending") as answer:
            page = await answer.json()
        assert {entry["item"]["item_id"] for entry in page["entries"]} == {"now", "later"}

    serve(tmp_path / "data", use)


def test_with_a_key_the_model_answers_and_the_key_is_in_no_line_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(fails(503), says(GOOD)) as server:
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        monkeypatch.setenv("GEMINI_API_ENDPOINT", server.url)

        async def use(session: aiohttp.ClientSession, url: str) -> None:
            status, item, headers = await post(
                session, url, {**BODY, "item_id": "later"}, Prefer="respond-async"
            )
            assert status == 202, item
            later = await finished(session, url + headers["Location"])
            assert (later["enriched_by"], later["model"]) == ("gemini", "gemini-2.5-flash-lite")
            status, again, _ = await post(session, url, {**BODY, "item_id": "later"})
            assert (status, again["enriched_by"]) == (200, "gemini")

        lines = serve(tmp_path / "data", use)
        assert len(server.seen) == 2
        assert server.seen[-1].headers["x-goog-api-key"] == KEY
    assert lines
    assert not any(KEY in line for line in lines)
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()
    assert json.loads(GOOD)["summary"] not in "".join(lines)

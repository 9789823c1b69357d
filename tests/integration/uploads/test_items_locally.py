"""Items of an upload on this machine, as the commands and the API show them: the real worker, model and gateway."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from typer.testing import CliRunner

from cdk.cli import main
from cdk.local.aws import AwsCompanion
from cdk.local.pollers import queue_pollers
from cdk.local.service import LocalService, ServeOptions
from cdk.service import service

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
WESTERN = "A marshal rides into a dying frontier town to face the outlaw gang that killed his brother."


def serve(folder: Path, use: Callable[[str], None]) -> None:
    """Run the worker and the items' API, and use them from a thread."""

    async def run() -> None:
        full = service("local")
        spec = replace(full, functions=tuple(full.function(name) for name in ("uploads", "trending")))
        aws = AwsCompanion(spec, folder / "aws")
        local = LocalService(
            spec,
            ServeOptions(root=ROOT, data=folder, port=0),
            lambda _, __: None,
            companions=(aws,),
            sources=queue_pollers(spec, aws),
        )
        try:
            await local.start()
            await asyncio.to_thread(use, local.gateway.server.url)
        finally:
            await local.stop()

    asyncio.run(run())


@pytest.mark.slow
def test_an_uploaded_row_is_an_item_that_trends(tmp_path: Path) -> None:
    data, file, out = tmp_path / "data", tmp_path / "plots.csv", tmp_path / "out.jsonl"
    file.write_text(
        f'item_id,title,text\nhigh-mesa,High Mesa,"{WESTERN}"\n,Low Tide,"A ghost ship drifts in."\n,,"No title."\n',
        encoding="utf-8",
    )

    def upload(*arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(main.app, ["upload", str(file), "--data", str(data), *map(str, arguments)])
        return done.exit_code, done.output

    def use(url: str) -> None:
        code, said = upload("--no-items", "--wait")
        assert (code, "items: " in said) == (0, False), said
        with httpx.Client(base_url=url, timeout=60) as client:
            assert client.get("/items/high-mesa").status_code == 404
            code, said = upload("--items", "-o", out)
            assert code == 3, said
            assert "items: 2 stored, 1 refused\nwhat is wrong with the others: s3://files/results/" in said
            found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
            assert [result.get("item_id", "") for result in found][::2] == ["high-mesa", ""]
            item = client.get("/items/high-mesa").json()
            assert (item["status"], item["enriched_by"], item["model"].split()[0]) == (
                "ready",
                "upload",
                "genre-bert",
            )
            assert [genre["label"] for genre in item["genres"]] == found[0]["genres"]
            assert item["summary"] == WESTERN
            entries = client.get("/trending", params={"genre": "Western"}).json()["entries"]
            assert [entry["item"]["item_id"] for entry in entries] == ["high-mesa"]
            assert len(client.get("/trending").json()["entries"]) == 2
            code, said = upload("--wait")
            assert code == 0, said
            assert "items: 1 stored, 0 refused" in said
            again = client.get("/items/high-mesa").json()
            assert again | {"trending": None} == item | {"trending": None}

    serve(data, use)

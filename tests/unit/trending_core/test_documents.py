from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.gateway import Context, proxy_event, read
from trending_core.documents import add_documents
from trending_core.http import handle, make_app

if TYPE_CHECKING:
    from pathlib import Path


def test_the_file_is_served_under_the_callers_address(tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps({"openapi": "3.1.0", "info": {"title": "Ünïcode"}, "servers": []}))
    app = make_app()
    add_documents(app, document)
    for full, server in (("/prod/openapi.json", "/prod"), ("/openapi.json", "/")):
        event = proxy_event("GET", "/openapi.json")
        event["requestContext"]["path"] = full
        answer = read(handle(app, event, Context()))  # type: ignore[arg-type]
        assert answer.headers["content-type"] == "application/json"
        assert answer.body == {"openapi": "3.1.0", "info": {"title": "Ünïcode"}, "servers": [{"url": server}]}


def test_the_page_reads_the_document_beside_it(tmp_path: Path) -> None:
    app = make_app()
    add_documents(app, tmp_path / "openapi.json")
    page = read(handle(app, proxy_event("GET", "/docs"), Context()))  # type: ignore[arg-type]
    assert 'url: "openapi.json"' in page.text
    assert len(page.text) < 6 * 1024 * 1024, "Lambda's limit for a response"

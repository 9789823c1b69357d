"""The routes that describe the API: the OpenAPI document and Swagger UI.

It owns how they are served: the committed document, not one generated at run time, and a page that needs no other host,
because Powertools brings Swagger UI's files along. It must not know what is in the document.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools.event_handler import Response

from trending_core.http import base_path

if TYPE_CHECKING:
    from trending_core.http import App

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trending Now API</title>
<style>{css}</style>
</head>
<body>
<div id="api"></div>
<script>{script}</script>
<script>
SwaggerUIBundle({{
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
  validatorUrl: null,
}});
</script>
</body>
</html>
"""


def add_documents(app: App, document: Path) -> None:
    """Add ``GET /openapi.json`` and ``GET /docs`` to an application.

    Parameters
    ----------
    app : App
        The application.
    document : Path
        The committed OpenAPI document; read at the first request for it.
    """

    @app.get("/openapi.json", include_in_schema=False)
    def openapi() -> Response[str]:
        text = _with_server(document, base_path(app.current_event.raw_event) or "/")
        return Response(status_code=200, content_type="application/json", body=text)

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response[str]:
        return Response(status_code=200, content_type="text/html; charset=utf-8", body=_page())


@cache
def _with_server(document: Path, server: str) -> str:
    """Give the document with the address prefix it is reached under, so that a page can call the API."""
    content = json.loads(document.read_text(encoding="utf-8"))
    return json.dumps({**content, "servers": [{"url": server}]}, separators=(",", ":"), ensure_ascii=False)


@cache
def _page() -> str:
    """Build the Swagger UI page, about 1.7 MB; the document is fetched from beside it."""
    from aws_lambda_powertools.event_handler.openapi import swagger_ui  # noqa: PLC0415

    files = Path(swagger_ui.__file__).parent
    return _PAGE.format(
        css=(files / "swagger-ui.min.css").read_text(encoding="utf-8"),
        script=(files / "swagger-ui-bundle.min.js").read_text(encoding="utf-8"),
    )

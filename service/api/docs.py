"""`/docs`: the API description as a page, from files that are installed with the service; no network is used."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import FileResponse
from swagger_ui_bundle import swagger_ui_path

from service.api.answers import json_response
from service.errors import NotFound

_FILES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}


def add_docs(app: FastAPI) -> None:
    """Add the page, its files, and its description."""

    async def page(_request: Request) -> Response:
        return get_swagger_ui_html(
            title=f"{app.title} API",
            openapi_url="/docs/openapi.json",
            swagger_js_url="/docs/swagger-ui-bundle.js",
            swagger_css_url="/docs/swagger-ui.css",
            swagger_favicon_url="/docs/favicon-32x32.png",
        )

    async def description(_request: Request) -> Response:
        return json_response(_readable_by_bundled_page(app.openapi()))

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            raise NotFound("There is no such route; see /docs for those there are.")
        return FileResponse(swagger_ui_path / name, media_type=_FILES[name])

    app.add_route("/docs", page, include_in_schema=False)
    app.add_route("/docs/openapi.json", description, include_in_schema=False)
    app.add_route("/docs/{name}", file, include_in_schema=False)


def _readable_by_bundled_page(description: dict[str, Any]) -> dict[str, Any]:
    """The bundled page refuses the version 3.1 by its number, and shows what we use of it well as 3.0."""
    return {**description, "openapi": "3.0.3"}

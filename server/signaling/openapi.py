"""OpenAPI 3.1 of the REST side, generated from the route table and the Structs."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from server.signaling.bodies import REQUESTS, RESPONSES, Problem
from server.signaling.messages import VERSION
from server.signaling.problems import CONTENT_TYPE as PROBLEM
from server.signaling.routing import Route

_REF = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)\}")


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole document, ready to be encoded."""
    schemas, components = msgspec.json.schema_components([*REQUESTS, *RESPONSES], ref_template=_REF)
    assert len(schemas) == len(REQUESTS) + len(RESPONSES)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Diemcau",
            "version": f"{VERSION}.0",
            "description": "The REST side of a floor-controlled conferencing server. The WebSocket's messages are "
            "specified in docs/protocol.md.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "diemcau_session"},
            },
        },
    }


def serve(document: dict[str, Any]) -> Route:
    """The route that hands the document out."""
    body = msgspec.json.encode(document)

    async def show_openapi(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    return Route(
        method="GET",
        path="/api/openapi.json",
        handler=show_openapi,
        summary="This description",
        public=True,
        response="application/json",
    )


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{re.sub(r'[^a-z]+', '_', route.path.strip('/'))}".rstrip("_"),
        "summary": route.summary,
        "security": [] if route.public else [{"bearer": []}, {"cookie": []}],
        "parameters": [_path_parameter(name) for name in _PARAMETER.findall(route.path)]
        + [_query_parameter(name, text) for name, text in route.query.items()],
        "responses": _responses(route),
    }
    if route.request is not None:
        operation["requestBody"] = {"required": not route.request_optional, "content": _content(route.request)}
    return operation


def _responses(route: Route) -> dict[str, Any]:
    responses: dict[str, Any] = {str(route.status): {"description": route.summary}}
    if route.response is not None:
        responses[str(route.status)]["content"] = _content(route.response)
    for status, text in route.statuses.items():
        responses[str(status)] = {"description": text}
        if status >= 400:
            responses[str(status)]["content"] = {PROBLEM: {"schema": _reference(Problem)}}
    responses["default"] = {"description": "A problem", "content": {PROBLEM: {"schema": _reference(Problem)}}}
    return responses


def _content(body: type[msgspec.Struct] | str) -> dict[str, Any]:
    if isinstance(body, str):
        return {body: {"schema": {"type": "string"}}}
    return {"application/json": {"schema": _reference(body)}}


def _reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameter(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}

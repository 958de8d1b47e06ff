"""/api/openapi.json and the application say the same."""

import re
from collections.abc import Iterator
from typing import Any

from server.signaling.http import route_table
from server.signaling.static import OTHER_PATHS
from tests.signaling.house import House


async def document(house: House) -> dict[str, Any]:
    async with house.ask("GET", "/api/openapi.json") as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        body: dict[str, Any] = await response.json()
        return body


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


async def test_every_route_is_described_and_every_described_route_exists(house: House) -> None:
    described = {(method, path) for method, path, _ in operations(await document(house))}
    served = {
        (route.method, resource.canonical)
        for resource in house.app.router.resources()
        for route in resource
        if resource.canonical != "/{path}" and route.method != "HEAD"
    }
    assert described == served
    assert described == {(route.method, route.path) for route in route_table()}
    assert OTHER_PATHS.startswith("/{path:"), "what was left out above are the web client's own pages"


async def test_what_may_be_asked_for_its_head_is_a_described_get(house: House) -> None:
    described = {(method, path) for method, path, _ in operations(await document(house))}
    heads = {
        resource.canonical
        for resource in house.app.router.resources()
        for route in resource
        if route.method == "HEAD" and resource.canonical != "/{path}"
    }
    assert "/api/recordings/{recording_id}/film.mp4" in heads
    assert {("GET", path) for path in heads} <= described


async def test_it_is_openapi_3_1(house: House) -> None:
    body = await document(house)
    assert body["openapi"] == "3.1.0"
    assert set(body["info"]) == {"title", "version", "description"}
    ids = [operation["operationId"] for _, _, operation in operations(body)]
    assert len(ids) == len(set(ids))
    for method, path, operation in operations(body):
        parameters = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert parameters == set(re.findall(r"\{(\w+)\}", path)), path
        assert operation["summary"]
        assert any(code[0] in "12" for code in operation["responses"]), (method, path)
        for response in operation["responses"].values():
            assert response["description"]


async def test_every_reference_leads_somewhere(house: House) -> None:
    body = await document(house)
    schemas = body["components"]["schemas"]
    references = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(body)))
    assert references
    assert references <= set(schemas)
    assert {"SignIn", "GrantBody", "RoomView", "Problem"} <= references


async def test_what_is_public_says_so(house: House) -> None:
    """And it is: a route without a sign-in never answers 401, all others do."""
    for method, path, operation in operations(await document(house)):
        if method == "OPTIONS" or path in {"/api/session", "/api/openapi.json"}:
            continue
        async with house.ask(method, re.sub(r"\{\w+\}", "x", path)) as response:
            assert (response.status == 401) == bool(operation["security"]), (method, path)

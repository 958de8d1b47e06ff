"""The directory, for those who plan meetings: organisation units and endpoints."""

from aiohttp import web

from server.errors import Forbidden
from server.signaling.auth import account_of
from server.signaling.bodies import EndpointEntry, EndpointList, UnitEntry, UnitList
from server.signaling.body_io import answer
from server.signaling.routing import Route
from server.signaling.services import services_of
from server.store.records import Role

_MAY_READ = frozenset({Role.ADMINISTRATOR, Role.OPERATOR, Role.CHAIR})


async def list_units(request: web.Request) -> web.Response:
    _check_may_read(request)
    services = services_of(request)
    levels = {level.level_id: level.name for level in await services.units.levels()}
    units = await services.units.list()
    return answer(
        UnitList(
            tuple(
                UnitEntry(unit.unit_id, unit.parent_id, levels[unit.level_id], unit.name, unit.path) for unit in units
            )
        )
    )


async def list_endpoints(request: web.Request) -> web.Response:
    """All endpoints, or those of ``?unit=`` and the units below it."""
    _check_may_read(request)
    endpoints = await services_of(request).endpoints.list(request.query.get("unit"))
    return answer(
        EndpointList(
            tuple(
                EndpointEntry(one.endpoint_id, one.unit_id, one.kind.value, one.name, one.unit_path)
                for one in endpoints
            )
        )
    )


def _check_may_read(request: web.Request) -> None:
    if _MAY_READ.isdisjoint(account_of(request).roles):
        raise Forbidden("not_allowed", "The directory is for those who plan and run meetings.")


ROUTES = (
    Route(method="GET", path="/api/units", handler=list_units, summary="The organisation tree", response=UnitList),
    Route(
        method="GET",
        path="/api/endpoints",
        handler=list_endpoints,
        summary="Endpoints",
        response=EndpointList,
        query={"unit": "only those of this unit and the units below it"},
    ),
)

"""Fill a house with the sample province: the tree, the endpoints, the sign-ins and a day's meetings."""

import asyncio

from server.demo import province
from server.demo.catalogue import Place, branches, districts, host_units, main_place
from server.demo.day import Day, ensure_day
from server.demo.people import SignIns
from server.demo.result import DemoEndpoint, DemoPerson, DemoResult
from server.directory.endpoints import Endpoint, EndpointKind, Endpoints
from server.directory.passwords import Passwords
from server.directory.units import Unit, Units
from server.errors import Conflict, InvalidInput
from server.store.records import Role
from server.store.store import Store

__all__ = ["DemoEndpoint", "DemoPerson", "DemoResult", "fill_demo"]

_MOST_ENDPOINTS = 1_000


async def fill_demo(
    store: Store,
    endpoints: int,
    now: float,
    *,
    again: bool = False,
    password: str | None = None,
    passwords: Passwords | None = None,
) -> DemoResult:
    """Add the sample province, whatever else is there. Where it is there already: Conflict("demo_exists"), or with
    ``again`` new passwords and tokens for its people (the old ones end), more endpoints where more are asked for, and
    today's meetings where the open one has ended. Raises InvalidInput("bad_count" | "bad_password"),
    Conflict("username_taken") where somebody else has one of its user names."""
    if not 1 <= endpoints <= _MOST_ENDPOINTS:
        raise InvalidInput("bad_count", f"1 to {_MOST_ENDPOINTS} endpoints")
    tree = _Tree(store)
    there = await tree.units.find(province.PROVINCE) is not None
    if there and not again:
        raise Conflict("demo_exists", f"{province.PROVINCE} is there already; use --again for new sign-ins")
    root = await tree.ensure_root()
    places = [main_place(), *branches(endpoints - 1)]
    seats = [await tree.ensure_endpoint(place) for place in places]
    host = await tree.ensure_unit(host_units())
    desk = await tree.ensure_room(host, province.CHAIR_DESK, EndpointKind.DESK)

    sign_ins = SignIns(store, now, renew=there, password=password, passwords=passwords)
    chair, chair_person = await sign_ins.make_person(province.CHAIR, Role.CHAIR, root.unit_id, desk.endpoint_id)
    deputy, deputy_person = await sign_ins.make_person(province.DEPUTY, Role.CHAIR, root.unit_id)
    operator, operator_person = await sign_ins.make_person(province.OPERATOR, Role.OPERATOR, root.unit_id)
    _, archivist_person = await sign_ins.make_person(province.ARCHIVIST, Role.ARCHIVIST, root.unit_id)
    _, observer_person = await sign_ins.make_person(province.OBSERVER, Role.OBSERVER, root.unit_id)
    _, administrator_person = await sign_ins.make_person(province.ADMINISTRATOR, Role.ADMINISTRATOR, None)
    signed = await asyncio.gather(
        *(
            sign_ins.make_endpoint(seat, place.username, "branch" if index else "main")
            for index, (seat, place) in enumerate(zip(seats, places, strict=True))
        )
    )
    main, *others = (seat.endpoint_id for seat in seats)
    day = Day(operator, chair.account_id, deputy.account_id, host.unit_id, main, desk.endpoint_id, tuple(others))
    return DemoResult(
        meeting=await ensure_day(store, day, now),
        chair=chair_person,
        deputy=deputy_person,
        operator=operator_person,
        archivist=archivist_person,
        observer=observer_person,
        administrator=administrator_person,
        endpoints=tuple(signed),
    )


class _Tree:
    """The province's units and endpoints, each made where it is missing."""

    def __init__(self, store: Store) -> None:
        self.units = Units(store)
        self._endpoints = Endpoints(store)
        self._levels: dict[str, str] = {}
        self._root: Unit | None = None

    async def ensure_root(self) -> Unit:
        """Levels, the province and its districts."""
        ranks = {level.rank: level for level in await self.units.levels()}
        for rank, name in enumerate(province.LEVELS, 1):
            level = ranks.get(rank) or await self.units.create_level(rank, name)
            self._levels[name] = level.level_id
        self._root = await self._ensure(province.PROVINCE, province.LEVELS[0], None)
        for name, level_name in districts():
            await self._ensure(name, level_name, self._root.unit_id)
        return self._root

    async def ensure_unit(self, units: tuple[tuple[str, str], ...]) -> Unit:
        """The last of ``units``, each the child of the one before, the first of the province."""
        unit = self._root
        assert unit is not None
        for name, level_name in units:
            unit = await self._ensure(name, level_name, unit.unit_id)
        return unit

    async def ensure_endpoint(self, place: Place) -> Endpoint:
        return await self.ensure_room(await self.ensure_unit(place.units), place.name, EndpointKind.ROOM)

    async def ensure_room(self, unit: Unit, name: str, kind: EndpointKind) -> Endpoint:
        return await self._endpoints.find(name, unit.unit_id) or await self._endpoints.create(name, unit.unit_id, kind)

    async def _ensure(self, name: str, level_name: str, parent_id: str | None) -> Unit:
        found = await self.units.find(name, parent_id)
        return found or await self.units.create(name, self._levels[level_name], parent_id)

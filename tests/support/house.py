"""A real store in a folder of its own, with a small province in it.

house = await House.build(tmp_path / "house.sqlite3")
clerk = await house.account("clerk", Role.OPERATOR, unit_id=house.province.unit_id)
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from server.config import HttpConfig
from server.directory.accounts import Account, Accounts, Role, RoleGrant
from server.directory.endpoints import Endpoint, Endpoints
from server.directory.passwords import Passwords
from server.directory.units import Unit, Units
from server.meetings.book import MeetingBook, NewMeeting
from server.store.store import Store, sqlite_url

NOW = 1_700_000_000.0
HOUR = 3_600.0
PASSWORD = "sen-vang-4821-ruong"
HTTP = HttpConfig(session_idle_s=1_000, session_absolute_s=5_000, login_failures=5, login_window_s=900)


def quick_passwords() -> Passwords:
    """Argon2id at its cheapest: tests are not the place to be slow in."""
    return Passwords(memory_kib=8, passes=1)


@dataclass(frozen=True)
class House:
    """The province has one office and two districts; each has one endpoint."""

    store: Store
    accounts: Accounts
    units: Units
    endpoints: Endpoints
    book: MeetingBook
    province: Unit
    office: Unit
    north: Unit
    south: Unit
    main: Endpoint
    north_room: Endpoint
    south_room: Endpoint
    desk: Endpoint

    @classmethod
    async def build(cls, path: Path) -> Self:
        store = Store(sqlite_url(path))
        await store.open()
        units, endpoints = Units(store), Endpoints(store)
        tier = await units.create_level(1, "Tỉnh")
        district = await units.create_level(2, "Huyện")
        province = await units.create("Tỉnh Điện Sơn", tier.level_id)
        office = await units.create("Văn phòng UBND tỉnh", tier.level_id, province.unit_id)
        north = await units.create("Huyện Bắc", district.level_id, province.unit_id)
        south = await units.create("Huyện Nam", district.level_id, province.unit_id)
        return cls(
            store=store,
            accounts=Accounts(store, HTTP, quick_passwords()),
            units=units,
            endpoints=endpoints,
            book=MeetingBook(store),
            province=province,
            office=office,
            north=north,
            south=south,
            main=await endpoints.create("Phòng họp UBND tỉnh", office.unit_id),
            north_room=await endpoints.create("UBND huyện Bắc", north.unit_id),
            south_room=await endpoints.create("UBND huyện Nam", south.unit_id),
            desk=await endpoints.create("Bàn chủ tọa", office.unit_id),
        )

    async def account(
        self, username: str, *roles: Role, unit_id: str | None = None, endpoint: Endpoint | None = None
    ) -> Account:
        """An account whose roles are all scoped to ``unit_id``; its password is PASSWORD."""
        grants = [RoleGrant(role, unit_id) for role in roles]
        endpoint_id = endpoint.endpoint_id if endpoint else None
        return await self.accounts.create(username, username.title(), PASSWORD, grants, NOW, endpoint_id=endpoint_id)

    def plan(self, chair: Account, **changes: object) -> NewMeeting:
        """A meeting of the office, an hour from NOW, with the northern district's room as its only branch."""
        usual: dict[str, object] = {
            "title": "Giao ban",
            "host_unit_id": self.office.unit_id,
            "starts_at": NOW + HOUR,
            "ends_at": NOW + 2 * HOUR,
            "main_endpoint_id": self.main.endpoint_id,
            "chair_account_id": chair.account_id,
            "endpoint_ids": (self.north_room.endpoint_id,),
        }
        return NewMeeting(**(usual | changes))  # type: ignore[arg-type]  # keywords are checked by the Struct itself

"""What the hub reads of a meeting."""

import pytest

from server.config import Config, FloorConfig
from server.errors import Conflict, NotFound
from server.room.commands import FloorMode
from server.room.setup import ModeratorSetup, RoomSetup, SeatSetup
from server.room.views import SeatRole
from server.store.meetings import MeetingShelf
from server.store.records import Account, Role
from tests.support.house import NOW, House

FLOOR = FloorConfig(lease_s=11, chair_grace_s=12, max_queue=13, max_grant_s=14)


@pytest.fixture
def shelf(house: House) -> MeetingShelf:
    return MeetingShelf(house.store, Config(floor=FLOOR))


@pytest.fixture
async def operator(house: House) -> Account:
    return await house.account("operator", Role.OPERATOR)


async def test_an_open_meeting_gives_its_whole_setup(house: House, shelf: MeetingShelf, operator: Account) -> None:
    chair, second, first = [await house.account(name, Role.CHAIR) for name in ("chair", "second", "first")]
    plan = house.plan(
        chair,
        deputy_account_ids=(first.account_id, second.account_id),
        chair_endpoint_id=house.desk.endpoint_id,
        endpoint_ids=(house.south_room.endpoint_id, house.north_room.endpoint_id),
        mode=FloorMode.DISCUSSION,
        max_holders=5,
        lobby=True,
        record=True,
    )
    meeting_id = (await house.book.create(operator, plan, NOW)).meeting_id
    await house.book.open(operator, meeting_id, NOW)
    office, province = "Văn phòng UBND tỉnh", "Tỉnh Điện Sơn"

    assert await shelf.load_setup(meeting_id) == RoomSetup(
        meeting_id=meeting_id,
        title="Giao ban",
        host_agency=office,
        seats=(
            SeatSetup(house.main.endpoint_id, "Phòng họp UBND tỉnh", (province, office), SeatRole.MAIN),
            SeatSetup(house.desk.endpoint_id, "Bàn chủ tọa", (province, office), SeatRole.CHAIR),
            SeatSetup(house.south_room.endpoint_id, "UBND huyện Nam", (province, "Huyện Nam"), SeatRole.BRANCH),
            SeatSetup(house.north_room.endpoint_id, "UBND huyện Bắc", (province, "Huyện Bắc"), SeatRole.BRANCH),
        ),
        moderators=(
            ModeratorSetup(chair.account_id, "Chair", deputy=False),
            ModeratorSetup(first.account_id, "First", deputy=True),
            ModeratorSetup(second.account_id, "Second", deputy=True),
        ),
        mode=FloorMode.DISCUSSION,
        max_holders=5,
        lobby=True,
        record=True,
        lease_s=11,
        chair_grace_s=12,
        max_queue=13,
        max_grant_s=14,
    )


async def test_only_an_open_meeting_has_a_room(house: House, shelf: MeetingShelf, operator: Account) -> None:
    chair = await house.account("chair", Role.CHAIR)
    meeting_id = (await house.book.create(operator, house.plan(chair), NOW)).meeting_id

    with pytest.raises(Conflict) as early:
        await shelf.load_setup(meeting_id)
    await house.book.open(operator, meeting_id, NOW)
    assert await shelf.open_ids() == (meeting_id,)
    await shelf.mark_ended(meeting_id, NOW + 1)
    await shelf.mark_ended(meeting_id, NOW + 2)
    with pytest.raises(Conflict) as late:
        await shelf.load_setup(meeting_id)
    with pytest.raises(NotFound) as never:
        await shelf.load_setup("mtg_none")

    assert (early.value.code, late.value.code) == ("meeting_not_open", "meeting_ended")
    assert never.value.code == "meeting_unknown"
    assert await shelf.open_ids() == ()

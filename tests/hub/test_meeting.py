import asyncio

import pytest

from server.errors import Conflict, Forbidden, InvalidInput, NotFound
from server.room.commands import (
    Actor,
    Admit,
    EndMeeting,
    GrantFloor,
    MeetingRole,
    RemoveSeat,
    RequestFloor,
    Say,
    SetLobby,
    SetMode,
)
from server.room.commands import FloorMode as Mode
from server.room.views import Presence
from tests.hub.hall import Hall

OPERATOR = Actor("acc_operator", "Kỹ thuật", MeetingRole.OPERATOR)


async def test_a_second_tab_is_refused_until_it_takes_over(hall: Hall) -> None:
    first, first_ear = await hall.attend(hall.endpoint(1))

    with pytest.raises(Conflict, match="Another tab") as refusal:
        await hall.attend(hall.endpoint(1))
    assert refusal.value.code == "seat_taken"
    second, _ = await hall.attend(hall.endpoint(1), take_over=True)

    assert first_ear.closed is not None
    assert first_ear.closed[0] == "moved"
    assert second.session != first.session
    assert hall.hub.present(hall.meeting) == 1


async def test_of_two_tabs_at_the_same_instant_one_gets_the_seat(hall: Hall) -> None:
    outcomes = await asyncio.gather(*(hall.attend(hall.endpoint(1)) for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 4


async def test_a_lost_socket_suspends_the_seat_and_a_resume_restores_the_session(hall: Hall) -> None:
    _, watcher = await hall.attend(hall.endpoint(0))
    lost, _ = await hall.attend(hall.endpoint(1))

    await lost.lost()
    await watcher.until(lambda ear: ear.presence(hall.seat(1)) is Presence.SUSPENDED)
    resumed, _ = await hall.attend(hall.endpoint(1), resume=lost.resume)

    assert resumed.resumed
    assert resumed.session == lost.session
    await watcher.until(lambda ear: ear.presence(hall.seat(1)) is Presence.PRESENT)


async def test_a_lost_socket_that_does_not_come_back_frees_the_seat_and_ends_its_floor(hall: Hall) -> None:
    chair, ear = await hall.attend(await hall.moderator())
    lost, _ = await hall.attend(hall.endpoint(1))
    await chair.command(GrantFloor(hall.seat(1)))
    assert hall.seat(1) in ear.holders()

    await lost.lost()
    await ear.until(lambda each: each.presence(hall.seat(1)) is Presence.ABSENT)
    again, _ = await hall.attend(hall.endpoint(1), resume=lost.resume)

    assert not again.resumed
    assert hall.seat(1) not in ear.holders()


async def test_somebody_elses_resume_token_opens_nothing(hall: Hall) -> None:
    mine, _ = await hall.attend(hall.endpoint(1))
    await mine.lost()

    theirs, _ = await hall.attend(hall.endpoint(2), resume=mine.resume)

    assert not theirs.resumed
    assert theirs.session != mine.session


async def test_who_waits_in_the_lobby_is_told_of_the_own_seat_alone_until_admitted(hall: Hall) -> None:
    chair, _ = await hall.attend(await hall.moderator())
    inside, _ = await hall.attend(hall.endpoint(2))
    await chair.command(SetLobby(True))

    waiting, ear = await hall.attend(hall.endpoint(1))
    await inside.command(Say("chuyện trong phòng"))
    view = waiting.view()

    assert [seat.seat_id for seat in view.seats] == [hall.seat(1)]
    assert (view.chat, view.floor.queue, view.floor.holders, view.stage.pictures) == ((), (), (), ())
    assert ear.chat() == []
    with pytest.raises(Conflict) as refusal:
        await waiting.offer("v=0", {})
    assert refusal.value.code == "in_lobby"

    await chair.command(Admit(hall.seat(1)))
    await ear.until(lambda each: each.presence(hall.seat(1)) is Presence.PRESENT)
    assert "chuyện trong phòng" in ear.chat()
    assert len(waiting.view().seats) > 1


async def test_leaving_frees_the_seat_at_once(hall: Hall) -> None:
    attendance, _ = await hall.attend(hall.endpoint(1))

    await attendance.leave()
    await attendance.leave()
    await attendance.lost()

    assert hall.hub.present(hall.meeting) == 0


async def test_the_removed_are_sent_out_and_stay_out(hall: Hall) -> None:
    chair, _ = await hall.attend(await hall.moderator())
    _, ear = await hall.attend(hall.endpoint(1))

    await chair.command(RemoveSeat(hall.seat(1), "nhầm điểm cầu"))

    assert ear.closed is not None
    assert ear.closed[0] == "removed"
    with pytest.raises(Forbidden) as refusal:
        await hall.attend(hall.endpoint(1))
    assert refusal.value.code == "removed"


async def test_ending_the_meeting_sends_everybody_away_and_is_kept(hall: Hall) -> None:
    chair, chair_ear = await hall.attend(await hall.moderator())
    _, ear = await hall.attend(hall.endpoint(1))

    await chair.command(EndMeeting())

    await chair_ear.until(lambda each: each.closed is not None)
    await ear.until(lambda each: each.closed == ("ended", each.closed[1]) if each.closed else False)
    with pytest.raises((NotFound, Conflict)):
        await hall.attend(hall.endpoint(1))


async def test_signing_out_closes_everything_of_the_account_and_nothing_else(hall: Hall) -> None:
    _, mine = await hall.attend(hall.endpoint(1))
    _, other = await hall.attend(hall.endpoint(2))

    hall.hub.sign_out(hall.endpoint(1).account_id)

    assert mine.closed == ("signed_out", "")
    assert other.closed is None
    await other.until(lambda each: each.presence(hall.seat(1)) is Presence.ABSENT)


async def test_only_moderators_preview_and_only_seats_that_exist(hall: Hall) -> None:
    endpoint, _ = await hall.attend(hall.endpoint(1))
    chair, _ = await hall.attend(await hall.moderator())

    with pytest.raises(Forbidden):
        endpoint.watch("5", hall.seat(2))
    with pytest.raises(NotFound):
        chair.watch("5", "nobody")
    chair.watch("5", hall.seat(2))
    chair.watch("5", None)
    chair.show({"5": 720})


async def test_a_broken_whip_offer_leaves_no_trace(hall: Hall) -> None:
    with pytest.raises(InvalidInput):
        await hall.hub.open_media(hall.meeting, hall.endpoint(1), "v=0\r\nnonsense", publish=True)

    assert hall.hub.present(hall.meeting) == 0
    assert hall.media.peers == 0


async def test_people_without_a_seat_may_not_publish_and_media_sessions_are_ones_own(hall: Hall) -> None:
    with pytest.raises(Forbidden):
        await hall.hub.open_media(hall.meeting, OPERATOR, "v=0", publish=True)
    with pytest.raises(NotFound):
        await hall.hub.close_media(hall.meeting, "m_none", OPERATOR)
    with pytest.raises(NotFound):
        await hall.hub.patch_media(hall.meeting, "m_none", OPERATOR, "")


async def test_a_new_hub_on_the_same_store_knows_the_floor_and_the_queue(hall: Hall) -> None:
    chair, _ = await hall.attend(await hall.moderator())
    holder, _ = await hall.attend(hall.endpoint(1))
    asking, _ = await hall.attend(hall.endpoint(2))
    await chair.command(SetMode(Mode.DISCUSSION, 2))
    await chair.command(GrantFloor(hall.seat(1), 600.0))
    await asking.command(RequestFloor("Lũ quét ở xã"))
    before = chair.view().floor

    await hall.stop()
    await hall.start()
    _, ear = await hall.attend(hall.endpoint(1))
    after = (await hall.hub.view(hall.meeting)).floor

    assert holder.session
    assert [(each.seat_id, each.ends_at) for each in after.holders if not each.by_right] == [
        (each.seat_id, each.ends_at) for each in before.holders if not each.by_right
    ]
    assert [(each.seat_id, each.subject) for each in after.queue] == [(hall.seat(2), "Lũ quét ở xã")]
    assert ear.closed is None


async def test_a_deputy_takes_over_when_the_chair_is_lost(hall: Hall) -> None:
    chair, _ = await hall.attend(await hall.moderator())
    deputy, ear = await hall.attend(await hall.moderator(deputy=True))
    await hall.attend(hall.endpoint(1))
    with pytest.raises(Forbidden):
        await deputy.command(GrantFloor(hall.seat(1)))

    await chair.lost()
    await ear.until(lambda _: deputy.view().meeting.acting_chair == deputy.actor.account_id)

    await deputy.command(GrantFloor(hall.seat(1)))
    assert hall.seat(1) in ear.holders()


async def test_an_unknown_meeting_is_not_found(hall: Hall) -> None:
    with pytest.raises(NotFound):
        await hall.hub.view("mtg_nowhere")
    assert hall.hub.present("mtg_nowhere") == 0

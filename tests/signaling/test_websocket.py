"""The life of a connection, on a real room."""

import asyncio

import pytest

from server.config import HttpConfig
from server.room.commands import GrantFloor, RemoveSeat, RequestFloor, Say, SetLobby, SetLock
from server.room.views import Presence
from server.signaling import messages
from server.signaling.connections import CONNECTIONS
from tests.signaling.conftest import OpenHouse
from tests.signaling.house import Client, House


async def until(client: Client, kind: type[messages.FromServer], wanted: object) -> messages.FromServer:
    """The next message of a kind for which ``wanted(message)`` holds."""
    assert callable(wanted)
    while True:
        message = await client.hear_a(kind)
        if wanted(message):
            return message


async def test_the_welcome_has_everything(house: House) -> None:
    async with house.connect("endpoint1") as client:
        welcome = await client.hello(client="test")
    assert welcome.version == messages.VERSION
    assert not welcome.resumed
    assert welcome.resume
    assert welcome.server_time == pytest.approx(house.clock.now(), abs=5)
    assert welcome.you.role == "endpoint"
    assert welcome.you.seat_id == house.seat(1)
    assert "request_floor" in welcome.you.may
    assert "grant_floor" not in welcome.you.may
    assert welcome.room.meeting.meeting_id == house.demo.meeting
    seats = {seat.seat_id: seat.presence for seat in welcome.room.seats}
    assert seats[house.seat(1)] is Presence.PRESENT
    assert seats[house.seat(2)] is Presence.ABSENT


async def test_everybody_is_told_what_changes(house: House) -> None:
    async with house.join("chair") as chair, house.join("endpoint1") as endpoint, house.join("observer") as observer:
        assert isinstance(await endpoint.command(RequestFloor("Kinh phí")), messages.Done)
        for client in (chair, observer):
            told = await until(client, messages.FloorChanged, lambda m: m.floor.queue)
            assert isinstance(told, messages.FloorChanged)
            assert told.floor.queue[0].subject == "Kinh phí"
        assert isinstance(await chair.command(GrantFloor(house.seat(1))), messages.Done)
        await until(endpoint, messages.FloorChanged, lambda m: any(h.seat_id == house.seat(1) for h in m.floor.holders))
        assert isinstance(await endpoint.command(Say("Xin chào")), messages.Done)
        chat = await chair.hear_a(messages.Chat)
        assert chat.line.text == "Xin chào"


async def test_effects_come_before_done(house: House) -> None:
    async with house.join("endpoint1") as endpoint:
        await endpoint.say(messages.Ask(7, RequestFloor()))
        heard = []
        while not isinstance(message := await endpoint.hear(), messages.Done):
            heard.append(message)
        assert message.id == 7
        assert any(isinstance(one, messages.FloorChanged) and one.floor.queue for one in heard)


async def test_a_forbidden_command_is_a_typed_error(house: House) -> None:
    async with house.join("endpoint1") as endpoint:
        answer = await endpoint.command(GrantFloor(house.seat(1)))
        assert isinstance(answer, messages.Refusal)
        assert (answer.code, answer.about) == ("not_allowed", "command")
        assert isinstance(await endpoint.command(RequestFloor()), messages.Done), "and the connection goes on"


async def test_ping(house: House) -> None:
    async with house.join("endpoint1") as client:
        await client.say(messages.Ping(1.5, rtt_ms=20.0, loss_percent=0.5, freezes=1))
        pong = await client.hear_a(messages.Pong)
        assert pong.sent_at == 1.5
        assert pong.server_time == pytest.approx(house.clock.now(), abs=5)


async def test_watch_and_show(house: House) -> None:
    async with house.join("endpoint1") as endpoint, house.join("operator") as operator:
        await endpoint.say(messages.WatchSeat("5", house.seat(2)))
        refused = await endpoint.hear_a(messages.Refusal)
        assert (refused.code, refused.about, refused.id) == ("not_moderator", "watch_seat", None)
        await operator.say(messages.WatchSeat("5", "ept_none"))
        assert (await operator.hear_a(messages.Refusal)).code == "no_such_seat"
        await operator.say(messages.WatchSeat("5", house.seat(1)))
        await operator.say(messages.WatchSeat("5", None))
        await operator.say(messages.ShowSlots([messages.SlotSize("5", 360)]))
        await operator.say(messages.Ping(1.0))
        while not isinstance(message := await operator.hear(), messages.Pong):
            assert not isinstance(message, messages.Refusal)


async def test_bye_frees_the_seat_at_once(house: House) -> None:
    async with house.join("operator") as operator:
        async with house.join("endpoint1") as endpoint:
            await endpoint.say(messages.Bye())
            assert await endpoint.closed() == 1000
        await until(
            operator,
            messages.SeatChanged,
            lambda m: m.seat.seat_id == house.seat(1) and m.seat.presence is Presence.ABSENT,
        )


async def test_a_lost_connection_is_suspended_and_resumed(house: House) -> None:
    async with house.join("operator") as operator:
        async with house.connect("endpoint1") as endpoint:
            first = await endpoint.hello()
        await until(operator, messages.SeatChanged, lambda m: m.seat.presence is Presence.SUSPENDED)
        async with house.connect("endpoint1") as endpoint:
            again = await endpoint.hello(resume=first.resume)
            assert again.resumed
            assert again.session == first.session
        async with house.connect("endpoint2") as other:
            stolen = await other.hello(resume=first.resume)
            assert not stolen.resumed, "another account's token resumes nothing"


async def test_two_tabs(house: House) -> None:
    """SCENARIOS row 37: one owner of a seat, the others are told."""
    async with house.join("endpoint1") as first, house.connect("endpoint1") as second:
        await second.say(messages.Hello(messages.VERSION))
        refused = await second.hear_a(messages.Refusal)
        assert refused.code == "seat_taken"
        assert await second.closed() == 4409
        async with house.connect("endpoint1") as third:
            await third.hello(take_over=True)
            assert (await first.hear_a(messages.GoodBye)).code == "moved"
            assert await first.closed() == 4409
            assert isinstance(await third.command(RequestFloor()), messages.Done)


@pytest.mark.parametrize(
    ("who", "meeting", "code", "close_code"),
    [
        ("endpoint1", "mtg_none", "meeting_unknown", 4404),
        ("archivist", None, "meeting_unknown", 4404),
        ("administrator", None, "may_not_attend", 4403),
    ],
)
async def test_who_may_not_join_is_told(
    house: House, who: str, meeting: str | None, code: str, close_code: int
) -> None:
    async with house.connect(who, meeting) as client:
        await client.say(messages.Hello(messages.VERSION))
        assert (await client.hear_a(messages.Refusal)).code == code
        assert await client.closed() == close_code


async def test_a_meeting_that_is_not_open(house: House) -> None:
    operator = await house.services.accounts.account_for(house.demo.operator.token, house.clock.now())
    known = await house.services.book.list_for(operator, house.clock.now() - 1e5, house.clock.now() + 1e5)
    planned = next(one.meeting_id for one in known if one.state == "scheduled")
    async with house.connect("endpoint1", planned) as client:
        await client.say(messages.Hello(messages.VERSION))
        assert (await client.hear_a(messages.Refusal)).code == "meeting_not_open"
        assert await client.closed() == 4409


async def test_lobby_lock_and_removal(house: House) -> None:
    async with house.join("chair") as chair:
        await chair.command(SetLobby(True))
        async with house.connect("endpoint1") as endpoint:
            welcome = await endpoint.hello()
            assert [seat.presence for seat in welcome.room.seats] == [Presence.LOBBY]
            assert isinstance(await endpoint.command(RequestFloor()), messages.Refusal)
            await endpoint.say(messages.Offer("v=0\r\n"))
            refused = await endpoint.hear_a(messages.Refusal)
            assert (refused.code, refused.about) == ("in_lobby", "offer")
            await chair.command(SetLobby(False))
            async with house.ask("GET", f"{house.meeting}/room", "chair") as response:
                assert response.status == 200
        await chair.command(RemoveSeat(house.seat(2), "Sai phòng"))
        async with house.connect("endpoint2") as client:
            await client.say(messages.Hello(messages.VERSION))
            assert (await client.hear_a(messages.Refusal)).code == "removed"
            assert await client.closed() == 4403
        await chair.command(SetLock(True))
        async with house.connect("endpoint3") as client:
            await client.say(messages.Hello(messages.VERSION))
            assert (await client.hear_a(messages.Refusal)).code == "locked"


async def test_the_server_drains(house: House) -> None:
    """SCENARIOS row 18: everybody hears it, newcomers are refused, nobody is waited for without end."""
    async with house.join("endpoint1") as first, house.join("endpoint2") as second:
        draining = asyncio.create_task(house.app[CONNECTIONS].drain())
        for client in (first, second):
            assert (await client.hear_a(messages.GoodBye)).code == "draining"
            assert await client.closed() == 1001
        await draining
        assert len(house.app[CONNECTIONS]) == 0
        assert await house.problem("GET", f"{house.meeting}/ws", "endpoint3") == (503, "draining")


async def test_a_sign_in_that_ends_ends_the_socket(open_house: OpenHouse) -> None:
    """SCENARIOS row 31: a token that is revoked later is noticed within ``session_check_s``."""
    async with open_house(HttpConfig(session_check_s=0.02)) as house, house.join("endpoint1") as client:
        account = await house.services.accounts.account_for(house.token("endpoint1"), house.clock.now())
        await client.say(messages.Ping(1.0))
        await client.hear_a(messages.Pong)
        await house.services.accounts.set_disabled(account.account_id, True, house.clock.now())
        assert (await client.hear_a(messages.GoodBye)).code == "signed_out"
        assert await client.closed() == 4401


async def test_a_store_that_fails_sends_nobody_out(house: House) -> None:
    async with house.join("observer") as client:
        await house.store.close()
        house.clock.ahead_s = house.services.config.session_check_s + 1
        for number in range(3):
            await client.say(messages.Ping(float(number)))
            assert (await client.hear_a(messages.Pong)).sent_at == number


async def test_so_many_connections_and_no_more(open_house: OpenHouse) -> None:
    """SCENARIOS row 16: newcomers are told, those who are in go on."""
    limits = HttpConfig(max_connections=3, max_connections_per_account=2)
    async with (
        open_house(limits) as house,
        house.join("chair") as chair,
        house.connect("chair"),
    ):
        assert await house.problem("GET", f"{house.meeting}/ws", "chair") == (429, "too_many_connections")
        async with house.connect("endpoint1") as client:
            assert await house.problem("GET", f"{house.meeting}/ws", "endpoint2") == (503, "server_full")
            await client.say(messages.Bye())
        await chair.say(messages.Ping(1.0))
        await chair.hear_a(messages.Pong)


async def test_a_plain_get_is_no_websocket(house: House) -> None:
    async with house.ask("GET", f"{house.meeting}/ws", "chair") as response:
        assert response.status == 400
        assert response.content_type == "application/problem+json"

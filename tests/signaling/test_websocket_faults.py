"""What a broken or hostile client may do: it is told, it is closed, nobody else notices (SCENARIOS row 30)."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.config import HttpConfig
from server.hub import Attendance
from server.signaling import messages
from server.signaling.connections import CONNECTIONS
from tests.signaling.conftest import OpenHouse
from tests.signaling.house import Client, House

HELLO = '{"type": "hello", "version": 1}'


async def is_well(client: Client) -> bool:
    """Whether a connection still answers."""
    await client.say(messages.Ping(42.0))
    return (await client.hear_a(messages.Pong)).sent_at == 42.0


async def refusal(client: Client) -> messages.Refusal:
    return await client.hear_a(messages.Refusal)


@pytest.mark.parametrize(
    ("first", "code", "close_code"),
    [
        ('{"type": "ping", "sent_at": 1}', "hello_expected", 4400),
        ('{"type": "hello", "version": 2}', "version_unsupported", 4400),
        ('{"type": "hello"', "malformed_json", 4400),
        ("", "malformed_json", 4400),
        ("[" * 50_000, "invalid_message", 4400),
        ('{"type": "hello", "version": 1, "admin": true}', "invalid_message", 4400),
        ('{"type": "nothing"}', "invalid_message", 4400),
        ("null", "invalid_message", 4400),
    ],
)
async def test_a_bad_beginning(house: House, first: str, code: str, close_code: int) -> None:
    async with house.join("chair") as bystander, house.connect("endpoint1") as client:
        await client.say(first)
        assert (await refusal(client)).code == code
        assert await client.closed() == close_code
        assert await is_well(bystander)


async def test_no_hello(open_house: OpenHouse) -> None:
    async with open_house(HttpConfig(hello_timeout_s=0.05)) as house, house.connect("endpoint1") as client:
        assert (await refusal(client)).code == "hello_timeout"
        assert await client.closed() == 4408


async def test_malformed_messages_are_answered_and_survived(house: House) -> None:
    """A newer client's unknown message must not throw it out; the answer names what was refused."""
    sizes = ['{"mid": "1", "height": 1}'] * 33
    async with house.join("endpoint1") as client:
        for text, number, about in [
            ('{"type": "command", "id": 5, "command": {"type": "fly"}}', 5, "command"),
            ('{"type": "command", "id": 6, "command": {"type": "say", "text": ""}}', 6, "command"),
            ('{"type": "command", "id": 7, "command": {"type": "join"}}', 7, "command"),
            ('{"type": "command", "id": -1, "command": {"type": "cancel_request"}}', -1, "command"),
            (f'{{"type": "command", "id": {2**53}, "command": {{"type": "cancel_request"}}}}', None, ""),
            (f'{{"type": "command", "id": {10**40}, "command": {{"type": "cancel_request"}}}}', None, ""),
            ('{"type": "ping", "sent_at": "now"}', None, "ping"),
            ('{"type": "' + "x" * 5_000 + '"}', None, "x" * 32),
            ('{"type": 7}', None, ""),
            ('{"type": "offer", "sdp": "' + "x" * 100_001 + '"}', None, "offer"),
            (f'{{"type": "show_slots", "sizes": [{",".join(sizes)}]}}', None, "show_slots"),
            ('{"type": "watch_seat", "mid": "' + "1" * 17 + '", "seat_id": null}', None, "watch_seat"),
        ]:
            await client.say(text)
            told = await refusal(client)
            assert (told.code, told.id, told.about) == ("invalid_message", number, about)
        two = '{"type": "offer", "sdp": "v=0", "tracks": [{"mid": "0", "label": "mic"}, {"mid": "0", "label": "mic"}]}'
        await client.say(two)
        told = await refusal(client)
        assert (told.code, told.about) == ("invalid_message", "offer")
        assert await is_well(client)


async def test_hello_again(house: House) -> None:
    async with house.join("endpoint1") as client:
        await client.say(HELLO)
        assert (await refusal(client)).code == "hello_again"
        assert await client.closed() == 4400


async def test_binary_frames(house: House) -> None:
    async with house.join("endpoint1") as client:
        await client.socket.send_bytes(HELLO.encode())
        assert (await refusal(client)).code == "text_only"
        assert await client.closed() == 4400


@pytest.mark.parametrize(
    "text",
    ['{"x":' + "[" * 60_000 + "]" * 60_000 + ',"type":"bye"}', '{"type":"ping","sent_at":' + '{"a":' * 20_000],
    ids=["deep and whole", "deep and cut"],
)
async def test_deep_json(house: House, text: str) -> None:
    async with house.join("chair") as bystander, house.join("endpoint1") as client:
        await client.say(text)
        assert (await refusal(client)).code in {"malformed_json", "invalid_message"}
        assert await is_well(bystander)


async def test_octets_that_are_no_text(house: House) -> None:
    async with house.join("endpoint1") as client:
        await client.socket.send_frame(b'{"type": "hello", "version": 1, "client": "\xff\xfe"}', aiohttp.WSMsgType.TEXT)
        assert (await refusal(client)).code == "malformed_json"
        assert await client.closed() == 4400


async def test_a_message_of_100_mb(house: House) -> None:
    async with house.join("chair") as bystander, house.join("endpoint1") as client:
        flood = asyncio.create_task(client.say("x" * 100_000_000))
        assert (await refusal(client)).code == "too_large"
        assert await client.closed() == 1009
        with pytest.raises((ConnectionError, aiohttp.ClientError)):
            await flood
        assert await is_well(bystander)
    assert house.registry.get_sample_value("diemcau_websockets_closed_total", {"reason": "too_large"}) == 1


async def test_just_too_large_and_just_not(house: House) -> None:
    limit = house.services.config.max_message_bytes
    frame = '{"type": "ping", "sent_at": 1.0%s}'
    async with house.join("endpoint1") as client:
        await client.say(frame % (" " * (limit - len(frame) + 2)))
        assert (await client.hear_a(messages.Pong)).sent_at == 1.0
        await client.say(frame % (" " * (limit - len(frame) + 3)))
        assert (await refusal(client)).code == "too_large"


async def test_a_flood(open_house: OpenHouse) -> None:
    limits = HttpConfig(messages_per_s=1.0, message_burst=20)
    async with open_house(limits) as house, house.join("chair") as bystander, house.join("endpoint1") as client:
        for _ in range(100):
            try:
                await client.say(messages.Ping(1.0))
            except ConnectionError:
                break
        assert (await refusal(client)).code == "too_many_messages"
        assert await client.closed() == 4429
        assert await is_well(bystander)
        value = house.registry.get_sample_value("diemcau_websockets_closed_total", {"reason": "too_many_messages"})
        assert value == 1


async def test_a_fault_of_ours_ends_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """SCENARIOS row 11: the one who asked is told, nothing internal is said, everybody goes on."""

    async def break_down(_self: Attendance, _body: object) -> None:
        raise RuntimeError("the secret is 42")

    async with house.join("chair") as bystander, house.join("endpoint1") as client:
        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
            patch.setattr(Attendance, "command", break_down)
            await client.say('{"type": "command", "id": 3, "command": {"type": "cancel_request"}}')
            told = await refusal(client)
        assert (told.id, told.code) == (3, "internal_error")
        assert "42" not in told.detail
        assert "the secret is 42" in caplog.text
        assert await is_well(client)
        assert await is_well(bystander)


async def test_a_socket_that_dies_without_a_word(house: House) -> None:
    async with house.connect("endpoint1") as client:
        await client.hello()
        (socket,) = house.app[CONNECTIONS].sockets
        client.cut()
        await socket.wait_closed()
    assert house.registry.get_sample_value("diemcau_websockets_closed_total", {"reason": "lost"}) == 1
    assert house.registry.get_sample_value("diemcau_websockets") == 0


async def test_a_client_that_answers_no_ping_is_lost(open_house: OpenHouse) -> None:
    async with open_house(HttpConfig(heartbeat_s=0.1)) as house:
        async with house.connect("endpoint1", autoping=False) as client:
            await client.hello()
            frame = await client.socket.receive()
            while frame.type is aiohttp.WSMsgType.TEXT or frame.type is aiohttp.WSMsgType.PING:
                frame = await client.socket.receive()
            assert frame.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE)
        assert house.registry.get_sample_value("diemcau_websockets_closed_total", {"reason": "lost"}) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
TAGS = ["hello", "offer", "show_slots", "watch_seat", "command", "ping", "nothing", ""]
FIELDS = ["id", "command", "mid", "sizes", "seat_id", "sdp", "tracks", "sent_at", "version"]
MESSAGES = st.tuples(st.sampled_from(TAGS), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))

Converse = Callable[[list[tuple[str, dict[str, object]]]], None]


@pytest.fixture
def converse(open_house: OpenHouse) -> Iterator[Converse]:
    """Say things in one go and wait for the answer to a last ping, on one server for many examples."""

    async def say_all(house: House, parts: list[tuple[str, dict[str, object]]]) -> None:
        async with house.connect("endpoint1") as client:
            await client.hello(take_over=True)
            with suppress(ConnectionError):
                for tag, fields in parts:
                    await client.say(json.dumps({"type": tag} | fields))
                await client.say('{"type": "ping", "sent_at": 99.0}')
            async for frame in client.socket:
                message = json.loads(frame.data)
                assert message.get("code") != "internal_error", message
                if message["type"] == "pong" and message["sent_at"] == 99.0:
                    return
            assert client.socket.close_code == 4400

    stack = AsyncExitStack()

    async def start() -> House:
        return await stack.enter_async_context(open_house(HttpConfig()))

    with asyncio.Runner() as runner:
        house = runner.run(start())
        yield lambda parts: runner.run(say_all(house, parts))
        runner.run(stack.aclose())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(MESSAGES, max_size=5))
def test_nonsense_is_refused_in_words(converse: Converse, parts: list[tuple[str, dict[str, object]]]) -> None:
    """Whatever well-formed JSON comes: an answer or a typed refusal, never silence or ``internal_error``."""
    converse(parts)

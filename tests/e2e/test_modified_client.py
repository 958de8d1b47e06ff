"""Sound without the floor is absent at every receiver, however it is sent (SCENARIOS rows 25 and 32)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.bots.loops import LoopShelf, tone_hz
from server.bots.publisher import SINGLE, plan_offer
from tests.support.metrics import read_metrics
from tests.support.modified_client import ModifiedClient, Trick, tricks
from tests.support.server_process import ServerProcess
from tests.support.tones import SILENCE_DBFS
from tests.support.virtual_peer import Company, Receiver, SeatedPeer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

MAIN, LISTENER, INTRUDER, VIEWER = range(4)
FRAMES_A_TRICK = 25
"""Half a second of sound each, two and a half times what the ear needs."""


@pytest.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    async with ServerProcess(tmp_path, endpoints=5) as server, Company(server) as company:
        yield company


async def send_for(seconds: float) -> None:
    """Let time pass while players send: the time itself is what is tested here."""
    await asyncio.sleep(seconds)


def assert_absent(receivers: dict[str, Receiver], since: float) -> None:
    for who, received in receivers.items():
        assert received.peak_dbfs(INTRUDER, since) < SILENCE_DBFS, f"{who} hears the intruder"
        for mid, ear in received.ears.items():
            assert set(ear.payload_types) <= {111}, f"{who}, slot {mid}"
        for mid, eye in received.eyes.items():
            assert set(eye.payload_types) <= {96}, f"{who}, slot {mid}: not pictures"


async def room_with_listeners(company: Company) -> tuple[SeatedPeer, SeatedPeer, dict[str, Receiver]]:
    """The main endpoint speaks by right; one listens over the WebSocket, one over WHEP, the intruder is seated."""
    main = await company.join(MAIN)
    listener = await company.join(LISTENER)
    viewer = await company.watch(VIEWER)
    intruder = await company.join(INTRUDER, follow_floor=False)
    receivers = {"main": main.received, "listener": listener.received, "viewer": viewer.received}
    for who in ("listener", "viewer"):
        await receivers[who].until_hears(MAIN)
    return main, intruder, receivers


async def play_all(company: Company, client: ModifiedClient, chosen: list[Trick]) -> None:
    for number in range(FRAMES_A_TRICK):
        for trick in chosen:
            client.send(trick, number)
        await send_for(0.02)
    await send_for(0.3)
    assert client.sent == FRAMES_A_TRICK * len(chosen)


async def test_no_trick_of_a_seated_client_is_heard(company: Company) -> None:
    main, intruder, receivers = await room_with_listeners(company)
    assert intruder.endpoint.publisher is not None
    intruder.endpoint.publisher.stop()
    began = company.clock.now()
    tone = LoopShelf().audio(tone_hz(INTRUDER))
    client = ModifiedClient(intruder.connection, tone, company.clock, intruder.endpoint.publisher.streams)
    victims = tuple(ssrc for track in main.connection.plan.sends for _, ssrc, _ in track.streams)
    await play_all(company, client, tricks(intruder.connection, victim_ssrcs=victims))

    assert_absent(receivers, began)
    assert receivers["listener"].hears(MAIN), "the control: who may speak is heard all the while"
    counted = await read_metrics(company.http, company.server.url)
    for reason in ("undeclared_ssrc", "undeclared_payload_type", "undeclared_mid"):
        assert counted[f"diemcau_rtp_packets_dropped_total{{{reason}}}"] > 0


async def test_a_forged_microphone_alone_is_not_heard_until_the_floor_is_granted(company: Company) -> None:
    """The same ears hear the same tone from the same client once it may speak: the other tests can fail."""
    _, intruder, receivers = await room_with_listeners(company)
    assert intruder.endpoint.publisher is not None
    began = company.clock.now()
    intruder.endpoint.publisher.microphone.on = True
    await send_for(1.0)
    assert_absent(receivers, began)

    await company.grant(INTRUDER)
    for received in receivers.values():
        await received.until_hears(INTRUDER)
    await company.withdraw(INTRUDER)
    for received in receivers.values():
        await received.until_silent(INTRUDER)
    withdrawn = company.clock.now()
    await send_for(1.0)
    assert_absent(receivers, withdrawn)


async def test_a_second_session_over_whip_is_not_heard(company: Company) -> None:
    _, _, receivers = await room_with_listeners(company)
    began = company.clock.now()
    await company.publish(INTRUDER, speaking=True)
    await send_for(1.0)
    assert_absent(receivers, began)


async def test_two_sessions_at_once_with_the_floor_are_one_voice(company: Company) -> None:
    """With the floor, exactly one of the two connections of a seat is its voice; when it goes the other takes over."""
    _, intruder, receivers = await room_with_listeners(company)
    encoder = await company.publish(INTRUDER, speaking=True)
    await company.grant(INTRUDER)
    for received in receivers.values():
        await received.until_hears(INTRUDER)
    now = company.clock.now()
    ears = receivers["listener"].ears.values()
    assert [ear.level_dbfs(tone_hz(INTRUDER), now) > -40 for ear in ears].count(True) == 1
    await encoder.leave()
    for received in receivers.values():
        await received.until_silent(INTRUDER)
    assert intruder.endpoint.publisher is not None
    intruder.endpoint.publisher.microphone.on = True
    for received in receivers.values():
        await received.until_hears(INTRUDER)


async def test_a_viewer_that_sends_is_not_heard(company: Company) -> None:
    """A WHEP session has no uplink at all: whatever it sends is undeclared."""
    _, _, receivers = await room_with_listeners(company)
    began = company.clock.now()
    viewer = await company.watch(INTRUDER)
    client = ModifiedClient(viewer.connection, LoopShelf().audio(tone_hz(INTRUDER)), company.clock)
    claims = plan_offer(SINGLE, audio_slots=0, video_slots=0)
    await play_all(company, client, tricks(viewer.connection, claims))
    assert_absent(receivers, began)

"""The MediaServer on loopback: calls, strangers, forgers, movers, and everybody else unharmed meanwhile."""

import asyncio
import random
import secrets

import pytest
from aioice import stun
from aiortc.sdp import SessionDescription

from server.config import FanoutChoice, MediaConfig
from server.errors import InvalidInput, NotFound, Unavailable
from server.rtp.packet import parse
from server.sfu.flows import Flow
from server.transport.dtls import DtlsCertificate, DtlsConnection, DtlsState, Fingerprint
from server.transport.ice import CONSENT_S, Credentials
from server.transport.peer import CONNECT_S
from server.transport.sdp import Purpose
from server.transport.server import LIVELY_S, TICK_S, MediaServer
from server.transport.srtp import AES128_CM_SHA1_80
from tests.transport.calling import Caller, Recorder, TestClock, media_server, new_socket, rtp_packet
from tests.transport.test_dtls import rsa_certificate

RR = bytes.fromhex("80c9000100000001")


async def echo_works(server: MediaServer, handler: Recorder, caller: Caller) -> None:
    """A packet each way still arrives: the call is well."""
    assert caller.opened is not None
    packet = rtp_packet(secrets.randbits(15), ssrc=secrets.randbits(32))
    caller.send(caller.protected(packet))
    await handler.until(lambda: (caller.opened.key, packet) in handler.rtp if caller.opened else False)
    server.send_rtp(caller.opened.key, packet)
    assert await caller.receive_rtp() == packet


async def barrier(server: MediaServer, handler: Recorder) -> None:
    """Everything sent to the port before has been dealt with."""
    before, probe = server.drops["stranger"], new_socket()
    with probe:
        probe.sendto(b"\x50 barrier", ("127.0.0.1", server.port))
        await handler.until(lambda: server.drops["stranger"] > before)


# --- calls --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "certificate",
    [DtlsCertificate.generate(), DtlsCertificate.generate((AES128_CM_SHA1_80,)), rsa_certificate()],
    ids=["AES-GCM", "AES-CM", "RSA certificate"],
)
async def test_a_call(certificate: DtlsCertificate) -> None:
    handler = Recorder()
    async with media_server(handler) as server, Caller(certificate) as caller:
        opened = await caller.call(server, handler)
        assert handler.connected == [opened.key]
        await echo_works(server, handler, caller)
        caller.send(caller.srtp.protect_rtcp(RR) or b"" if caller.srtp else b"")
        await handler.until(lambda: handler.rtcp == [(opened.key, RR)])
        server.send_rtcp(opened.key, RR)
        report = await caller.receive()
        assert caller.srtp is not None
        assert caller.srtp.unprotect_rtcp(report) == RR
        assert (server.packets_in, server.packets_out) == (1, 1)
        assert server.octets_in > len(rtp_packet())
        assert server.octets_out > len(rtp_packet())
        server.close_peer(opened.key, "closed")
        assert handler.closed == [(opened.key, "closed")]
        await hears_good_bye(caller)
        assert not server.drops


async def hears_good_bye(caller: Caller) -> None:
    assert caller.dtls is not None
    while caller.dtls.state is not DtlsState.CLOSED:
        datagram = await caller.receive()
        if 20 <= datagram[0] < 64:
            caller.dtls.receive(datagram, 0.0)


@pytest.mark.parametrize("fanout", ["python", "c"])
async def test_the_fan_out_reaches_everybody_through_one_port(fanout: FanoutChoice) -> None:
    if fanout == "c":
        pytest.importorskip("server.transport.native", exc_type=ImportError)
    handler, config = Recorder(), MediaConfig(fanout=fanout)
    async with media_server(handler, config=config) as server, Caller() as sender, Caller() as one, Caller() as other:
        keys = [(await caller.call(server, handler)).key for caller in (sender, one, other)]
        flows = tuple(Flow(key, 9_000 + key, 96, mid_id=3, mid=b"1") for key in keys[1:])

        def forward(peer: int, data: bytes, now: float) -> None:
            view = parse(data)
            assert view is not None
            server.fanout.forward(view, flows, now)

        handler.on_packet = forward
        handler.on_drained = server.fanout.flush  # type: ignore[method-assign]  # what server.media does
        for number in range(5):
            sender.send(sender.protected(rtp_packet(number)))
        for caller, key in ((one, keys[1]), (other, keys[2])):
            views = [parse(await caller.receive_rtp()) for _ in range(5)]
            assert [(view.ssrc, view.sequence) for view in views if view] == [(9_000 + key, n) for n in range(5)]
        assert server.packets_out == server.fanout.packets == 10
        assert server.fanout.implementation == fanout
        assert [(flow.sent.packets, flow.sent.octets) for flow in flows] == [(5, 20)] * 2


async def test_closing_says_good_bye_to_everybody_once() -> None:
    handler = Recorder()
    async with Caller() as caller, Caller() as waiting:
        async with media_server(handler) as server:
            first = await caller.call(server, handler)
            second = waiting.open(server)
        assert handler.closed == [(first.key, "server_closed"), (second.key, "server_closed")]
        await hears_good_bye(caller)
        server.close_peer(first.key, "closed")
        server.send_rtp(first.key, rtp_packet())
    assert len(handler.closed) == 2
    assert server.drops["not_connected"] == 1


async def test_the_clients_good_bye_ends_the_peer() -> None:
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        opened = await caller.call(server, handler)
        assert caller.dtls is not None
        caller.dtls.close()
        for datagram in caller.dtls.take_output():
            caller.send(datagram)
        await handler.until(lambda: handler.closed == [(opened.key, "peer_closed")])


async def test_a_busy_port() -> None:
    handler = Recorder()
    async with media_server(handler) as server:
        with pytest.raises(Unavailable, match="port"):
            await MediaServer(TestClock(), handler, host="127.0.0.1", port=server.port, config=MediaConfig()).start()


async def test_an_unanswerable_offer_opens_nothing() -> None:
    handler = Recorder()
    async with media_server(handler) as server:
        with pytest.raises(InvalidInput) as refused:
            server.open_peer("v=0\r\n", {}, Purpose.SESSION)
        assert refused.value.code == "bad_sdp"
    assert handler.closed == []


async def test_five_hundred_openings_leave_nothing_behind() -> None:
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        for _ in range(500):
            server.close_peer(caller.open(server).key, "closed")
        assert (server._peers, server._by_ufrag, server._by_address) == ({}, {}, {})
    assert len(handler.closed) == 500


# --- strangers and noise (SCENARIOS 19, 20) -----------------------------------------------------------------

CLIENT_HELLO_START = b"\x16\xfe\xff\x00\x00\x00\x00\x00\x00\x00\x00"


def client_hello() -> bytes:
    stranger = DtlsConnection(DtlsCertificate.generate(), [Fingerprint("sha-256", "00")], server=False)
    stranger.start(0.0)
    return stranger.take_output()[0]


NOISE = [
    (b"", "empty"),
    (b"\x50\x00", "stranger"),
    (b"\x00", "bad_stun"),
    (b"\x00\x01\x00\x00\x21\x12\xa4\x42", "bad_stun"),
    (b"\x01\x01\x00\x00\x21\x12\xa4\x42" + bytes(12), "stun_not_request"),
    (b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12), "bad_integrity"),
    (b"\x80", "unvalidated_address"),
    (rtp_packet(), "unvalidated_address"),
    (RR, "unvalidated_address"),
    (CLIENT_HELLO_START, "unvalidated_address"),
    (client_hello(), "unvalidated_address"),
]


@pytest.mark.parametrize(("datagram", "reason"), NOISE)
async def test_a_strangers_noise_is_counted(datagram: bytes, reason: str) -> None:
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        await caller.call(server, handler)
        with new_socket() as stranger:
            stranger.sendto(datagram, ("127.0.0.1", server.port))
            await barrier(server, handler)
        await echo_works(server, handler, caller)
        assert server.drops == ({"stranger": 1, reason: 1} if reason != "stranger" else {"stranger": 2})


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "empty"),
        (b"\x80", "truncated"),
        (rtp_packet()[:11], "truncated"),
        (rtp_packet(), "srtp_malformed"),
        (rtp_packet(payload=bytes(40)), "srtp_auth"),
        (b"\x40rest", "unknown_protocol"),
        (RR + bytes(20), "srtp_auth"),
        (RR + bytes(4), "srtp_malformed"),
        (rtp_packet(payload=bytes(1_600)), "oversize"),
        (rtp_packet(payload=bytes(9_000)), "oversize"),
    ],
)
async def test_noise_from_a_peers_own_address_is_counted(datagram: bytes, reason: str) -> None:
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        await caller.call(server, handler)
        caller.send(datagram)
        await echo_works(server, handler, caller)
        assert sum(server.drops.values()) == server.drops[reason] == 1


async def test_a_replayed_packet_is_dropped() -> None:
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        await caller.call(server, handler)
        datagram = caller.protected(rtp_packet())
        caller.send(datagram)
        caller.send(datagram)
        await echo_works(server, handler, caller)
        assert server.drops == {"srtp_replay": 1}
        assert len(handler.rtp) == 2


async def test_a_spray_of_client_hellos_harms_no_call() -> None:
    """SCENARIOS 20: before, between and after the checks, from strangers' addresses."""
    handler = Recorder()
    hello = client_hello()
    async with media_server(handler) as server, Caller() as caller:
        caller.open(server)
        with new_socket() as stranger:
            for _ in range(50):
                stranger.sendto(hello, caller.server)
            await caller.check()
            for _ in range(50):
                stranger.sendto(hello, caller.server)
            assert await caller.handshake() is DtlsState.CONNECTED
            stranger.sendto(hello, caller.server)
            await echo_works(server, handler, caller)
        assert server.drops == {"unvalidated_address": 101}


async def test_a_client_hello_before_the_check_is_waited_for() -> None:
    """A client that begins DTLS too early is dropped at first, and connects by its retransmission."""
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        opened = caller.open(server)
        caller.send(client_hello())
        await barrier(server, handler)
        assert server.drops["unvalidated_address"] == 1
        await caller.check()
        assert await caller.handshake() is DtlsState.CONNECTED
        assert handler.connected == [opened.key]


async def test_media_before_the_handshake_is_dropped() -> None:
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        opened = caller.open(server)
        await caller.check()
        caller.send(rtp_packet())
        server.send_rtp(opened.key, rtp_packet())
        await barrier(server, handler)
        assert server.drops["not_connected"] == 2
        assert await caller.handshake() is DtlsState.CONNECTED


async def test_random_noise_from_everywhere_while_a_call_goes_on() -> None:
    handler = Recorder()
    dice = random.Random(19)  # noqa: S311  # the same noise every time
    for_openssl = 0
    async with media_server(handler) as server, Caller() as caller:
        await caller.call(server, handler)
        with new_socket() as stranger:
            for _ in range(40):
                for _ in range(20):
                    noise = dice.randbytes(dice.choice((0, 1, 2, 11, 12, 20, 28, 60, 1_200)))
                    source = dice.choice((stranger, caller.socket))
                    source.sendto(noise, caller.server)
                    # In an association OpenSSL itself passes over what is no record of it.
                    for_openssl += source is caller.socket and 20 <= noise[:1].ljust(1)[0] < 64 and noise != b""
                await echo_works(server, handler, caller)
        assert handler.closed == []
        assert sum(server.drops.values()) == 800 - for_openssl


# --- forged checks (SCENARIOS 21) -------------------------------------------------------------------------------


async def test_forged_checks_take_nothing_over() -> None:
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        await caller.call(server, handler)
        with new_socket() as forger:
            no_integrity = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
            no_integrity.attributes["USERNAME"] = f"{caller.remote.ufrag}:{caller.local.ufrag}"
            no_integrity.attributes["USE-CANDIDATE"] = None
            no_integrity.add_fingerprint()
            unknown = caller.request()
            unknown.attributes["USERNAME"] = f"nobody:{caller.local.ufrag}"
            unknown.add_message_integrity(caller.remote.password.encode())
            for message in (no_integrity, caller.request(password="guess"), caller.request(password=""), unknown):
                forger.sendto(bytes(message), caller.server)
            forger.sendto(bytes(caller.request())[:-1], caller.server)
            await barrier(server, handler)
            assert server.drops == {"bad_integrity": 3, "stranger": 2, "bad_stun": 1}
            with pytest.raises(BlockingIOError):
                forger.recv(2_048)
        await echo_works(server, handler, caller)


async def test_a_participant_cannot_take_anothers_address() -> None:
    """A check that is valid for the attacker's own session, sent as if from the victim's address."""
    clock, handler = TestClock(), Recorder()
    async with media_server(handler, clock=clock) as server, Caller() as victim, Caller() as attacker:
        await victim.call(server, handler)
        opened = await attacker.call(server, handler)
        own = attacker.socket
        attacker.socket = victim.socket
        attacker.send(bytes(attacker.request()))
        await barrier(server, handler)
        assert server.drops["address_taken"] == 1
        await echo_works(server, handler, victim)
        # Once the victim is silent, its address may be another's: a NAT gives ports to others in time.
        clock.ahead_s += LIVELY_S
        await attacker.check()
        attacker.socket = own
        await attacker.check()
        assert handler.closed == []
        await echo_works(server, handler, attacker)
        attacker.socket = victim.socket
        server.send_rtp(opened.key, rtp_packet())
        attacker.socket = own
        assert await attacker.receive_rtp() == rtp_packet()
        # ... and the victim's next check finds it again.
        clock.ahead_s += LIVELY_S
        await victim.check()
        await echo_works(server, handler, victim)


async def test_a_controlled_client_is_told_to_switch_roles() -> None:
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        caller.open(server)
        assert (await caller.check(controlled=True)).error_code == 487
        await caller.check()
        assert await caller.handshake() is DtlsState.CONNECTED


# --- moving, restarting, going silent -----------------------------------------------------------------------------


async def test_media_follows_the_newly_nominated_address() -> None:
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        opened = await caller.call(server, handler)
        flow = Flow(opened.key, 9, 96)
        caller.move()
        caller.send(caller.protected(rtp_packet(1)))
        await barrier(server, handler)
        assert server.drops["unvalidated_address"] == 1, "nothing is believed before the check"
        await caller.check()
        await echo_works(server, handler, caller)
        view = parse(rtp_packet(2))
        assert view is not None
        server.fanout.forward(view, (flow,), 0.0)
        server.fanout.flush()
        assert (await caller.receive_rtp())[8:12] == (9).to_bytes(4, "big")


async def test_an_unnominated_check_is_heard_but_not_followed() -> None:
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        opened = await caller.call(server, handler)
        home = caller.socket
        with new_socket() as second:
            caller.socket = second
            await caller.check(nominate=False)
            caller.send(caller.protected(rtp_packet(5)))
            await handler.until(lambda: (opened.key, rtp_packet(5)) in handler.rtp)
            caller.socket = home
        server.send_rtp(opened.key, rtp_packet(6))
        assert await caller.receive_rtp() == rtp_packet(6)


def fragment(credentials: Credentials) -> str:
    return f"a=ice-ufrag:{credentials.ufrag}\r\na=ice-pwd:{credentials.password}\r\nm=audio 9 X 0\r\na=mid:0\r\n"


async def test_an_ice_restart() -> None:
    """RFC 9725 4.3.3: new credentials, the same DTLS and SRTP; the old ones serve until the new nominate."""
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        opened = await caller.call(server, handler)
        old = caller.remote
        for _ in range(2):  # the second restart overtakes the first
            answer = server.restart_ice(opened.key, fragment(Credentials("newer", "the-newer-password-of-mine")))
            assert server.restart_ice(opened.key, fragment(Credentials("newer", "the-newer-password-of-mine"))) == ""
            server.restart_ice(opened.key, fragment(Credentials("other", "the-other-password-of-mine")))
        assert caller.remote == old
        answer = server.restart_ice(opened.key, fragment(Credentials("newer", "the-newer-password-of-mine")))
        described = SessionDescription.parse("v=0\r\n" + answer).media[0]
        assert described.ice is not None
        assert described.rtp.muxId == "0"
        assert {(entry.ip, entry.port) for entry in described.ice_candidates} == {caller.server}
        await echo_works(server, handler, caller)
        caller.move()
        caller.local = Credentials("newer", "the-newer-password-of-mine")
        caller.remote = Credentials(described.ice.usernameFragment or "", described.ice.password or "")
        await caller.check()
        await echo_works(server, handler, caller)
        assert set(server._by_ufrag) == {caller.remote.ufrag}
        server.close_peer(opened.key, "closed")
        assert (server._by_ufrag, server._by_address) == ({}, {})


async def test_trickled_candidates_need_no_answer() -> None:
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        opened = caller.open(server)
        assert server.restart_ice(opened.key, "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n") == ""
        assert server.restart_ice(opened.key, fragment(caller.local)) == ""
        with pytest.raises(InvalidInput):
            server.restart_ice(opened.key, "a=ice-ufrag:x\r\n")
        with pytest.raises(NotFound):
            server.restart_ice(99, "")
        await caller.check()


async def test_silence_ends_a_call_after_thirty_seconds() -> None:
    """RFC 7675; checks and authenticated packets both prove that somebody is there."""
    clock, handler = TestClock(), Recorder()
    async with media_server(handler, clock=clock) as server, Caller() as quiet, Caller() as talking:
        silent = await quiet.call(server, handler)
        await talking.call(server, handler)
        for _ in range(3):
            clock.ahead_s += CONSENT_S / 3 - 0.5
            await echo_works(server, handler, talking)
            server.tick(clock.now())
        assert handler.closed == []
        clock.ahead_s += 2.0
        server.tick(clock.now())
        assert handler.closed == [(silent.key, "timeout")]
        await echo_works(server, handler, talking)


async def test_who_never_connects_is_given_up() -> None:
    clock, handler = TestClock(), Recorder()
    async with media_server(handler, clock=clock) as server, Caller() as checking:
        opened = checking.open(server)
        for _ in range(4):
            clock.ahead_s += CONNECT_S / 4
            await checking.check()
        server.tick(clock.now())
        assert handler.closed == [(opened.key, "timeout")]


async def test_a_lost_server_flight_is_sent_again_by_the_timer() -> None:
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        opened = caller.open(server)
        await caller.check()
        dtls = DtlsConnection(caller.certificate, caller.server_fingerprints, server=False)
        dtls.start(0.0)
        for datagram in dtls.take_output():
            caller.send(datagram)
        lost = await caller.receive()
        again = await caller.receive(within_s=1.0 + 4 * TICK_S + 2.0)
        assert lost[:1] == again[:1] == b"\x16"
        assert server._peers[opened.key].dtls.state is DtlsState.HANDSHAKING


# --- identity (SCENARIOS 29) ---------------------------------------------------------------------------------------


async def test_a_wrong_fingerprint_is_refused() -> None:
    handler = Recorder()
    async with media_server(handler) as server, Caller() as impostor, Caller() as other:
        await other.call(server, handler)
        wrong = Fingerprint("sha-256", ":".join(["12"] * 32))
        opened = impostor.open(server, offer=impostor.offer(fingerprint=wrong))
        await impostor.check()
        assert await impostor.handshake() is not DtlsState.CONNECTED
        await handler.until(lambda: handler.closed == [(opened.key, "fingerprint_mismatch")])
        assert opened.key not in handler.connected
        await echo_works(server, handler, other)


# --- our own defects -------------------------------------------------------------------------------------------------


class Faulty(Recorder):
    """Raises in whatever ``fails`` names."""

    fails = ""

    def on_rtp(self, peer: int, data: bytes, now: float) -> None:
        super().on_rtp(peer, data, now)
        self.maybe_fail("on_rtp")

    def on_closed(self, peer: int, reason: str) -> None:
        super().on_closed(peer, reason)
        self.maybe_fail("on_closed")

    def on_drained(self) -> None:
        super().on_drained()
        self.maybe_fail("on_drained")

    def maybe_fail(self, where: str) -> None:
        if self.fails == where:
            self.fails = ""
            raise RuntimeError(f"a defect in {where}")


@pytest.mark.parametrize("where", ["on_rtp", "on_closed", "on_drained"])
async def test_a_defect_above_is_logged_and_harms_nobody_else(where: str, caplog: pytest.LogCaptureFixture) -> None:
    handler = Faulty()
    server = MediaServer(TestClock(), handler, host="127.0.0.1", port=0, config=MediaConfig())
    await server.start()
    async with Caller() as caller, Caller() as other:
        opened = await caller.call(server, handler)
        await other.call(server, handler)
        handler.fails = where
        caller.send(caller.protected(rtp_packet()))
        await handler.until(lambda: handler.rtp)
        server.close_peer(opened.key, "closed")
        await echo_works(server, handler, other)
        assert handler.closed == [(opened.key, "closed")]
        assert server.drops == {"internal_error": 1}
        assert f"a defect in {where}" in caplog.text
    await server.close()


async def test_a_defect_in_the_timer_does_not_stop_it(caplog: pytest.LogCaptureFixture) -> None:
    class Stopped(TestClock):
        fails = False

        def now(self) -> float:
            if self.fails:
                self.fails = False
                raise RuntimeError("a defect of the clock")
            return super().now()

    clock, handler = Stopped(), Recorder()
    server = MediaServer(clock, handler, host="127.0.0.1", port=0, config=MediaConfig())
    await server.start()
    async with Caller() as caller:
        opened = caller.open(server)
        clock.fails = True
        async with asyncio.timeout(10 * TICK_S):
            while "a defect of the clock" not in caplog.text:
                await wait_for_timer()
        clock.ahead_s += CONNECT_S
        await handler.until(lambda: handler.closed == [(opened.key, "timeout")])
        assert server.drops["internal_error"] == 1
    await server.close()


async def wait_for_timer() -> None:
    due = asyncio.Event()
    asyncio.get_running_loop().call_later(TICK_S, due.set)
    await due.wait()

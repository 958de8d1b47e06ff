"""The C part from Python: peers and streams go in, sums and delays come out. It runs in a thread of its own."""

import asyncio
import contextlib
import os
import secrets
import socket
import struct
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Protocol, Self

import msgspec
import numpy as np
from cffi import FFI
from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi as srtp_ffi  # type: ignore[import-not-found]  # a compiled module without stubs
from pylibsrtp._binding import lib as srtp_lib

from server.bots import offer
from server.bots.connection import HandedOver
from server.bots.reception import Reception
from server.sfu.ports import TrackLabel
from tests.bench.load.build import FOLDER, build_load_library

RECEIVES_BPS = 20_000_000
"""What viewers say by REMB: their line carries everything."""
VIDEO_PAYLOAD_OCTETS = 1_100
AUDIO_PAYLOAD_OCTETS = 80
BUCKET_MS = 0.02
BROWSERS_SPREAD = 0.012
"""Chromium 156 at 1.5 Mbit/s and 30 frames a second: a frame's six packets leave within 0.4 ms (0.14 to 0.81)."""
_BUCKETS = 100_000
_CALLS = ("srtp_protect", "srtp_protect_rtcp", "srtp_unprotect", "srtp_unprotect_rtcp")
_NUMBER = struct.Struct("=i")


class TakenOver(Protocol):
    """A connected peer: a ``MediaConnection``, or in a test what looks like one from here."""

    @property
    def plan(self) -> offer.OfferPlan: ...

    @property
    def reception(self) -> Reception: ...

    def hand_over(self) -> HandedOver: ...

    def receive(self, datagram: bytes) -> None: ...


class Picture(msgspec.Struct, frozen=True):
    """A camera's stream. ``spread``: the share of a frame's interval in which its packets leave."""

    bitrate_bps: int
    frames_per_s: int = 30
    spread: float = BROWSERS_SPREAD

    @property
    def packets_per_frame(self) -> int:
        return max(1, round(self.bitrate_bps / 8 / self.frames_per_s / VIDEO_PAYLOAD_OCTETS))

    @property
    def payload_octets(self) -> int:
        return min(VIDEO_PAYLOAD_OCTETS, self.bitrate_bps // (8 * self.frames_per_s * self.packets_per_frame))


class Totals(msgspec.Struct, frozen=True):
    """Sums over all peers, from clear RTP headers; see ``struct totals`` in load.h."""

    packets: int
    octets: int
    lost: int
    late: int
    retransmissions: int
    unknown: int
    sent: int
    send_failed: int
    nacks: int
    keyframe_requests: int
    keyframes: int
    reports_in: int
    reports_out: int
    handed_on: int
    undeciphered: int
    strays: int
    latest_ns: int
    cpu_ns: int

    def since(self, before: "Totals") -> "Totals":
        """Differences; ``latest_ns`` stays what it is."""
        differences = {name: getattr(self, name) - getattr(before, name) for name in self.__struct_fields__}
        return msgspec.structs.replace(Totals(**differences), latest_ns=self.latest_ns)

    @property
    def loss_percent(self) -> float:
        return 100 * self.lost / max(1, self.lost + self.packets)


class Arrivals(msgspec.Struct, frozen=True):
    """One incoming stream: ``source`` is the number of the stream it is a copy of, None while nothing came."""

    packets: int
    lost: int
    source: int | None


class LoadEngine:
    """``async with`` starts the C loop's thread and ends it. Peers may come and go meanwhile."""

    def __init__(self) -> None:
        self._ffi = FFI()
        self._ffi.cdef((FOLDER / "load.h").read_text("utf-8"))
        self._lib: Any = self._ffi.dlopen(str(build_load_library()))
        self._peers: dict[int, tuple[TakenOver, Session]] = {}
        self._numbers: dict[TakenOver, int] = {}
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._theirs = theirs
        self._ours.setblocking(False)
        calls = (int(srtp_ffi.cast("uintptr_t", srtp_ffi.addressof(srtp_lib, name))) for name in _CALLS)
        pointers = (self._ffi.cast("void *", call) for call in calls)
        self._load = self._lib.load_new(*pointers, theirs.fileno())
        if not self._load:
            raise MemoryError
        self._thread = threading.Thread(target=self._run, name="load")
        self.thread_id = 0

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._ours, self._take_others)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lib.load_stop(self._load)
        await asyncio.to_thread(self._thread.join)
        asyncio.get_running_loop().remove_reader(self._ours)
        self._ours.close()
        self._theirs.close()
        self._lib.load_free(self._load)

    def add(self, connection: TakenOver) -> None:
        """Take a connected peer over: from now on C does its RTP and RTCP. Its slots are counted."""
        handed = connection.hand_over()
        policy = Policy(
            key=handed.srtp.keys.remote,
            ssrc_type=Policy.SSRC_ANY_INBOUND,
            srtp_profile=handed.srtp.keys.profile.libsrtp,
        )
        policy.window_size = 1024
        inbound = Session(policy)
        pointers = (handed.srtp.outbound_address, int(srtp_ffi.cast("uintptr_t", inbound._srtp[0])))
        number = self._lib.load_add_peer(
            self._load, handed.socket, *(self._ffi.cast("void *", pointer) for pointer in pointers), RECEIVES_BPS
        )
        assert number >= 0, "the load generator takes no more peers"
        self._peers[number] = (connection, inbound)
        self._numbers[connection] = number
        for mid, arrivals in connection.reception.by_mid.items():
            self._lib.load_expect(self._load, number, arrivals.ssrc, 0)
            again = [each.ssrc for each in connection.reception.by_ssrc.values() if each.mid == mid]
            for ssrc in again:
                if ssrc != arrivals.ssrc:
                    self._lib.load_expect(self._load, number, ssrc, 1)

    def remove(self, connection: TakenOver) -> None:
        """Let go of a peer; the connection itself stays open, and silent."""
        number = self._numbers.pop(connection)
        self._lib.load_remove_peer(self._load, number)
        del self._peers[number]

    def show(self, connection: TakenOver, picture: Picture, label: TrackLabel = TrackLabel.CAMERA) -> int:
        """Send a picture on the camera (only its first stream); the stream's number."""
        track = next(track for track in connection.plan.sends if track.label is label)
        return self._send(connection, track, offer.VP8, 90_000, picture, video=True)

    def speak(self, connection: TakenOver, packets_per_s: int = 50) -> int:
        """Send sound on the microphone; the stream's number."""
        track = next(track for track in connection.plan.sends if track.label is TrackLabel.MIC)
        sound = Picture(8 * packets_per_s * AUDIO_PAYLOAD_OCTETS, packets_per_s)
        return self._send(connection, track, offer.OPUS, 48_000, sound, video=False)

    def set_sending(self, stream: int, sends: bool) -> None:
        self._lib.load_set_sending(self._load, stream, sends)

    def sent(self, stream: int) -> int:
        """Packets that the stream has sent so far."""
        return int(self._lib.load_sent(self._load, stream))

    def totals(self) -> Totals:
        sums = self._ffi.new("struct totals *")
        self._lib.load_totals(self._load, sums)
        return Totals(**{name: int(getattr(sums, name)) for name in Totals.__struct_fields__})

    def arrivals(self, connection: TakenOver) -> dict[str, Arrivals]:
        """By slot's mid."""
        return dict(self._each_arrivals(connection))

    def clear_delays(self) -> None:
        self._lib.load_clear_delays(self._load)

    def delay_ms(self, *shares: float) -> list[float]:
        """Delays below which these shares (0..1) of the packets since ``clear_delays`` lie; nan without any."""
        counts = np.zeros(_BUCKETS, dtype=np.uint32)
        self._lib.load_delay_buckets(self._load, self._ffi.from_buffer("uint32_t[]", counts), _BUCKETS)
        grown = np.cumsum(counts, dtype=np.uint64)
        if not grown[-1]:
            return [float("nan")] * len(shares)
        places = [int(np.searchsorted(grown, max(1.0, share * float(grown[-1])))) for share in shares]
        return [BUCKET_MS * (place + 0.5) for place in places]

    def _run(self) -> None:
        self.thread_id = threading.get_native_id()
        with contextlib.suppress(PermissionError):  # Python's signalling on the same core must not make packets late
            os.setpriority(os.PRIO_PROCESS, self.thread_id, -10)
        self._lib.load_run(self._load)

    def _send(
        self,
        connection: TakenOver,
        track: offer.SendTrack,
        payload_type: int,
        clock_rate: int,
        shape: Picture,
        *,
        video: bool,
    ) -> int:
        plan = self._ffi.new("struct stream_plan *")
        plan.ssrc = track.streams[0][1]
        plan.clock_rate = clock_rate
        plan.frames_per_s = shape.frames_per_s
        plan.packets_per_frame = shape.packets_per_frame
        plan.payload_octets = shape.payload_octets
        plan.begin_after_us = secrets.randbelow(1_000_000 // shape.frames_per_s)
        plan.spread = shape.spread
        plan.payload_type = payload_type
        plan.video = video
        plan.mid_id, plan.send_time_id = offer.MID_ID, offer.ABS_SEND_TIME_ID
        plan.level_id = 0 if video else offer.AUDIO_LEVEL_ID
        mid = track.mid.encode()
        plan.mid_length = len(mid)
        plan.mid = mid.ljust(16, b"\0")
        number: int = self._lib.load_add_stream(self._load, self._numbers[connection], plan)
        assert number >= 0, "the load generator takes no more streams"
        return number

    def _each_arrivals(self, connection: TakenOver) -> Iterator[tuple[str, Arrivals]]:
        found = self._ffi.new("struct arrivals *")
        for mid, slot in connection.reception.by_mid.items():
            if self._lib.load_arrivals(self._load, self._numbers[connection], slot.ssrc, found):
                expected = int(found.highest - found.first + 1) if found.packets else 0
                source = int(found.source) if found.source >= 0 else None
                yield mid, Arrivals(int(found.packets), max(0, expected - int(found.packets)), source)

    def _take_others(self) -> None:
        """STUN and DTLS that C saw, for the connection they came to."""
        for _ in range(64):
            try:
                message = self._ours.recv(4_096)
            except BlockingIOError:
                return
            known = self._peers.get(_NUMBER.unpack_from(message)[0])
            if known is not None:
                known[0].receive(message[_NUMBER.size :])

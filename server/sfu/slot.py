"""An outgoing stream: one SSRC whose sequence, timestamps and VP8 picture ids run on whatever feeds it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from server.rtp.extensions import MAX_ONE_BYTE_ID, MAX_ONE_BYTE_LENGTH
from server.rtp.packet import RtpView
from server.rtp.sequence import difference32, unwrap16
from server.rtp.vp8 import PICTURE_ID_MODULUS
from server.sfu.flows import Flow
from server.sfu.ports import Codec, Kind, PeerKey, SlotSpec
from server.sfu.reports import CaptureClock
from server.sfu.sent_log import SentLog

if TYPE_CHECKING:
    from server.sfu.outputs import TrackId
    from server.sfu.uplink import Stream, Uplink

MAX_PAST_FEEDS = 3
"""So many switches back a viewer may still ask for what it lost."""
MAX_ALIGNMENT_ERROR_S = 1.0
"""Where sender reports and arrival times disagree by more, the reports are wrong or forged."""


class Feed:
    """One stretch of a slot on one stream: from packet ``first`` to ``last`` (None: it runs), numbered extended."""

    __slots__ = ("codec", "epoch", "first", "flow", "last", "slot", "stream")

    def __init__(self, slot: Slot, stream: Stream, codec: Codec, flow: Flow, first: int) -> None:
        self.slot = slot
        self.stream = stream
        self.codec = codec
        """The viewer's codec, with its payload types."""
        self.flow = flow
        self.first = first
        self.last: int | None = None
        self.epoch = stream.epoch


class Slot:
    """One receive-only m-section of a viewer.

    ``target`` is what it shall carry, ``layer`` the stream of it that the allocation chose (None: hidden, paused or
    nothing comes), ``waiting`` the stream whose next start it waits for, ``feed`` what runs. ``shown_height``
    None: never told, so as good as it gets.
    """

    __slots__ = (
        "_capture",
        "_is_hoping",
        "_layer",
        "_octets_past",
        "_packets_past",
        "_picture_id",
        "_sent_log",
        "_sequence",
        "_timestamp",
        "_timestamp_at",
        "_tl0",
        "announced",
        "destination",
        "feed",
        "missing_reason",
        "past",
        "peer",
        "resent_octets",
        "rtx_sequence",
        "shown_height",
        "spec",
        "target",
        "waiting",
    )

    def __init__(self, peer: PeerKey, destination: int, spec: SlotSpec, sent_log: SentLog | None = None) -> None:
        self.peer = peer
        self.destination = destination
        self.spec = spec
        self._sent_log = sent_log if _one_byte_id(spec.numbered_by) else None
        self.target: Uplink | None = None
        self.missing_reason = "unassigned"
        self.shown_height: int | None = None
        self._layer: Stream | None = None
        self._is_hoping = False
        self.waiting: Stream | None = None
        self.feed: Feed | None = None
        self.past: deque[Feed] = deque()
        self.announced: tuple[TrackId | None, str] = (None, "unassigned")
        self.resent_octets = 0
        # Below 2**15, so that a viewer who misses the first packets still guesses SRTP's rollover counter right
        # (RFC 3711 3.3.1).
        self._sequence = spec.ssrc & 0x3FFF
        self.rtx_sequence = spec.rtx_ssrc & 0x3FFF
        self._timestamp: int | None = None
        self._timestamp_at = 0.0
        self._capture: tuple[Uplink, CaptureClock, int] | None = None
        self._picture_id = -1
        self._tl0 = -1
        self._packets_past = 0
        self._octets_past = 0

    @property
    def is_audio(self) -> bool:
        return self.spec.kind is Kind.AUDIO

    @property
    def layer(self) -> Stream | None:
        return self._layer

    @layer.setter
    def layer(self, stream: Stream | None) -> None:
        if self._layer is not None:
            self._layer.planned_for -= 1
        if stream is not None:
            stream.planned_for += 1
        self._layer = stream

    def hope(self, is_hoping: bool) -> None:
        """It would show its target, of which nothing comes; or not so."""
        if self._is_hoping != is_hoping:
            assert self.target is not None
            self._is_hoping = is_hoping
            self.target.hopes += 1 if is_hoping else -1

    @property
    def packets(self) -> int:
        """Sent so far, for sender reports."""
        return self._packets_past + sum(feed.flow.sent.packets for feed in self._feeds())

    @property
    def octets(self) -> int:
        """Payload octets sent so far, for sender reports."""
        return self._octets_past + sum(feed.flow.sent.octets for feed in self._feeds())

    def begin(
        self, stream: Stream, codec: Codec, packet: RtpView, extended: int, now: float, before: Flow | None = None
    ) -> Feed:
        """Run on with ``stream`` from ``packet``, so that its copy continues what was sent before.

        ``codec`` is the viewer's. The feed before has been ended. ``before``: its flow, where this is the same stream
        but for its temporal layers, so that time goes on as it did.
        """
        uplink = stream.uplink.spec
        mid = self.spec.mid.encode()
        descriptor = packet.vp8() if codec.name == "vp8" else None
        pid_delta = tl0_delta = 0
        if descriptor is not None and descriptor.picture_id >= 0 and self._picture_id >= 0:
            pid_delta = (self._picture_id + 1 - descriptor.picture_id) % PICTURE_ID_MODULUS
        if descriptor is not None and descriptor.tl0_picture_index >= 0 and self._tl0 >= 0:
            tl0_delta = self._tl0 + 1 - descriptor.tl0_picture_index & 0xFF
        flow = Flow(
            destination=self.destination,
            ssrc=self.spec.ssrc,
            payload_type=codec.payload_type,
            seq_delta=self._sequence + 1 - packet.sequence & 0xFFFF,
            timestamp_delta=self._timestamp_delta(stream.whole, codec, packet, now)
            if before is None
            else before.timestamp_delta,
            vp8=codec.name == "vp8",
            pid_delta=pid_delta,
            tl0_delta=tl0_delta if before is None else before.tl0_delta,
            mid_id=_one_byte_id(self.spec.extensions.mid) if 0 < len(mid) <= MAX_ONE_BYTE_LENGTH else 0,
            mid=mid,
            level_id=_one_byte_id(self.spec.extensions.audio_level) if uplink.extensions.audio_level else 0,
            abs_send_time_id=_one_byte_id(self.spec.extensions.abs_send_time),
            level_from_id=uplink.extensions.audio_level or 0,
            transport_cc_id=self.spec.numbered_by if self._sent_log is not None else 0,
            sent_log=self._sent_log,
        )
        self.feed = Feed(self, stream, codec, flow, extended)
        return self.feed

    def end(self, *, unsent: int = 0) -> Feed | None:
        """Stop what runs and remember where it stood. Returns it, None where nothing ran.

        ``unsent`` 1: the newest packet is not sent any more, and the one before it lies right before it.
        """
        feed = self.feed
        if feed is None:
            return None
        stream, flow = feed.stream, feed.flow
        newest, reception = stream.previous if unsent else stream.newest, stream.reception
        assert newest is not None
        assert reception is not None
        self.feed = None
        feed.last = reception.highest - unsent
        self._sequence = newest.sequence + flow.seq_delta & 0xFFFF
        self._timestamp = newest.timestamp + flow.timestamp_delta & 0xFFFFFFFF
        self._timestamp_at = stream.newest_at
        clock = stream.whole.clock
        self._capture = (stream.uplink, clock, flow.timestamp_delta) if clock is not None else None
        descriptor = newest.vp8() if flow.vp8 else None
        if descriptor is not None and descriptor.picture_id >= 0:
            modulus = PICTURE_ID_MODULUS if descriptor.wide_picture_id else 128
            self._picture_id = (descriptor.picture_id + flow.pid_delta) % modulus
        if descriptor is not None and descriptor.tl0_picture_index >= 0:
            self._tl0 = descriptor.tl0_picture_index + flow.tl0_delta & 0xFF
        self.past.append(feed)
        if len(self.past) > MAX_PAST_FEEDS:
            oldest = self.past.popleft()
            self._packets_past += oldest.flow.sent.packets
            self._octets_past += oldest.flow.sent.octets
        return feed

    def find(self, sequence: int) -> tuple[Feed, int] | None:
        """Which feed sent ``sequence``, and the packet's number in its stream; None for what was never sent.

        A stream that started over or whose gate was closed since is refused.
        """
        for feed in self._feeds():
            reception = feed.stream.reception
            assert reception is not None
            last = reception.highest if feed.last is None else feed.last
            number = unwrap16(sequence - feed.flow.seq_delta & 0xFFFF, last)
            if feed.first <= number <= last:
                return (feed, number) if feed.epoch == feed.stream.epoch else None
        return None

    def take_rtx_sequence(self) -> int:
        self.rtx_sequence = self.rtx_sequence + 1 & 0xFFFF
        return self.rtx_sequence

    def _feeds(self) -> list[Feed]:
        """Youngest first."""
        feeds = list(reversed(self.past))
        return [self.feed, *feeds] if self.feed is not None else feeds

    def _timestamp_delta(self, stream: Stream, codec: Codec, packet: RtpView, now: float) -> int:
        """What makes the packet's timestamp follow on the last one by the time that really went by.

        Between layers of one track the capture times of the sender reports say it exactly, else the arrival times.
        """
        if self._timestamp is None:
            return 0
        elapsed = max(1, round((now - self._timestamp_at) * codec.clock_rate))
        if self._capture is not None and stream.clock is not None:
            uplink, clock, delta = self._capture
            if uplink is stream.uplink:
                aligned = clock.rtp_at(stream.clock.captured_at(packet.timestamp)) + delta
                exactly = difference32(aligned & 0xFFFFFFFF, self._timestamp)
                if abs(exactly - elapsed) <= MAX_ALIGNMENT_ERROR_S * codec.clock_rate:
                    elapsed = max(1, exactly)
        return self._timestamp + elapsed - packet.timestamp & 0xFFFFFFFF


def _one_byte_id(extension_id: int | None) -> int:
    return extension_id if extension_id is not None and 1 <= extension_id <= MAX_ONE_BYTE_ID else 0

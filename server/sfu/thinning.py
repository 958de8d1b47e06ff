"""A stream without its upper temporal layers: fewer frames for a viewer short of bandwidth, until a key frame comes.

Packets are renumbered once for all who take them, as if another sender had made them: sequence numbers and VP8 picture
ids without a gap (RFC 7741 4.2; TL0PICIDX counts the lowest layer, which stays whole). What follows from it, flows and
retransmission, is that of any other stream.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from server.rtp.packet import RtpView
from server.sfu.uplink import Stream

MAX_SKIPPED = 1_024
_PADDING = 0x20


class Skipped:
    """Numbers left out; says how many lie below another. Forgets the oldest, so it is right for what is recent."""

    __slots__ = ("_forgotten", "_numbers")

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._forgotten = 0

    def add(self, number: int) -> None:
        if not self._numbers or number > self._numbers[-1]:
            self._numbers.append(number)
        elif number not in self._numbers:
            insort(self._numbers, number)
        if len(self._numbers) > MAX_SKIPPED:
            half = MAX_SKIPPED // 2
            del self._numbers[:half]
            self._forgotten += half

    def below(self, number: int) -> int:
        return self._forgotten + bisect_left(self._numbers, number)


class ThinStream(Stream):
    """``source`` up to temporal layer ``max_layer``. Costs nothing while nobody takes it."""

    __slots__ = ("_first", "_highest", "_packets", "_picture", "_pictures", "is_idle", "source")
    _first: int
    _highest: int
    _picture: int
    _packets: Skipped
    _pictures: Skipped

    def __init__(self, source: Stream, max_layer: int) -> None:
        # Keys of whole streams are small.
        super().__init__(source.key + (max_layer + 1 << 40), source.uplink, source.rid)
        self.source = source
        self.max_layer = max_layer
        self.is_idle = True
        self._restart(0, 0)

    @property
    def whole(self) -> Stream:
        return self.source

    def refresh_asking(self) -> None:
        """Lost packets are asked for by the source, for all."""
        self.source.refresh_asking()

    def take(self, packet: RtpView, extended: int, now: float) -> tuple[RtpView, int] | None:
        """The packet as this stream has it, with its number here; None: it is left out, or not to be had any more.

        ``extended`` is its number in the source. The first one must begin a frame.
        """
        descriptor = packet.vp8()
        if descriptor is None or descriptor.picture_id < 0 or descriptor.temporal_layer < 0:
            return None
        if self.is_idle:
            if not descriptor.starts_frame or self.source.codec is None:
                return None
            self.is_idle = False
            self._restart(extended, descriptor.picture_id)
            self.bind(self.source.ssrc or 0, self.source.codec, packet.sequence, now)
        if extended < self._first:
            return None
        modulus = 1 << 15 if descriptor.wide_picture_id else 1 << 7
        half = modulus >> 1
        picture = self._picture + (descriptor.picture_id - self._picture + half) % modulus - half
        self._picture = max(self._picture, picture)
        is_late = extended < self._highest
        if descriptor.temporal_layer > self.max_layer:
            self._pictures.add(picture)
            if not is_late:
                self._highest = extended
                self._packets.add(extended)
                return None
            # Its number was kept for it before its layer was known.
            copy = _padding(packet, packet.sequence - self._packets.below(extended))
        else:
            self._highest = max(self._highest, extended)
            copy = _renumbered(
                packet, packet.sequence - self._packets.below(extended), picture - self._pictures.below(picture)
            )
        number = self.receive(copy, now, False)
        return (copy, number) if number >= 0 else None

    def sample_while_taken(self, interval_s: float, now: float) -> None:
        """As ``sample_bitrate``, over whole intervals only; 0 while nobody takes it."""
        if self.feeds and self.bound_at <= now - interval_s:
            self.sample_bitrate(interval_s)
            return
        self._octets_before = self.octets
        if not self.feeds:
            self.bitrate_bps = 0

    def _restart(self, extended: int, picture: int) -> None:
        self._first = self._highest = extended
        self._picture = picture + (1 << 15)
        self._packets = Skipped()
        self._pictures = Skipped()


def find_layers(stream: Stream) -> None:
    """Look at the newest packet whether the stream has temporal layers more than known, to be left out one day."""
    newest, codec = stream.newest, stream.codec
    descriptor = newest.vp8() if newest is not None and codec is not None and codec.name == "vp8" else None
    if descriptor is not None and descriptor.picture_id >= 0 and descriptor.temporal_layer > len(stream.thins):
        known = len(stream.thins)
        stream.thins += tuple(ThinStream(stream, layer) for layer in range(known, descriptor.temporal_layer))


def can_continue(running: Stream, stream: Stream, packet: RtpView) -> bool:
    """Whether a viewer of ``running`` may go on with ``stream``, the same but for its temporal layers, at ``packet``.

    Down: where a frame begins. Up: with a frame of a layer not had yet that rests on the lowest alone (Y).
    """
    descriptor = packet.vp8()
    if running.whole is not stream.whole or descriptor is None or not descriptor.starts_frame:
        return False
    if stream.max_layer < running.max_layer:
        return descriptor.temporal_layer <= stream.max_layer and (running.whole is not running or _is_in_line(running))
    return descriptor.temporal_layer > running.max_layer and descriptor.layer_sync


def _is_in_line(stream: Stream) -> bool:
    newest, previous = stream.newest, stream.previous
    return newest is not None and previous is not None and newest.sequence == previous.sequence + 1 & 0xFFFF


def _renumbered(packet: RtpView, sequence: int, picture: int) -> RtpView:
    descriptor = packet.vp8()
    assert descriptor is not None
    data = bytearray(packet.data)
    data[2:4] = (sequence & 0xFFFF).to_bytes(2, "big")
    at = descriptor.picture_id_offset
    if descriptor.wide_picture_id:
        data[at : at + 2] = (0x8000 | picture & 0x7FFF).to_bytes(2, "big")
        picture &= 0x7FFF
    else:
        data[at] = picture = picture & 0x7F
    return _view(packet, bytes(data), sequence & 0xFFFF, packet.payload_end)


def _padding(packet: RtpView, sequence: int) -> RtpView:
    """An empty packet in the place of one that is left out: nothing but padding (RFC 3550 5.1)."""
    data = bytearray(packet.data[: packet.payload_offset])
    data[0] |= _PADDING
    data[1] &= 0x7F
    data[2:4] = (sequence & 0xFFFF).to_bytes(2, "big")
    return _view(packet, bytes(data) + b"\x01", sequence & 0xFFFF, packet.payload_offset)


def _view(packet: RtpView, data: bytes, sequence: int, payload_end: int) -> RtpView:
    return RtpView(
        data,
        packet.payload_type,
        bool(data[1] & 0x80),
        sequence,
        packet.timestamp,
        packet.ssrc,
        packet.payload_offset,
        payload_end,
        packet.extensions_offset,
        packet.one_byte,
    )

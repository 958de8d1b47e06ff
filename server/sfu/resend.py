"""Answering a viewer's NACK from the cache, within reason: nobody makes us send a multiple of the stream."""

from server.rtp.packet import RtpView, parse
from server.rtp.rtx import wrap_rtx
from server.sfu.rewrite import copy_now
from server.sfu.slot import Feed, Slot

MAX_NUMBERS = 512
"""Of one NACK message no more are looked at; a cache holds no more."""
MIN_INTERVAL_S = 0.010
"""The same packet again not before this, or half a round trip: the first answer is still on its way."""
BUDGET_BPS = 400_000
BUDGET_SHARE = 0.5
"""Retransmissions may take this much and half of what the slot is sent, in bursts of a second's worth."""
_MAX_REMEMBERED = 1_024


class Resender:
    """The retransmission budget of one slot (a token bucket) and what was sent again lately."""

    __slots__ = ("_last_at", "_octets_left", "_sent_at")

    def __init__(self, now: float) -> None:
        self._octets_left = BUDGET_BPS / 8
        self._last_at = now
        self._sent_at: dict[int, float] = {}

    def answer(
        self, slot: Slot, sequences: list[int], rtt_s: float, rate_bps: int, now: float
    ) -> tuple[list[bytes], int]:
        """The packets to send again for these outgoing sequence numbers, and how many were refused by the budget.

        As RTX where the viewer negotiated it for the codec (RFC 4588), else just as they went out before. What
        is no longer cached, was never sent, or belongs to a source closed since is passed over.
        """
        self._refill(rate_bps, now)
        packets: list[bytes] = []
        refused = max(0, len(sequences) - MAX_NUMBERS)
        for sequence in sequences[:MAX_NUMBERS]:
            if now - self._sent_at.get(sequence, 0.0) < max(MIN_INTERVAL_S, rtt_s / 2):
                continue
            packet = _packet_again(slot, sequence, now)
            if packet is None:
                continue
            if len(packet) > self._octets_left:
                refused += 1
                continue
            self._octets_left -= len(packet)
            self._remember(sequence, now)
            slot.resent_octets += len(packet)
            packets.append(packet)
        return packets, refused

    def _refill(self, rate_bps: int, now: float) -> None:
        budget = BUDGET_BPS / 8 + BUDGET_SHARE * rate_bps / 8
        self._octets_left = min(budget, self._octets_left + (now - self._last_at) * budget)
        self._last_at = now

    def _remember(self, sequence: int, now: float) -> None:
        self._sent_at.pop(sequence, None)
        self._sent_at[sequence] = now
        if len(self._sent_at) > _MAX_REMEMBERED:
            del self._sent_at[next(iter(self._sent_at))]


def as_rtx(feed: Feed, packet: RtpView, now: float) -> bytes:
    """An incoming packet as its feed's slot sends it a second time; plainly where there is no RTX."""
    again = copy_now(packet, feed.flow, now)
    slot, payload_type = feed.slot, feed.codec.rtx_payload_type
    if payload_type is None or not slot.spec.rtx_ssrc:
        return again
    view = parse(again)
    assert view is not None
    return wrap_rtx(view, payload_type, slot.take_rtx_sequence(), slot.spec.rtx_ssrc)


def _packet_again(slot: Slot, sequence: int, now: float) -> bytes | None:
    found = slot.find(sequence)
    if found is None:
        return None
    feed, number = found
    packet = feed.stream.cache.get(number, now)
    return as_rtx(feed, packet, now) if packet is not None else None

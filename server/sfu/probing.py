"""Padding for viewers that are to get more: the line is tried out before a picture depends on it."""

from collections.abc import Callable

from server.sfu.outputs import SendRtp
from server.sfu.peer import Peer
from server.sfu.resend import as_rtx
from server.sfu.slot import Feed
from server.sfu.switchboard import Switchboard

PROBE_INTERVAL_S = 0.020
MAX_BURST = 16
"""Packets at most in one interval."""


class Probing:
    """Works on the switchboard for Feeding. A probe sends the newest packets again as RTX (RFC 4588): what was lost on
    the way is mended by the way, everything else the receiver passes over.
    """

    def __init__(self, board: Switchboard, on_proven: Callable[[Peer, float], None]) -> None:
        """``on_proven`` is called when there is room for more."""
        self._board = board
        self._on_proven = on_proven

    def can_probe(self, viewer: Peer) -> bool:
        """Whether there is a stream with retransmission running to fill up."""
        return _probed(viewer) is not None

    def watch(self, viewer: Peer, now: float) -> None:
        """See to a probe that has begun."""
        if viewer.budget.is_probing and not viewer.is_padded:
            viewer.is_padded = True
            viewer.probe_octets = 0.0
            self._schedule(viewer, now)

    def _schedule(self, viewer: Peer, now: float) -> None:
        self._board.schedule.set(
            ("probe", viewer.key), now + PROBE_INTERVAL_S, lambda later: self._fill(viewer, later - now, later)
        )

    def _fill(self, viewer: Peer, elapsed_s: float, now: float) -> None:
        budget = viewer.budget
        feed = _probed(viewer)
        if budget.is_probing and feed is not None:
            media_bps = viewer.media_bps()
            viewer.padding_bps = budget.probe_bps(media_bps, now) - media_bps
            viewer.probe_octets += viewer.padding_bps * elapsed_s / 8
            self._send(viewer, feed, now)
            is_proven = budget.prove(viewer.sending_bps(), now)
            if not is_proven:
                self._schedule(viewer, now)
                return
        else:
            budget.stop_probe()
            is_proven = False
        viewer.is_padded = False
        viewer.padding_bps = 0
        if is_proven:
            self._on_proven(viewer, now)

    def _send(self, viewer: Peer, feed: Feed, now: float) -> None:
        reception = feed.stream.reception
        assert reception is not None
        for number in range(reception.highest, max(feed.first, reception.highest - MAX_BURST) - 1, -1):
            packet = feed.stream.cache.get(number, now)
            if packet is not None and viewer.probe_octets > 0:
                again = as_rtx(feed, packet, now)
                viewer.probe_octets -= len(again)
                feed.slot.resent_octets += len(again)
                self._board.outputs.append(SendRtp(viewer.key, again))


def _probed(viewer: Peer) -> Feed | None:
    """The most important picture that runs and has RTX."""
    for slot in viewer.video_slots:
        feed = slot.feed
        if feed is not None and slot.spec.rtx_ssrc and feed.codec.rtx_payload_type is not None:
            return feed
    return None

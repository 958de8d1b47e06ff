"""What a publisher may send, from when its packets arrive: REMB out."""

from math import inf

from server.rtp.extensions import ABS_SEND_TIME_LENGTH, STAMPS_A_SECOND
from server.rtp.packet import RtpView
from server.sfu.congestion import GROUP_S, ArrivalRate, DelayTrend, RateControl, Usage

_STAMPS_A_BURST = int(GROUP_S * STAMPS_A_SECOND)
UPDATE_S = 0.1
"""How often the estimate grows; it falls at once."""
MIN_BITRATE_BPS = 50_000
"""Nobody is asked to send less: sound must go on."""
PROMPT_DECREASE = 0.97
MIN_REMB_INTERVAL_S = 0.2


class PublisherEstimate:
    """The receive-side estimate for one publisher's video, from abs-send-time and arrival (see congestion.py).

    ``bitrate_bps`` is what to put into the next REMB. It begins at ``start_bps``: a browser takes the first REMB as
    where to start.
    """

    __slots__ = (
        "_burst_octets",
        "_burst_until",
        "_control",
        "_max_bps",
        "_rate",
        "_sent_s",
        "_stamp",
        "_trend",
        "_update_at",
        "bitrate_bps",
        "sent_at",
        "sent_bps",
    )

    def __init__(self, start_bps: int, max_bps: int, now: float) -> None:
        self._trend = DelayTrend()
        self._rate = ArrivalRate()
        self._control = RateControl(min(start_bps, max_bps), now)
        self._max_bps = max_bps
        self._burst_octets = 0
        self._burst_until = 0.0
        self._stamp = -1
        self._sent_s = 0.0
        self._update_at = 0.0
        self.bitrate_bps = min(start_bps, max_bps)
        self.sent_bps = 0
        self.sent_at = -inf

    def arrived(self, packet: RtpView, extension_id: int, now: float) -> bool:
        """Count a packet in. True: the estimate fell so far that the publisher should hear of it at once.

        ``extension_id``: where the packet carries abs-send-time. Looked at is the first packet of each burst.
        """
        self._burst_octets += len(packet.data)
        if now < self._burst_until:
            return False
        value = packet.extension(extension_id)
        if value is None or len(value) != ABS_SEND_TIME_LENGTH:
            return False
        stamp = value[0] << 16 | value[1] << 8 | value[2]
        apart = stamp - self._stamp & 0xFFFFFF
        if apart < _STAMPS_A_BURST or apart >= 0x800000:
            if self._stamp >= 0:
                return False
            apart = 0
        self._stamp = stamp
        self._sent_s += apart / STAMPS_A_SECOND
        self._burst_until = now + GROUP_S
        self._rate.add(self._burst_octets, now)
        self._burst_octets = 0
        self._trend.sample(self._sent_s, now)
        usage = self._trend.usage
        if now < self._update_at and usage is not Usage.OVERUSED:
            return False
        self._update_at = now + UPDATE_S
        self._control.update(usage, self._rate.bps(now), now)
        self._control.limit(self._max_bps, now)
        self.bitrate_bps = max(MIN_BITRATE_BPS, int(self._control.bitrate_bps))
        return self.bitrate_bps < PROMPT_DECREASE * self.sent_bps

    def next_send_at(self, now: float) -> float:
        """When a prompt REMB may go, so that a bad line is not flooded with reports."""
        return max(now, self.sent_at + MIN_REMB_INTERVAL_S)

    def take(self, now: float) -> int:
        """The bitrate to announce now."""
        self.sent_bps = self.bitrate_bps
        self.sent_at = now
        return self.sent_bps

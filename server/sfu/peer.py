"""One peer as the router sees it: what it sends, what it is sent, and how its line does."""

from collections import deque
from collections.abc import Sequence

from server.sfu.arrivals import ArrivalLog
from server.sfu.bandwidth import PublisherEstimate
from server.sfu.budget import ViewerBudget
from server.sfu.delivery import DeliveryEstimate
from server.sfu.link import LinkMeter, Totals
from server.sfu.nack import DEFAULT_RTT_S
from server.sfu.outputs import Shortage
from server.sfu.ports import Kind, PeerKey, SlotSpec, UplinkSpec
from server.sfu.reports import SenderOffset
from server.sfu.resend import Resender
from server.sfu.sent_log import SentLog
from server.sfu.slot import Slot
from server.sfu.uplink import Stream, Uplink

MAX_RETIRED = 64
MIN_JUDGED = 20
"""Packets; the loss of fewer is chance."""


class Peer:
    """Everything about one peer. ``by_ssrc``/``by_rtx_ssrc`` hold what is bound now; both are bounded by the layers."""

    def __init__(
        self,
        key: PeerKey,
        destination: int,
        uplinks: Sequence[UplinkSpec],
        slots: Sequence[SlotSpec],
        first_stream: int,
        now: float,
    ) -> None:
        self.key = key
        self.uplinks: dict[str, Uplink] = {}
        for spec in uplinks:
            self.uplinks[spec.mid] = Uplink(key, spec, first_stream)
            first_stream += max(1, len(spec.rids))
        numbered = any(spec.numbered_by for spec in slots if spec.kind is Kind.VIDEO)
        self.sent_log = SentLog() if numbered else None
        self.slots = {spec.mid: Slot(key, destination, spec, self.sent_log) for spec in slots}
        self.by_ssrc: dict[int, Stream] = {}
        self.by_rtx_ssrc: dict[int, Stream] = {}
        self.retired: deque[int] = deque(maxlen=MAX_RETIRED)
        """SSRCs replaced by another; they never come back."""
        self.slot_by_ssrc = {slot.spec.ssrc: slot for slot in self.slots.values()}
        self.resenders = {slot.spec.ssrc: Resender(now) for slot in self.slots.values()}
        self.local_ssrc = slots[0].ssrc if slots else 1
        self.offset = SenderOffset()
        self.estimate: PublisherEstimate | None = None
        self.arrivals = ArrivalLog(now)
        self.budget = ViewerBudget()
        self.delivery = DeliveryEstimate(now)
        self.padding_bps = 0
        """What a probe fills up with now."""
        self.probe_octets = 0.0
        self.is_padded = False
        self.shortage = Shortage.NONE
        self.meter = LinkMeter(now)
        self.rtt_s: float | None = None
        self.sampled_at = now
        self.fir_number = 0
        self._down_prior: dict[int, tuple[int, int]] = {}
        self._down_expected = 0
        self._down_lost = 0
        self._judged = (0, 0)

    @property
    def streams(self) -> list[Stream]:
        return [stream for uplink in self.uplinks.values() for stream in uplink.streams]

    @property
    def video_slots(self) -> list[Slot]:
        """In the order of their index: the first is the most important."""
        video = [slot for slot in self.slots.values() if not slot.is_audio]
        return sorted(video, key=lambda slot: slot.spec.index)

    @property
    def takes_remb(self) -> bool:
        return any(codec.remb for uplink in self.uplinks.values() for codec in uplink.spec.codecs)

    def likely_rtt(self) -> float:
        return self.rtt_s if self.rtt_s is not None else DEFAULT_RTT_S

    def on_rtt(self, rtt_s: float) -> None:
        self.rtt_s = rtt_s if self.rtt_s is None else 0.75 * self.rtt_s + 0.25 * rtt_s

    def on_down_report(self, ssrc: int, extended_highest: int, lost: int) -> None:
        """Add a viewer's report block about a slot to the loss of its line. Counts that run backwards start anew."""
        before_highest, before_lost = self._down_prior.get(ssrc, (extended_highest, lost))
        self._down_prior[ssrc] = (extended_highest, lost)
        if extended_highest > before_highest:
            self._down_expected += extended_highest - before_highest
            self._down_lost += max(0, lost - before_lost)

    def totals(self, now: float) -> Totals:
        receptions = [stream.reception for stream in self.streams if stream.reception is not None]
        return Totals(
            now,
            sum(stream.octets for stream in self.streams),
            sum(slot.octets + slot.resent_octets for slot in self.slots.values()),
            sum(reception.expected for reception in receptions),
            sum(reception.lost for reception in receptions),
            self._down_expected,
            self._down_lost,
        )

    def take_down_loss(self) -> float | None:
        """The share of packets that did not reach it since last asked; None while that says nothing yet."""
        expected, lost = self._down_expected - self._judged[0], self._down_lost - self._judged[1]
        if expected < MIN_JUDGED:
            return None
        self._judged = (self._down_expected, self._down_lost)
        return min(1.0, lost / expected)

    def sending_bps(self) -> int:
        """What it is sent now, padding included."""
        return self.media_bps() + self.padding_bps

    def media_bps(self) -> int:
        """What its slots are sent now, as the sources were last measured."""
        return sum(slot.feed.stream.bitrate_bps for slot in self.slots.values() if slot.feed is not None)

    def video_bps(self) -> int:
        """What its pictures take."""
        return sum(slot.feed.stream.bitrate_bps for slot in self.video_slots if slot.feed is not None)

    def audio_bps(self, reserve_bps: int) -> int:
        """What the sound it is sent takes, at least ``reserve_bps`` a slot that carries some."""
        feeds = [slot.feed for slot in self.slots.values() if slot.is_audio and slot.feed is not None]
        return sum(max(reserve_bps, feed.stream.bitrate_bps) for feed in feeds)

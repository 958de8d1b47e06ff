"""An incoming track: its gate, its layers, and for each layer what came in and who takes it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from server.rtp.packet import RtpView
from server.sfu.cache import AUDIO_PACKETS, VIDEO_PACKETS, PacketCache
from server.sfu.codecs import KeyframeTest, keyframe_test, size_reader
from server.sfu.keyframes import KeyframeRequests
from server.sfu.ports import Codec, Kind, PeerKey, UplinkSpec
from server.sfu.reception import Reception
from server.sfu.reports import CaptureClock

if TYPE_CHECKING:
    from server.sfu.outputs import TrackId
    from server.sfu.slot import Feed, Slot
    from server.sfu.thinning import ThinStream

SILENT_AFTER_S = 5.0
"""Without a packet for this long a video stream is taken as switched off. A still screen sends about one a second."""
RESUME_S = 5.0
"""So long after its sender was told to switch a layer on again it is counted on."""
ALL_LAYERS = 3
"""Temporal layers count from 0 to 3 (RFC 7741 4.2)."""
_WORST_TO_BEST = "qhf"
"""Layers by name where they have the usual names; a client may offer them the other way round."""


class Uplink:
    """One sending m-section of a peer. Its gate starts closed, and nothing but the router's caller opens it."""

    __slots__ = ("gate_open", "hopes", "listeners", "peer", "spec", "streams", "told_rids")

    def __init__(self, peer: PeerKey, spec: UplinkSpec, first_key: int) -> None:
        self.peer = peer
        self.spec = spec
        self.gate_open = False
        rids = sorted(spec.rids, key=_WORST_TO_BEST.find) if set(spec.rids) <= set(_WORST_TO_BEST) else spec.rids
        self.streams = [Stream(first_key + index, self, rid) for index, rid in enumerate(rids or ("",))]
        self.listeners: list[Slot] = []
        self.hopes = 0
        """How many slots would show it if something came."""
        self.told_rids = self.rids
        """The layers that the sender was last told to send; at first all."""

    @property
    def rids(self) -> tuple[str, ...]:
        """Worst first; ("",) without simulcast."""
        return tuple(stream.rid for stream in self.streams)

    @property
    def track(self) -> TrackId:
        return (self.peer, self.spec.mid)

    def codec_of(self, payload_type: int) -> Codec | None:
        """The declared codec with this payload type."""
        return next((codec for codec in self.spec.codecs if codec.payload_type == payload_type), None)

    def codec_of_rtx(self, payload_type: int) -> Codec | None:
        """The declared codec whose retransmissions have this payload type."""
        return next((codec for codec in self.spec.codecs if codec.rtx_payload_type == payload_type), None)

    def live_streams(self) -> list[Stream]:
        """Worst first."""
        return [stream for stream in self.streams if stream.live]

    def offered_streams(self, now: float) -> list[Stream]:
        """The live ones, those that their sender was told to switch off, and those that will be on in a moment."""
        return [
            stream for stream in self.streams if stream.live or stream.is_paused or now - stream.resumed_at < RESUME_S
        ]

    def watched_rids(self) -> tuple[str, ...]:
        """The layers that a slot has, waits for or is to have; and those never seen, of which nothing is known.

        All, where somebody would watch and nothing comes: what the sender was told is not to be the reason.
        """
        if self.hopes:
            return self.rids
        return tuple(stream.rid for stream in self.streams if stream.is_watched or stream.ssrc is None)


class Stream:
    """One layer of an uplink: at most one media SSRC and one RTX SSRC at a time. ``key`` is its place in the FlowTable.

    Not bound: ``ssrc`` None. ``live``: packets are coming. ``feeds`` are the slots' stretches that run now, ``waiters``
    the slots that start with the next key frame (audio: packet).
    """

    __slots__ = (
        "_octets_before",
        "bitrate_bps",
        "bound_at",
        "cache",
        "clock",
        "codec",
        "detect_keyframe",
        "epoch",
        "feeds",
        "first_heard",
        "height",
        "is_paused",
        "key",
        "keyframes",
        "level_count",
        "level_id",
        "level_sum",
        "live",
        "max_layer",
        "measured_by",
        "nack_due_at",
        "newest",
        "newest_at",
        "newest_start",
        "numbered_by",
        "octets",
        "payload_type",
        "planned_for",
        "previous",
        "reception",
        "resumed_at",
        "rid",
        "rtx_ssrc",
        "ssrc",
        "thins",
        "uplink",
        "usual_bps",
        "waiters",
        "width",
    )

    def __init__(self, key: int, uplink: Uplink, rid: str) -> None:
        self.key = key
        self.max_layer = ALL_LAYERS
        """The highest temporal layer it has; ALL_LAYERS but for thinned ones."""
        self.thins: tuple[ThinStream, ...] = ()
        """This stream without its upper temporal layers, the thinnest first; none until it is seen to have some."""
        self.uplink = uplink
        self.rid = rid
        self.ssrc: int | None = None
        self.rtx_ssrc: int | None = None
        self.bound_at = -inf
        self.codec: Codec | None = None
        self.payload_type = -1
        self.detect_keyframe: KeyframeTest | None = None
        self.reception: Reception | None = None
        is_audio = uplink.spec.kind is Kind.AUDIO
        self.cache = PacketCache(AUDIO_PACKETS if is_audio else VIDEO_PACKETS)
        self.keyframes = KeyframeRequests()
        self.clock: CaptureClock | None = None
        self.level_id = (uplink.spec.extensions.audio_level or 0) if is_audio else 0
        self.numbered_by = 0 if is_audio else uplink.spec.numbered_by
        """The extension id of the numbers whose arrival is reported, where the sender works out itself what fits."""
        self.measured_by = 0 if is_audio or self.numbered_by else uplink.spec.extensions.abs_send_time or 0
        """The abs-send-time extension id where its arrival times count for REMB: video only, sound is never asked to
        shrink."""
        self.level_sum = 0
        self.level_count = 0
        self.live = False
        self.newest: RtpView | None = None
        self.previous: RtpView | None = None
        """The one before, as it came."""
        self.newest_at = -inf
        self.octets = 0
        self._octets_before = 0
        self.bitrate_bps = 0
        self.width = 0
        self.height = 0
        self.epoch = 0
        """Grows when what was numbered before may not be asked for again: a new SSRC, a closed gate."""
        self.feeds: list[Feed] = []
        self.first_heard = 0
        """The first number sent since the gate opened; what is older stays unheard however late it comes."""
        self.newest_start = 0
        """The first number of the youngest feed; only a packet before it has to be looked at feed by feed."""
        self.waiters: list[Slot] = []
        self.planned_for = 0
        """How many slots the allocation gave it to."""
        self.is_paused = False
        """Its sender was told to switch it off while it was on, so it can be had again."""
        self.resumed_at = -inf
        """When its sender was told to switch it on again."""
        self.usual_bps = 0
        """Its bitrate when it was last on."""
        self.nack_due_at = inf

    @property
    def whole(self) -> Stream:
        """The stream with all its temporal layers."""
        return self

    @property
    def is_taken(self) -> bool:
        """A slot has it, waits for it, or is to have it."""
        return bool(self.planned_for or self.feeds or self.waiters)

    @property
    def is_watched(self) -> bool:
        """So it is, or a thinned one of it."""
        return self.is_taken or any(thin.is_taken for thin in self.thins)

    def bind(self, ssrc: int, codec: Codec, sequence: int, now: float) -> None:
        """Start over with a media SSRC. The caller has ended every feed."""
        self.ssrc = ssrc
        self.rtx_ssrc = None
        self.bound_at = now
        self.clock = None
        self.set_codec(codec)
        self.restart(sequence)

    def restart(self, sequence: int) -> None:
        """Start counting anew: the sender did. The caller has ended every feed."""
        assert self.codec is not None
        self.reception = Reception(sequence, self.codec.clock_rate)
        self.newest = self.previous = None
        self.first_heard = 0
        self.newest_start = 0
        self.nack_due_at = inf
        self.forget_packets()
        self.refresh_asking()

    def set_codec(self, codec: Codec) -> None:
        self.codec = codec
        self.payload_type = codec.payload_type
        self.detect_keyframe = keyframe_test(codec)
        self.width = self.height = 0

    def receive(self, packet: RtpView, now: float, recovered: bool) -> int:
        """Count a packet. Returns its extended number or a negative reason (see Reception.accept)."""
        reception = self.reception
        assert reception is not None
        extended = reception.accept(packet.sequence, packet.timestamp, now, recovered)
        if extended == reception.highest:
            self.previous = self.newest
            self.newest = packet
            self.newest_at = now
            self.octets += len(packet.data)
        elif extended >= 0:
            self.octets += len(packet.data)
        return extended

    def forget_packets(self) -> None:
        """Nothing that came so far may be sent to anybody later."""
        self.cache.clear()
        self.epoch += 1
        for thin in self.thins:
            thin.is_idle = True
            thin.forget_packets()

    def close(self) -> None:
        """The gate closed: nothing is kept, nothing is asked for."""
        self.forget_packets()
        self.keyframes.drop()
        if self.reception is not None:
            self.reception.gaps.stop_asking()

    def hear_from_now(self) -> None:
        """The gate opens: nothing that was sent before counts."""
        if self.reception is not None:
            self.first_heard = self.reception.highest + 1

    def refresh_asking(self) -> None:
        """Ask for lost packets only while somebody takes the stream, and only where NACK was negotiated."""
        if self.reception is not None:
            assert self.codec is not None
            taken = self.feeds or self.waiters or any(thin.feeds or thin.waiters for thin in self.thins)
            self.reception.gaps.asking = self.codec.nack and bool(taken)

    def note_size(self, packet: RtpView) -> None:
        """Remember the picture size a key frame carries."""
        read_size = size_reader(self.codec) if self.codec is not None else None
        if read_size is not None:
            size = read_size(packet.data, packet.payload_offset, packet.payload_end)
            if size is not None:
                self.width, self.height = size

    def sample_bitrate(self, interval_s: float) -> None:
        """Smooth the bitrate over about two intervals; at once where it was unknown."""
        octets = self.octets - self._octets_before
        self._octets_before = self.octets
        sample_bps = int(8 * octets / interval_s)
        self.bitrate_bps = (self.bitrate_bps + sample_bps) // 2 if self.bitrate_bps else sample_bps
        if self.live and self.bitrate_bps:
            self.usual_bps = self.bitrate_bps

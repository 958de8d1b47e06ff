"""Which stream a packet belongs to, when its SSRC or payload type is not the one seen last.

An SSRC is taken in because it was declared, or by the MID and RID the packet bears, or by its payload type where
only one uplink can have it and no MID was negotiated (RFC 9143 9.2, RFC 8852). Once bound it stays; a
replaced one never comes back. Everything else is dropped, and the reason counted.
"""

from enum import Enum

import msgspec

from server.rtp.packet import RtpView, parse
from server.rtp.rtx import unwrap_rtx
from server.sfu.peer import Peer
from server.sfu.ports import Codec
from server.sfu.uplink import Stream, Uplink

REBIND_INTERVAL_S = 1.0
"""An encoder restarts with a new SSRC not more often than this; alternating SSRCs are not a restart."""


class Change(Enum):
    """What the packet means for its stream: NONE (RTX), CODEC (another payload type), SSRC (newly bound or another)."""

    NONE = "none"
    CODEC = "codec"
    SSRC = "ssrc"


class Bound(msgspec.Struct, frozen=True):
    """``packet`` belongs to ``stream``. ``recovered``: it came as RTX and is unwrapped."""

    stream: Stream
    packet: RtpView
    change: Change
    codec: Codec
    recovered: bool = False


UNDECLARED_SSRC = "undeclared_ssrc"
UNDECLARED_PAYLOAD_TYPE = "undeclared_payload_type"
UNDECLARED_MID = "undeclared_mid"
UNDECLARED_RID = "undeclared_rid"
SSRC_CONFLICT = "ssrc_conflict"
RETIRED_SSRC = "retired_ssrc"
RTX_PADDING = "rtx_padding"
"""Not a fault: browsers probe bandwidth with empty retransmissions."""


def resolve(peer: Peer, packet: RtpView, now: float) -> Bound | str:
    """The stream of a packet, or the reason to drop it. Binds RTX SSRCs; binding a media SSRC is left to the caller,
    who first ends what the stream fed.
    """
    stream = peer.by_ssrc.get(packet.ssrc)
    if stream is not None:
        codec = stream.uplink.codec_of(packet.payload_type)
        return Bound(stream, packet, Change.CODEC, codec) if codec is not None else UNDECLARED_PAYLOAD_TYPE
    stream = peer.by_rtx_ssrc.get(packet.ssrc)
    if stream is not None:
        return _unwrap(stream, packet)
    if packet.ssrc in peer.retired:
        return RETIRED_SSRC
    return _take_in(peer, packet, now)


def _take_in(peer: Peer, packet: RtpView, now: float) -> Bound | str:
    uplink = _uplink_of(peer, packet)
    if isinstance(uplink, str):
        return uplink
    if uplink.codec_of_rtx(packet.payload_type) is not None:
        return _take_in_rtx(peer, uplink, packet)
    codec = uplink.codec_of(packet.payload_type)
    if codec is None:
        return UNDECLARED_PAYLOAD_TYPE
    stream = _layer_of(uplink, packet, uplink.spec.extensions.rid)
    if isinstance(stream, str):
        return stream
    if stream.ssrc is not None and now - stream.bound_at < REBIND_INTERVAL_S:
        return SSRC_CONFLICT
    return Bound(stream, packet, Change.SSRC, codec)


def _uplink_of(peer: Peer, packet: RtpView) -> Uplink | str:
    declared = next((uplink for uplink in peer.uplinks.values() if _declares(uplink, packet.ssrc)), None)
    mid_ids = {uplink.spec.extensions.mid for uplink in peer.uplinks.values()} - {None}
    stated = next((mid for mid in map(packet.extension, filter(None, mid_ids)) if mid is not None), None)
    if stated is not None:
        named = peer.uplinks.get(stated.decode("utf-8", "replace"))
        return named if named is not None and declared in (None, named) else UNDECLARED_MID
    if declared is not None:
        return declared
    able = [uplink for uplink in peer.uplinks.values() if _carries(uplink, packet.payload_type)]
    if not able:
        return UNDECLARED_PAYLOAD_TYPE
    only = able[0]
    if len(able) > 1 or only.spec.extensions.mid is not None or only.spec.ssrcs:
        return UNDECLARED_SSRC
    return only


def _declares(uplink: Uplink, ssrc: int) -> bool:
    return ssrc in uplink.spec.ssrcs or ssrc in uplink.spec.rtx_of


def _carries(uplink: Uplink, payload_type: int) -> bool:
    return uplink.codec_of(payload_type) is not None or uplink.codec_of_rtx(payload_type) is not None


def _layer_of(uplink: Uplink, packet: RtpView, rid_id: int | None) -> Stream | str:
    if not uplink.spec.rids:
        return uplink.streams[0]
    rid = packet.extension(rid_id) if rid_id is not None else None
    if rid is not None:
        named = next((stream for stream in uplink.streams if stream.rid.encode() == rid), None)
        return named if named is not None else UNDECLARED_RID
    media = [ssrc for ssrc in uplink.spec.ssrcs if ssrc not in uplink.spec.rtx_of]
    if packet.ssrc not in media or len(media) != len(uplink.streams):
        return UNDECLARED_SSRC
    rid_by_order = uplink.spec.rids[media.index(packet.ssrc)]
    return next(stream for stream in uplink.streams if stream.rid == rid_by_order)


def _take_in_rtx(peer: Peer, uplink: Uplink, packet: RtpView) -> Bound | str:
    media_ssrc = uplink.spec.rtx_of.get(packet.ssrc)
    stream: Stream | str | None
    if media_ssrc is not None:
        stream = peer.by_ssrc.get(media_ssrc)
    else:
        stream = _layer_of(uplink, packet, uplink.spec.extensions.repaired_rid)
    if isinstance(stream, str):
        return stream
    if stream is None or stream.ssrc is None or stream.uplink is not uplink:
        return UNDECLARED_SSRC
    if stream.rtx_ssrc is not None:
        return SSRC_CONFLICT
    stream.rtx_ssrc = packet.ssrc
    peer.by_rtx_ssrc[packet.ssrc] = stream
    return _unwrap(stream, packet)


def _unwrap(stream: Stream, packet: RtpView) -> Bound | str:
    codec = stream.uplink.codec_of_rtx(packet.payload_type)
    if codec is None or codec is not stream.codec:
        return UNDECLARED_PAYLOAD_TYPE
    assert stream.ssrc is not None
    data = unwrap_rtx(packet, codec.payload_type, stream.ssrc)
    if data is None:
        return RTX_PADDING
    original = parse(data)
    assert original is not None
    return Bound(stream, original, Change.NONE, codec, recovered=True)

"""How an outgoing packet is made from an incoming one: THE reference, held against any faster fan-out to the byte.

Order of the header extension elements: MID, audio level, abs-send-time, transport-wide number. CSRCs are not carried
over; padding is.
"""

from struct import Struct

from server.rtp.extensions import abs_send_time
from server.rtp.packet import RtpView
from server.sfu.flows import Flow

_HEADER = Struct("!BBHLL")


def rewrite(view: RtpView, flow: Flow, abs_send_time_24bit: int, transport_number: int = 0) -> bytes:
    """One complete RTP packet for ``flow`` (not yet protected). Changes neither argument.

    ``abs_send_time_24bit`` is ``rtp.extensions.abs_send_time(now)``, used where the flow has an id for it;
    ``transport_number`` likewise (``Flow.sent_log`` gives them out).
    Source: RFC 3550 5.1, RFC 8285 4.2, RFC 7741 4.2.
    """
    extensions = _extension_block(view, flow, abs_send_time_24bit, transport_number)
    header = _HEADER.pack(
        0x80 | view.data[0] & 0x20 | (0x10 if extensions else 0),
        (0x80 if view.marker else 0) | flow.payload_type,
        view.sequence + flow.seq_delta & 0xFFFF,
        view.timestamp + flow.timestamp_delta & 0xFFFFFFFF,
        flow.ssrc,
    )
    if flow.vp8:
        return header + extensions + _vp8_payload(view, flow)
    return header + extensions + view.data[view.payload_offset :]


def copy_now(view: RtpView, flow: Flow, now: float) -> bytes:
    """``rewrite`` for what goes out beside the fan-out (again, late, or as padding): stamped and numbered alike."""
    number = flow.sent_log.take(len(view.data), now) if flow.sent_log is not None else 0
    return rewrite(view, flow, abs_send_time(now), number)


def _extension_block(view: RtpView, flow: Flow, abs_send_time_24bit: int, transport_number: int) -> bytes:
    elements = b""
    if flow.mid_id:
        elements = bytes((flow.mid_id << 4 | len(flow.mid) - 1,)) + flow.mid
    if flow.level_id:
        level = view.extension(flow.level_from_id)
        if level:
            elements += bytes((flow.level_id << 4, level[0]))
    if flow.abs_send_time_id:
        elements += (flow.abs_send_time_id << 28 | 2 << 24 | abs_send_time_24bit).to_bytes(4, "big")
    if flow.transport_cc_id:
        elements += (flow.transport_cc_id << 20 | 1 << 16 | transport_number).to_bytes(3, "big")
    if not elements:
        return b""
    words = len(elements) + 3 >> 2
    return b"\xbe\xde" + words.to_bytes(2, "big") + elements.ljust(4 * words, b"\0")


def _vp8_payload(view: RtpView, flow: Flow) -> bytes:
    start = view.payload_offset
    descriptor = view.vp8()
    if descriptor is None:
        return view.data[start:]
    payload = bytearray(memoryview(view.data)[start:])
    if descriptor.wide_picture_id:
        position = descriptor.picture_id_offset - start
        picture_id = descriptor.picture_id + flow.pid_delta & 0x7FFF
        payload[position] = 0x80 | picture_id >> 8
        payload[position + 1] = picture_id & 0xFF
    elif descriptor.picture_id_offset >= 0:
        payload[descriptor.picture_id_offset - start] = descriptor.picture_id + flow.pid_delta & 0x7F
    if descriptor.tl0_offset >= 0:
        payload[descriptor.tl0_offset - start] = descriptor.tl0_picture_index + flow.tl0_delta & 0xFF
    return bytes(payload)

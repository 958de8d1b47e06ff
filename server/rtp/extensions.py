"""RTP header extension elements, RFC 8285: looked up where they lie, written in the one-byte form."""

ABS_SEND_TIME_LENGTH = 3
STAMPS_A_SECOND = 262_144
"""abs-send-time is 6.18 fixed point."""
MAX_ONE_BYTE_ID = 14
MAX_ONE_BYTE_LENGTH = 16


def find_extension(data: bytes, start: int, end: int, one_byte: bool, extension_id: int) -> bytes | None:
    """The value of element ``extension_id`` between ``start`` and ``end``; None where absent or cut short.

    Padding octets are skipped; id 15 ends a one-byte block (RFC 8285 4.2). An element that runs over the end makes
    everything from there on absent, which harms only the sender of it.
    """
    position = start
    while position < end:
        head = data[position]
        if head == 0:
            position += 1
            continue
        if one_byte:
            element_id = head >> 4
            if element_id == 15:
                return None
            value = position + 1
            position = value + (head & 0x0F) + 1
        else:
            if position + 2 > end:
                return None
            element_id = head
            value = position + 2
            position = value + data[position + 1]
        if position > end:
            return None
        if element_id == extension_id:
            return data[value:position]
    return None


def one_byte_element(extension_id: int, value: bytes) -> bytes:
    """One element of the one-byte form: id 1..14, value of 1..16 octets (RFC 8285 4.2). ValueError otherwise."""
    if not 1 <= extension_id <= MAX_ONE_BYTE_ID or not 1 <= len(value) <= MAX_ONE_BYTE_LENGTH:
        raise ValueError(f"not a one-byte header extension: id {extension_id}, {len(value)} octets")
    return bytes((extension_id << 4 | len(value) - 1,)) + value


def abs_send_time(now: float) -> int:
    """``now`` (seconds) as the 24-bit 6.18 fixed point of the abs-send-time extension; wraps every 64 s.

    Source: http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time.
    """
    return int(now * STAMPS_A_SECOND) & 0xFFFFFF

"""VP8 in RTP, RFC 7741: the payload descriptor, frame starts, key frames and their size (RFC 6386 9.1)."""

import msgspec

PICTURE_ID_MODULUS = 1 << 15
SHORT_PICTURE_ID_MODULUS = 1 << 7


class Vp8Descriptor(msgspec.Struct, frozen=True, gc=False):
    """A payload descriptor. Offsets count from the packet's first octet; -1 stands for a field that is not there.

    ``picture_id`` has 15 bits where ``wide_picture_id``, else 7. ``starts_frame``: S set and partition 0.
    """

    frame_offset: int
    picture_id_offset: int
    wide_picture_id: bool
    tl0_offset: int
    temporal_layer: int
    starts_frame: bool
    picture_id: int
    tl0_picture_index: int


def parse_descriptor(data: bytes, start: int, end: int) -> Vp8Descriptor | None:
    """The descriptor of the payload ``data[start:end]``; None where it runs over the end (RFC 7741 4.2)."""
    if start >= end:
        return None
    first = data[start]
    starts_frame = first & 0x17 == 0x10
    position = start + 1
    if not first & 0x80:
        return Vp8Descriptor(position, -1, False, -1, -1, starts_frame, -1, -1)
    if position >= end:
        return None
    present = data[position]
    position += 1
    picture_id_offset = tl0_offset = temporal_layer = picture_id = tl0 = -1
    wide = False
    if present & 0x80:
        if position >= end:
            return None
        picture_id_offset = position
        picture_id = data[position]
        position += 1
        if picture_id & 0x80:
            if position >= end:
                return None
            wide = True
            picture_id = (picture_id & 0x7F) << 8 | data[position]
            position += 1
    if present & 0x40:
        if position >= end:
            return None
        tl0_offset = position
        tl0 = data[position]
        position += 1
    if present & 0x30:
        if position >= end:
            return None
        if present & 0x20:
            temporal_layer = data[position] >> 6
        position += 1
    return Vp8Descriptor(position, picture_id_offset, wide, tl0_offset, temporal_layer, starts_frame, picture_id, tl0)

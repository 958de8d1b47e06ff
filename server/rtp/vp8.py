"""VP8 in RTP, RFC 7741: the payload descriptor, frame starts, key frames and their size (RFC 6386 9.1)."""

import msgspec

PICTURE_ID_MODULUS = 1 << 15


class Vp8Descriptor(msgspec.Struct, frozen=True, gc=False):
    """A payload descriptor. Offsets count from the packet's first octet; -1 stands for a field that is not there.

    ``picture_id`` has 15 bits where ``wide_picture_id``, else 7. ``starts_frame``: S set and partition 0.
    ``layer_sync``: of an upper temporal layer that rests on the lowest alone (Y).
    """

    frame_offset: int
    picture_id_offset: int
    wide_picture_id: bool
    tl0_offset: int
    temporal_layer: int
    starts_frame: bool
    picture_id: int
    tl0_picture_index: int
    layer_sync: bool = False


def parse_descriptor(data: bytes, start: int, end: int) -> Vp8Descriptor | None:
    """The descriptor of the payload ``data[start:end]``; None where it runs over the end (RFC 7741 4.2)."""
    position = start
    picture_id_offset = tl0_offset = temporal_layer = picture_id = tl0 = -1
    wide = sync = False
    try:
        first = data[position]
        position += 1
        if first & 0x80:
            present = data[position]
            position += 1
            if present & 0x80:
                picture_id_offset = position
                picture_id = data[position]
                position += 1
                if picture_id & 0x80:
                    wide = True
                    picture_id = (picture_id & 0x7F) << 8 | data[position]
                    position += 1
            if present & 0x40:
                tl0_offset = position
                tl0 = data[position]
                position += 1
            if present & 0x30:
                temporal_layer = data[position] >> 6 if present & 0x20 else -1
                sync = data[position] & 0x20 != 0
                position += 1
    except IndexError:
        return None
    if position > end:
        return None
    starts_frame = first & 0x17 == 0x10
    return Vp8Descriptor(
        position, picture_id_offset, wide, tl0_offset, temporal_layer, starts_frame, picture_id, tl0, sync
    )


def is_keyframe_start(data: bytes, start: int, end: int) -> bool:
    """Whether the payload ``data[start:end]`` begins a key frame (P bit of the frame tag clear, RFC 6386 9.1)."""
    if start >= end or data[start] & 0x17 != 0x10:
        return False
    position = start + 1
    # The descriptor's length alone: this is looked at for every frame that comes in.
    if data[start] & 0x80:
        if position >= end:
            return False
        present = data[position]
        position += 1
        if present & 0x80:
            position += 2 if position < end and data[position] & 0x80 else 1
        if present & 0x40:
            position += 1
        if present & 0x30:
            position += 1
    return position < end and not data[position] & 0x01


def keyframe_size(data: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Width and height in pixels from the start of a key frame; None where this is not one (RFC 6386 9.1)."""
    descriptor = parse_descriptor(data, start, end)
    if descriptor is None or not descriptor.starts_frame:
        return None
    frame = data[descriptor.frame_offset : min(end, descriptor.frame_offset + 10)]
    if len(frame) < 10 or frame[0] & 0x01 or frame[3:6] != b"\x9d\x01\x2a":
        return None
    return (frame[6] | frame[7] << 8) & 0x3FFF, (frame[8] | frame[9] << 8) & 0x3FFF

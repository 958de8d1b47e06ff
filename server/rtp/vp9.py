"""VP9 in RTP, RFC 9628: the payload descriptor, its layers, frame starts and key frames."""

import msgspec

_MAX_P_DIFFS = 3
_SYNC = b"\x49\x83\x42"
_RGB = 7


class Vp9Descriptor(msgspec.Struct, frozen=True, gc=False):
    """A payload descriptor. ``frame_offset`` counts from the packet's first octet; -1: the field is not there.

    ``is_inter``: predicted from earlier pictures (P). ``starts_frame``, ``ends_frame``: B and E, of one spatial layer's
    frame. ``switches_up``: from here the temporal layer may be gone up to (U). ``inter_layer``: needs the spatial layer
    below (D). ``sizes``: width and height of each spatial layer, where the scalability structure says so.
    """

    frame_offset: int
    picture_id: int
    wide_picture_id: bool
    is_inter: bool
    starts_frame: bool
    ends_frame: bool
    temporal_layer: int
    spatial_layer: int
    switches_up: bool
    inter_layer: bool
    tl0_picture_index: int
    sizes: tuple[tuple[int, int], ...]


def parse_descriptor(data: bytes, start: int, end: int) -> Vp9Descriptor | None:
    """The descriptor of the payload ``data[start:end]``; None where it runs over the end (RFC 9628 4.2)."""
    position = start
    picture_id = temporal = spatial = tl0 = -1
    wide = up = inter_layer = False
    sizes: tuple[tuple[int, int], ...] = ()
    try:
        first = data[position]
        position += 1
        if first & 0x80:
            picture_id = data[position]
            position += 1
            if picture_id & 0x80:
                wide = True
                picture_id = (picture_id & 0x7F) << 8 | data[position]
                position += 1
        if first & 0x20:
            layers = data[position]
            position += 1
            temporal, up, spatial, inter_layer = layers >> 5, bool(layers & 0x10), layers >> 1 & 7, bool(layers & 1)
            if not first & 0x10:
                tl0 = data[position]
                position += 1
        if first & 0x50 == 0x50:
            for _ in range(_MAX_P_DIFFS):
                position += 1
                if not data[position - 1] & 1:
                    break
        if first & 0x02:
            sizes, position = _read_structure(data, position)
    except IndexError:
        return None
    if position > end:
        return None
    return Vp9Descriptor(
        frame_offset=position,
        picture_id=picture_id,
        wide_picture_id=wide,
        is_inter=bool(first & 0x40),
        starts_frame=bool(first & 0x08),
        ends_frame=bool(first & 0x04),
        temporal_layer=temporal,
        spatial_layer=spatial,
        switches_up=up,
        inter_layer=inter_layer,
        tl0_picture_index=tl0,
        sizes=sizes,
    )


def _read_structure(data: bytes, position: int) -> tuple[tuple[tuple[int, int], ...], int]:
    """The scalability structure (4.2.1): the sizes it names, and where it ends."""
    head = data[position]
    position += 1
    sizes: list[tuple[int, int]] = []
    if head & 0x10:
        for _ in range((head >> 5) + 1):
            width, height = data[position] << 8 | data[position + 1], data[position + 2] << 8 | data[position + 3]
            sizes.append((width, height))
            position += 4
    if head & 0x08:
        pictures = data[position]
        position += 1
        for _ in range(pictures):
            position += 1 + (data[position] >> 2 & 3)
    return tuple(sizes), position


def is_keyframe_start(data: bytes, start: int, end: int) -> bool:
    """Whether the payload ``data[start:end]`` begins a key frame, with its lowest spatial layer.

    P alone does not say: some senders never set it (ffmpeg), so the frame header is looked at too (VP9 6.2).
    """
    if start >= end or data[start] & 0x48 != 0x08:
        return False
    descriptor = parse_descriptor(data, start, end)
    if descriptor is None or descriptor.spatial_layer > 0 or descriptor.frame_offset >= end:
        return False
    return _is_key(data[descriptor.frame_offset])


def keyframe_size(data: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Width and height in pixels (of the best spatial layer) from the start of a key frame; None for anything else."""
    if not is_keyframe_start(data, start, end):
        return None
    descriptor = parse_descriptor(data, start, end)
    assert descriptor is not None
    if descriptor.sizes:
        return descriptor.sizes[-1]
    header = data[descriptor.frame_offset : min(end, descriptor.frame_offset + 10)]
    if len(header) < 10 or header[0] >> 4 & 3 or header[1:4] != _SYNC or header[4] >> 5 == _RGB:
        return None
    # Profile 0: color_space and color_range take four bits, then come width and height less one, 16 bits each.
    width, height = (int.from_bytes(header[4:9], "big") >> shift & 0xFFFF for shift in (20, 4))
    return width + 1, height + 1


def _is_key(octet: int) -> bool:
    """The frame header's first octet: frame marker 10, profile, show_existing_frame 0, frame_type 0."""
    if octet & 0xC0 != 0x80:
        return False
    # Profile 3 has a reserved bit more.
    return not octet & (0x06 if octet & 0x30 == 0x30 else 0x0C)

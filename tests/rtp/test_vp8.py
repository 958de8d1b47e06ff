"""VP8 descriptors against aiortc's, and the first octets of real-looking frames."""

import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from hypothesis import given
from hypothesis import strategies as st

from server.rtp.vp8 import is_keyframe_start, keyframe_size, parse_descriptor

KEY_FRAME = b"\x50\x42\x00\x9d\x01\x2a" + b"\x80\x02" + b"\x68\x41" + b"rest"
"""P clear, start code, 640 wide, 360 high with an upscaling bit set."""


@given(st.binary(max_size=8))
def test_agrees_with_aiortc_on_any_octets(data: bytes) -> None:
    ours = parse_descriptor(data, 0, len(data))
    try:
        theirs, rest = VpxPayloadDescriptor.parse(data)
    except ValueError:
        assert ours is None
        return
    assert ours is not None
    assert ours.frame_offset == len(data) - len(rest)
    assert ours.picture_id == (-1 if theirs.picture_id is None else theirs.picture_id)
    assert ours.tl0_picture_index == (-1 if theirs.tl0picidx is None else theirs.tl0picidx)
    assert ours.temporal_layer == (-1 if theirs.tid is None else theirs.tid[0])
    # PartID has three bits (RFC 7741 4.2); aiortc reads the reserved one too.
    assert ours.starts_frame == (theirs.partition_start == 1 and theirs.partition_id & 7 == 0)


@pytest.mark.parametrize(
    ("payload", "picture_id_offset", "wide", "tl0_offset"),
    [
        (b"\x10", -1, False, -1),
        (b"\x90\x80\x05", 2, False, -1),
        (b"\x90\x80\x85\x06", 2, True, -1),
        (b"\x90\xc0\x85\x06\x09", 2, True, 4),
        (b"\x90\x40\x09", -1, False, 2),
        (b"\x90\xf0\x85\x06\x09\xc1", 2, True, 4),
    ],
)
def test_where_the_fields_lie(payload: bytes, picture_id_offset: int, wide: bool, tl0_offset: int) -> None:
    descriptor = parse_descriptor(b"head" + payload, 4, 4 + len(payload))
    assert descriptor is not None
    expected = picture_id_offset + 4 if picture_id_offset >= 0 else -1
    assert (descriptor.picture_id_offset, descriptor.wide_picture_id) == (expected, wide)
    assert descriptor.tl0_offset == (tl0_offset + 4 if tl0_offset >= 0 else -1)
    assert descriptor.frame_offset == 4 + len(payload)


def test_padding_behind_the_payload_is_not_read_as_descriptor() -> None:
    assert parse_descriptor(b"\x90\x80\x85\x06", 0, 3) is None


@pytest.mark.parametrize(
    ("payload", "starts"),
    [
        (b"\x10" + KEY_FRAME, True),
        (b"\x90\x80\x85\x06" + KEY_FRAME, True),
        (b"\x10" + b"\x51" + KEY_FRAME[1:], False),
        (b"\x00" + KEY_FRAME, False),
        (b"\x11" + KEY_FRAME, False),
        (b"\x10", False),
        (b"\x90", False),
        (b"\x90\x80", False),
        (b"\x90\x00" + KEY_FRAME, True),
        (b"\x90\x80\x05" + KEY_FRAME, True),
        (b"\x90\xf0\x85\x06\x09\xc1" + KEY_FRAME, True),
        (b"", False),
    ],
)
def test_key_frame_starts(payload: bytes, starts: bool) -> None:
    assert is_keyframe_start(payload, 0, len(payload)) is starts


@given(st.sampled_from((0x10, 0x90)), st.binary(max_size=12), st.integers(0, 3))
def test_key_frames_are_told_as_the_descriptor_says(first: int, rest: bytes, beyond: int) -> None:
    data = bytes((first,)) + rest
    end = max(0, len(data) - beyond)
    descriptor = parse_descriptor(data, 0, end)
    expected = descriptor is not None and descriptor.frame_offset < end and not data[descriptor.frame_offset] & 1
    assert is_keyframe_start(data, 0, end) == (expected and descriptor is not None and descriptor.starts_frame)


@pytest.mark.parametrize(
    ("payload", "size"),
    [
        (b"\x10" + KEY_FRAME, (640, 360)),
        (b"\x10" + KEY_FRAME[:9], None),
        (b"\x10" + b"\x51" + KEY_FRAME[1:], None),
        (b"\x10" + b"\x50\x42\x00\x9d\x01\x2b" + KEY_FRAME[6:], None),
        (b"\x00" + KEY_FRAME, None),
        (b"\x90", None),
    ],
)
def test_key_frame_sizes(payload: bytes, size: tuple[int, int] | None) -> None:
    assert keyframe_size(payload, 0, len(payload)) == size

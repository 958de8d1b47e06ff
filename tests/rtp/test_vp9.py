"""VP9 descriptors: field by field, as libvpx and ffmpeg make them, and garbage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rtp.packet import parse
from server.rtp.vp9 import Vp9Descriptor, is_keyframe_start, keyframe_size, parse_descriptor
from tests.rtp.encoded import packets_of

KEY = b"\x82\x49\x83\x42\x00\x13\xf0\x0b\x30\x00"
"""A profile 0 key frame's header: 320x180."""
DELTA = b"\x86\x00"
SIZES = b"\x38\x01\x40\x00\xb4\x02\x80\x01\x68\x02\x04\x01\x54\x01"
"""Two spatial layers with sizes, and two pictures of one reference each."""


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x08" + KEY, Vp9Descriptor(1, -1, False, False, True, False, -1, -1, False, False, -1, ())),
        (b"\xc4\x7f" + DELTA, Vp9Descriptor(2, 127, False, True, False, True, -1, -1, False, False, -1, ())),
        (
            b"\xe8\x92\x34\x53\x07" + DELTA,
            Vp9Descriptor(5, 0x1234, True, True, True, False, 2, 1, True, True, 7, ()),
        ),
        (
            b"\xf8\x92\x34\x20\x03\x05\x06" + DELTA,
            Vp9Descriptor(7, 0x1234, True, True, True, False, 1, 0, False, False, -1, ()),
        ),
        (b"\x50\x03\x03\x03" + DELTA, Vp9Descriptor(4, -1, False, True, False, False, -1, -1, False, False, -1, ())),
        (
            b"\x0a" + SIZES + KEY,
            Vp9Descriptor(15, -1, False, False, True, False, -1, -1, False, False, -1, ((320, 180), (640, 360))),
        ),
        (b"\x0a\x00" + KEY, Vp9Descriptor(2, -1, False, False, True, False, -1, -1, False, False, -1, ())),
    ],
)
def test_fields(payload: bytes, expected: Vp9Descriptor) -> None:
    assert parse_descriptor(payload, 0, len(payload)) == expected
    shifted = b"head" + payload
    moved = parse_descriptor(shifted, 4, len(shifted))
    assert moved is not None
    assert moved.frame_offset == expected.frame_offset + 4
    for end in range(expected.frame_offset):
        assert parse_descriptor(payload[:end], 0, end) is None
        assert parse_descriptor(payload, 0, end) is None


@pytest.mark.parametrize(
    ("payload", "is_key", "size"),
    [
        (b"\x08" + KEY, True, (320, 180)),
        (b"\x0a" + SIZES + KEY, True, (640, 360)),
        (b"\x08" + KEY[:5], True, None),
        (b"\x08\xb0" + KEY[1:], True, None),
        (b"\x08\x82\x49\x83\x42\xe0" + KEY[5:], True, None),
        (b"\x08\x82\x00" + KEY[2:], True, None),
        (b"\x00" + KEY, False, None),
        (b"\x48" + KEY, False, None),
        (b"\x28\x02\x00" + KEY, False, None),
        (b"\x28\x00\x00" + KEY, True, (320, 180)),
        (b"\x08" + DELTA, False, None),
        (b"\x08\xb4", False, None),
        (b"\x08\x8a", False, None),
        (b"\x08\x02", False, None),
        (b"\x08", False, None),
        (b"\x88", False, None),
        (b"", False, None),
    ],
)
def test_key_frames_and_their_size(payload: bytes, is_key: bool, size: tuple[int, int] | None) -> None:
    assert is_keyframe_start(payload, 0, len(payload)) is is_key
    assert keyframe_size(payload, 0, len(payload)) == size


def test_as_libvpx_and_ffmpeg_make_them() -> None:
    frames = packets_of("libvpx-vp9", 21, 10, deadline="realtime", **{"cpu-used": "8", "lag-in-frames": "0"})
    assert len(frames) == 21
    for number, frame in enumerate(frames):
        views = [view for datagram in frame if (view := parse(datagram)) is not None]
        starts = [is_keyframe_start(view.data, view.payload_offset, view.payload_end) for view in views]
        assert starts == [number % 10 == 0] + [False] * (len(views) - 1)
        first = views[0]
        size = keyframe_size(first.data, first.payload_offset, first.payload_end)
        assert size == ((320, 180) if number % 10 == 0 else None)


@given(st.binary(max_size=40), st.integers(0, 12), st.integers(0, 45))
def test_garbage_gives_something_within_or_nothing(data: bytes, start: int, end: int) -> None:
    start, end = min(start, len(data)), min(end, len(data))
    descriptor = parse_descriptor(data, start, end)
    assert descriptor is None or start < descriptor.frame_offset <= end
    assert keyframe_size(data, start, end) is None or is_keyframe_start(data, start, end)

"""AV1 packets: where key frames begin, as SVT-AV1 and ffmpeg make them; dependency descriptors; garbage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rtp.av1 import (
    DependencyDescriptor,
    LayerStructure,
    is_keyframe_start,
    parse_dependency_descriptor,
)
from server.rtp.packet import parse
from tests.rtp.encoded import packets_of


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x18\x0a\x00", True),
        (b"\x98\x0a\x00", False),
        (b"\x10\x0a\x00", True),
        (b"\x10\x32\x00", False),
        (b"\x20\x0b\x0a\x00", True),
        (b"\x00\x8b\x01\x0a\x00", True),
        (b"\x00\x8b\x81", False),
        (b"\x00\x0b\x32", False),
        (b"\x18", False),
        (b"", False),
    ],
)
def test_where_a_sequence_begins(payload: bytes, expected: bool) -> None:
    data = b"head" + payload
    assert is_keyframe_start(data, 4, len(data)) is expected


def test_as_svt_and_ffmpeg_make_them() -> None:
    frames = packets_of("libsvtav1", 21, 10, preset="10", **{"svtav1-params": "lp=1"})
    begins = []
    for number, frame in enumerate(frames):
        views = [view for datagram in frame if (view := parse(datagram)) is not None]
        starts = [is_keyframe_start(view.data, view.payload_offset, view.payload_end) for view in views]
        assert not any(starts[1:])
        if starts[0]:
            begins.append(number)
    assert begins == [0, 10, 20]


def bits(*fields: tuple[int, int]) -> bytes:
    value = length = 0
    for width, field in fields:
        value, length = value << width | field, length + width
    padding = -length % 8
    return (value << padding).to_bytes((length + padding) // 8, "big")


def test_a_structure_names_the_layers() -> None:
    """L2T2 as a key frame brings it: four templates from number 60 on."""
    head = [(1, 1), (1, 0), (6, 60), (16, 0x1234), (1, 1), (4, 0), (6, 60), (5, 3)]
    value = bits(*head, (2, 0), (2, 1), (2, 2), (2, 1), (2, 3))
    structure = LayerStructure(60, ((0, 0), (0, 0), (0, 1), (1, 0), (1, 1)))
    assert parse_dependency_descriptor(value) == DependencyDescriptor(True, False, 60, 0x1234, structure)
    assert structure.layer_of(60) == (0, 0)
    assert structure.layer_of(62) == (0, 1)
    assert structure.layer_of(0) == (1, 1)
    assert structure.layer_of(1) is None
    assert structure.layer_of(59) is None


def test_without_a_structure() -> None:
    assert parse_dependency_descriptor(b"\x41\x00\x07") == DependencyDescriptor(False, True, 1, 7)
    assert parse_dependency_descriptor(b"\x41\x00\x07\x00") == DependencyDescriptor(False, True, 1, 7)


def test_cut_short() -> None:
    assert parse_dependency_descriptor(b"\x41\x00") is None
    assert parse_dependency_descriptor(b"\x41\x00\x07\x80") is None
    assert parse_dependency_descriptor(b"\x41\x00\x07\x80\x00\x00") is None


def test_more_templates_than_there_may_be_are_left_out() -> None:
    found = parse_dependency_descriptor(b"\x80\x00\x07" + b"\x80" + bytes(60))
    assert found is not None
    assert found.structure is not None
    assert len(found.structure.layers) == 64


@given(st.binary(max_size=64))
def test_garbage_gives_something_or_nothing(data: bytes) -> None:
    found = parse_dependency_descriptor(data)
    if found is not None and found.structure is not None:
        assert 1 <= len(found.structure.layers) <= 64
        assert found.structure.layer_of(found.structure.offset) == (0, 0)
    is_keyframe_start(data, 0, len(data))

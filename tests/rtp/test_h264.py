"""Where H.264 key frames begin, also as aiortc's own packetizer lays them out."""

import pytest
from aiortc.codecs.h264 import H264Encoder
from hypothesis import given
from hypothesis import strategies as st

from server.rtp.h264 import is_keyframe_start

SPS, PPS, IDR, SLICE, SEI = b"\x67sps", b"\x68pps", b"\x65idr", b"\x41slice", b"\x06sei"


def stap(*nals: bytes) -> bytes:
    return b"\x78" + b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)


@pytest.mark.parametrize(
    ("payload", "starts"),
    [
        (SPS, True),
        (IDR, True),
        (PPS, False),
        (SLICE, False),
        (SEI, False),
        (stap(SPS, PPS), True),
        (stap(SEI, SPS, PPS, IDR), True),
        (stap(SEI, PPS), False),
        (stap(SLICE, SLICE), False),
        (b"\x78", False),
        (b"\x78\x00\x09" + SEI, False),
        (b"\x7c\x85first", True),
        (b"\x7c\x05middle", False),
        (b"\x7c\x81first of a slice", False),
        (b"\x7c", False),
        (b"", False),
    ],
)
def test_key_frame_starts(payload: bytes, starts: bool) -> None:
    assert is_keyframe_start(payload, 0, len(payload)) is starts


def test_octets_behind_the_payload_do_not_count() -> None:
    assert not is_keyframe_start(b"\x7c\x85", 0, 1)
    assert not is_keyframe_start(stap(SEI, SPS), 0, 6)


def test_as_aiortc_packetizes_a_large_key_frame() -> None:
    packets = H264Encoder._packetize(iter([SPS, PPS, b"\x65" + bytes(4_000)]))
    found = [is_keyframe_start(packet, 0, len(packet)) for packet in packets]
    assert found == [True, True, False, False, False]


@given(st.binary(max_size=40))
def test_any_octets_have_an_answer(payload: bytes) -> None:
    assert is_keyframe_start(payload, 0, len(payload)) in (True, False)

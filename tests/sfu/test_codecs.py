"""Which payload types fit together."""

import pytest

from server.sfu.codecs import keyframe_test, matching_codec, size_reader
from server.sfu.ports import Codec
from tests.sfu.packets import H264, OPUS, VP8


def h264(fmtp: str) -> Codec:
    return Codec(120, "h264", 90_000, fmtp)


@pytest.mark.parametrize(
    ("sent", "taken", "fits"),
    [
        (VP8, Codec(120, "vp8", 90_000, "x=1"), True),
        (VP8, Codec(120, "vp9", 90_000), False),
        (OPUS, Codec(109, "opus", 48_000), True),
        (OPUS, Codec(109, "opus", 16_000), False),
        (H264, h264("packetization-mode=1;profile-level-id=42E01F"), True),
        (H264, h264("packetization-mode=1; profile-level-id=640032"), True),
        (H264, h264("packetization-mode=0;profile-level-id=42e01f"), False),
        (H264, h264("profile-level-id=42e01f"), False),
        (h264("packetization-mode=1;profile-level-id=640032"), H264, False),
        (
            h264("packetization-mode=1;profile-level-id=640032"),
            h264("packetization-mode=1;profile-level-id=64001f"),
            True,
        ),
        (h264(""), h264("packetization-mode=0"), True),
        (Codec(98, "vp9", 90_000, "profile-id=0"), Codec(99, "vp9", 90_000), True),
        (Codec(98, "vp9", 90_000, "profile-id=2"), Codec(99, "vp9", 90_000), False),
        (Codec(45, "av1", 90_000, "profile=1"), Codec(99, "av1", 90_000, "profile=1"), True),
    ],
)
def test_matching(sent: Codec, taken: Codec, fits: bool) -> None:
    assert (matching_codec(sent, (Codec(0, "pcmu", 8_000), taken)) is taken) is fits


def test_the_first_that_fits() -> None:
    first, second = Codec(1, "vp8", 90_000), Codec(2, "vp8", 90_000)
    assert matching_codec(VP8, (first, second)) is first
    assert matching_codec(VP8, ()) is None


def test_key_frames_are_told_of_pictures_only_and_sizes_where_they_are_cheap() -> None:
    for name, tells_size in (("vp8", True), ("vp9", True), ("av1", False), ("h264", False)):
        codec = Codec(96, name, 90_000)
        assert keyframe_test(codec) is not None
        assert (size_reader(codec) is not None) is tells_size
    assert keyframe_test(OPUS) is None

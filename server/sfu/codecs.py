"""Which of a viewer's payload types takes what a publisher sends, and how its key frames are told."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from server.rtp import av1, h264, vp8, vp9
from server.sfu.ports import Codec

KeyframeTest = Callable[[bytes, int, int], bool]
"""(data, payload start, payload end) -> whether a key frame starts there."""

_KEYFRAME_TESTS: dict[str, KeyframeTest] = {
    "vp8": vp8.is_keyframe_start,
    "vp9": vp9.is_keyframe_start,
    "av1": av1.is_keyframe_start,
    "h264": h264.is_keyframe_start,
}
SizeReader = Callable[[bytes, int, int], tuple[int, int] | None]
"""(data, payload start, payload end) -> width and height of the key frame that starts there."""
_SIZE_READERS: dict[str, SizeReader] = {"vp8": vp8.keyframe_size, "vp9": vp9.keyframe_size}
_CONSTRAINED_BASELINE = frozenset({"42e0", "42c0"})


def keyframe_test(codec: Codec) -> KeyframeTest | None:
    """None for audio, and for a codec we do not look into: then any packet may be the first."""
    return _KEYFRAME_TESTS.get(codec.name)


def size_reader(codec: Codec) -> SizeReader | None:
    """None where a key frame does not say its size in a place that is cheap to read."""
    return _SIZE_READERS.get(codec.name)


def matching_codec(sent: Codec, taken: Sequence[Codec]) -> Codec | None:
    """The first of ``taken`` that carries ``sent`` unchanged; None where the viewer cannot take it.

    H.264 must agree in packetization-mode (RFC 6184 8.2.2) and profile; constrained baseline goes into any profile.
    VP9 and AV1 must agree in profile.
    """
    for codec in taken:
        if codec.name == sent.name and codec.clock_rate == sent.clock_rate and _is_compatible(sent, codec):
            return codec
    return None


def _is_compatible(sent: Codec, taken: Codec) -> bool:
    ours, theirs = _parameters(sent.fmtp), _parameters(taken.fmtp)
    if sent.name == "h264":
        profile, wanted = (parameters.get("profile-level-id", "42001f")[:4].lower() for parameters in (ours, theirs))
        same_mode = ours.get("packetization-mode", "0") == theirs.get("packetization-mode", "0")
        return same_mode and (profile == wanted or profile in _CONSTRAINED_BASELINE)
    key = {"vp9": "profile-id", "av1": "profile"}.get(sent.name)
    return key is None or ours.get(key, "0") == theirs.get(key, "0")


@lru_cache(maxsize=256)
def _parameters(fmtp: str) -> Mapping[str, str]:
    pairs = (part.partition("=") for part in fmtp.split(";"))
    return {key.strip().lower(): value.strip() for key, _, value in pairs}

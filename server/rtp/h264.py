"""H.264 in RTP, RFC 6184: where a key frame begins."""

IDR = 5
SPS = 7
STAP_A = 24
FU_A = 28

_KEY = (IDR, SPS)


def is_keyframe_start(data: bytes, start: int, end: int) -> bool:
    """Whether the payload ``data[start:end]`` brings the start of an IDR picture or the SPS before it.

    Looks into single NAL units, STAP-A and the first fragment of an FU-A (RFC 6184 5.6, 5.7.1, 5.8).
    A joining viewer needs the SPS as well as the IDR, so the SPS counts as the start.
    """
    if start >= end:
        return False
    nal_type = data[start] & 0x1F
    if nal_type == FU_A:
        return end - start >= 2 and data[start + 1] & 0x80 != 0 and data[start + 1] & 0x1F in _KEY
    if nal_type == STAP_A:
        return _stap_has_key(data, start + 1, end)
    return nal_type in _KEY


def _stap_has_key(data: bytes, start: int, end: int) -> bool:
    position = start
    while position + 3 <= end:
        if data[position + 2] & 0x1F in _KEY:
            return True
        position += 2 + (data[position] << 8 | data[position + 1])
    return False

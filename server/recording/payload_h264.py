"""H.264 out of RTP (RFC 6184) into length-prefixed NAL units with an ``avcC`` (ISO/IEC 14496-15 5.3.3). Pure."""

from server.recording.frames import MAX_FRAME_OCTETS, Bits, Built, StreamFormat
from server.rtp.h264 import FU_A, IDR, SPS, STAP_A

PPS = 8
_SLICE = 1
_MAX_PARAMETER_SETS = 8
_LEFT_OUT = (SPS, PPS, 9, 12)
"""Parameter sets have a place of their own; access unit delimiters and filler say nothing in a container."""
_WITH_CHROMA = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)


class H264:
    """Remembers parameter sets: some encoders send them once, and name them from every key frame after."""

    def __init__(self, private: bytes = b"") -> None:
        """``private``: the avcC of an earlier segment, whose parameter sets still hold; b"" without one."""
        self._sps: dict[int, bytes] = {}
        self._pps: dict[int, bytes] = {}
        for unit in _units_of_avcc(private):
            self._remember(unit)

    def starts_frame(self, payload: bytes) -> bool:
        """Told by first_mb_in_slice = 0 (H.264 7.3.3), whose code is a single 1 bit."""
        if len(payload) < 2:
            return False
        kind = payload[0] & 0x1F
        if kind == FU_A:
            return payload[1] & 0x80 != 0 and len(payload) > 2 and payload[2] & 0x80 != 0
        if kind in (_SLICE, IDR):
            return payload[1] & 0x80 != 0
        return kind != 0

    def build(self, payloads: list[bytes]) -> Built | None:
        units = _nal_units(payloads)
        if units is None:
            return None
        has_key = any(unit[0] & 0x1F == IDR for unit in units)
        # A key frame's parameter sets go into the avcC; one that changes between key frames stays where it is.
        news = [self._remember(unit) for unit in units]
        kept = [
            len(unit).to_bytes(4, "big") + unit
            for unit, is_news in zip(units, news, strict=True)
            if unit[0] & 0x1F not in _LEFT_OUT or (is_news and not has_key)
        ]
        if all(part[4] & 0x1F in _LEFT_OUT for part in kept):
            return Built(b"", None)
        return Built(b"".join(kept), self._format() if has_key else None)

    def _remember(self, unit: bytes) -> bool:
        """Take a parameter set; True where it was one that was not known."""
        kind = unit[0] & 0x1F
        if kind not in (SPS, PPS) or len(unit) > 0xFFFF:
            return False
        try:
            number = _sps_number(unit) if kind == SPS else Bits(_unescape(unit[1:6])).read_golomb()
        except ValueError:
            return False
        sets = self._sps if kind == SPS else self._pps
        if sets.get(number) == unit or (number not in sets and len(sets) == _MAX_PARAMETER_SETS):
            return False
        sets[number] = unit
        return True

    def _format(self) -> StreamFormat | None:
        if not self._sps or not self._pps:
            return None
        first = self._sps[min(self._sps)]
        try:
            picture = _Picture(first)
        except ValueError:
            return None
        sets = [self._sps[number] for number in sorted(self._sps)]
        pps = [self._pps[number] for number in sorted(self._pps)]
        private = bytes((1, first[1], first[2], first[3], 0xFF, 0xE0 | len(sets)))
        private += b"".join(len(unit).to_bytes(2, "big") + unit for unit in sets)
        private += bytes((len(pps),)) + b"".join(len(unit).to_bytes(2, "big") + unit for unit in pps)
        if first[1] in (100, 110, 122, 144):
            private += bytes((0xFC | picture.chroma, 0xF8 | picture.luma_depth, 0xF8 | picture.chroma_depth, 0))
        return StreamFormat("h264", "V_MPEG4/ISO/AVC", private, picture.width, picture.height)


class _Picture:
    """Size and sample format from a sequence parameter set (H.264 7.3.2.1.1). Raises ValueError."""

    def __init__(self, unit: bytes) -> None:
        bits = Bits(_unescape(unit[1:]))
        profile = bits.read(8)
        bits.read(16)
        bits.read_golomb()
        self.chroma, self.luma_depth, self.chroma_depth = 1, 0, 0
        if profile in _WITH_CHROMA:
            self._read_chroma(bits)
        bits.read_golomb()
        self._pass_order(bits)
        bits.read_golomb()
        bits.read(1)
        width_mbs, height_units = bits.read_golomb() + 1, bits.read_golomb() + 1
        frame_only = bits.read(1)
        if not frame_only:
            bits.read(1)
        bits.read(1)
        crop = [bits.read_golomb() for _ in range(4)] if bits.flag() else [0, 0, 0, 0]
        unit_x = 1 if self.chroma in (0, 3) else 2
        unit_y = (2 if self.chroma == 1 else 1) * (2 - frame_only)
        self.width = 16 * width_mbs - unit_x * (crop[0] + crop[1])
        self.height = 16 * height_units * (2 - frame_only) - unit_y * (crop[2] + crop[3])
        if not (0 < self.width <= 16_384 and 0 < self.height <= 16_384):
            raise ValueError("no picture")

    def _read_chroma(self, bits: Bits) -> None:
        self.chroma = bits.read_golomb()
        if self.chroma == 3:
            bits.read(1)
        self.luma_depth, self.chroma_depth = bits.read_golomb(), bits.read_golomb()
        bits.read(1)
        if self.chroma > 3 or self.luma_depth > 6 or self.chroma_depth > 6:
            raise ValueError("no sample format")
        if bits.flag():
            for index in range(8 if self.chroma != 3 else 12):
                if bits.flag():
                    _pass_scaling_list(bits, 16 if index < 6 else 64)

    @staticmethod
    def _pass_order(bits: Bits) -> None:
        kind = bits.read_golomb()
        if kind == 0:
            bits.read_golomb()
        elif kind == 1:
            bits.read(1)
            bits.read_golomb()
            bits.read_golomb()
            for _ in range(min(bits.read_golomb(), 255)):
                bits.read_golomb()


def _pass_scaling_list(bits: Bits, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            following = (last + bits.read_signed_golomb()) % 256
        last = following or last


def _sps_number(unit: bytes) -> int:
    return Bits(_unescape(unit[4:12])).read_golomb()


def _unescape(data: bytes) -> bytes:
    """Without emulation prevention octets (H.264 7.4.1)."""
    return data.replace(b"\0\0\3", b"\0\0")


def _nal_units(payloads: list[bytes]) -> list[bytes] | None:
    """The NAL units of one access unit; None where a fragment is missing or a type has no place here."""
    units: list[bytes] = []
    fragments: list[bytes] = []
    octets = 0
    for payload in payloads:
        octets += len(payload)
        kind = payload[0] & 0x1F if payload else 0
        if octets > MAX_FRAME_OCTETS or (fragments and kind != FU_A):
            return None
        if 1 <= kind < STAP_A:
            units.append(payload)
        elif kind == STAP_A:
            units += _aggregated(payload)
        elif kind == FU_A and len(payload) > 2:
            if bool(payload[1] & 0x80) == bool(fragments):
                return None
            if not fragments:
                fragments.append(bytes((payload[0] & 0xE0 | payload[1] & 0x1F,)))
            fragments.append(payload[2:])
            if payload[1] & 0x40:
                units.append(b"".join(fragments))
                fragments = []
        else:
            return None
    return None if fragments else units


def _aggregated(payload: bytes) -> list[bytes]:
    """RFC 6184 5.7.1: what a STAP-A carries; what its sizes do not cover is left out."""
    units = []
    position = 1
    while position + 2 < len(payload):
        size = payload[position] << 8 | payload[position + 1]
        unit = payload[position + 2 : position + 2 + size]
        if size == 0 or len(unit) < size:
            break
        units.append(unit)
        position += 2 + size
    return units


def _units_of_avcc(private: bytes) -> list[bytes]:
    units: list[bytes] = []
    position = 5
    for mask in (0x1F, 0xFF):
        if position >= len(private):
            break
        count = private[position] & mask
        position += 1
        for _ in range(count):
            size = int.from_bytes(private[position : position + 2], "big")
            unit = private[position + 2 : position + 2 + size]
            position += 2 + size
            if unit and len(unit) == size:
                units.append(unit)
    return units

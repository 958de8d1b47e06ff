"""AV1 out of RTP (RTP Payload Format For AV1 1.0) into OBUs with sizes and an ``av1C``. Pure."""

import msgspec

from server.recording.frames import MAX_FRAME_OCTETS, Bits, Built, StreamFormat

_SEQUENCE_HEADER = 1
_FRAME_HEADER = 3
_FRAME = 6
_LEFT_OUT = (0, 2, 8, 15)
"""Reserved, temporal delimiter, tile list, padding: not stored in Matroska."""


class Av1:
    """Aggregated and fragmented OBUs of one temporal unit become one frame."""

    def starts_frame(self, payload: bytes) -> bool:
        """N, or no continued OBU (4.4): a temporal unit may begin here."""
        return len(payload) > 1 and not payload[0] & 0x80

    def build(self, payloads: list[bytes]) -> Built | None:
        try:
            units = _units(payloads)
        except (IndexError, ValueError):
            return None
        kept = [unit for unit in units if unit[0] >> 3 & 15 not in _LEFT_OUT]
        header = next((unit for unit in kept if unit[0] >> 3 & 15 == _SEQUENCE_HEADER), None)
        format_ = _format(header) if header is not None and any(map(_is_key, kept)) else None
        return Built(b"".join(map(_with_size, kept)), format_)


def _units(payloads: list[bytes]) -> list[bytes]:
    """The OBUs without size fields. Raises IndexError or ValueError where fragments do not fit."""
    units: list[bytes] = []
    open_part: list[bytes] | None = None
    octets = 0
    for payload in payloads:
        octets += len(payload)
        if octets > MAX_FRAME_OCTETS:
            raise ValueError("too large")
        head = payload[0]
        if bool(head & 0x80) != (open_part is not None):
            raise ValueError("a fragment is missing")
        elements = _elements(payload, head >> 4 & 3)
        for index, element in enumerate(elements):
            last = index == len(elements) - 1
            part = open_part if open_part is not None else []
            part.append(element)
            open_part = part if last and head & 0x40 else None
            if open_part is None:
                units.append(_without_size(b"".join(part)))
    if open_part is not None:
        raise ValueError("a fragment is missing")
    return units


def _elements(payload: bytes, count: int) -> list[bytes]:
    """4.4: ``count`` elements of which the last has no length, or with 0 as many as there are, all with a length."""
    elements: list[bytes] = []
    position = 1
    while position < len(payload):
        if count and len(elements) == count - 1:
            size = len(payload) - position
        else:
            size, position = _read_leb128(payload, position)
        if position + size > len(payload):
            raise ValueError("past the end")
        elements.append(payload[position : position + size])
        position += size
    if not elements or (count and len(elements) != count):
        raise ValueError("missing elements")
    return elements


def _read_leb128(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        octet = data[position]
        position += 1
        value |= (octet & 0x7F) << 7 * index
        if not octet & 0x80:
            return value, position
    raise ValueError("not a number")


def _leb128(value: int) -> bytes:
    octets = bytearray()
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def _without_size(unit: bytes) -> bytes:
    start = 2 if unit[0] & 4 else 1
    if len(unit) < start:
        raise ValueError("no header")
    if not unit[0] & 2:
        return unit
    size, position = _read_leb128(unit, start)
    return bytes((unit[0] & ~2,)) + unit[1:start] + unit[position : position + size]


def _with_size(unit: bytes) -> bytes:
    start = 2 if unit[0] & 4 else 1
    return bytes((unit[0] | 2,)) + unit[1:start] + _leb128(len(unit) - start) + unit[start:]


def _is_key(unit: bytes) -> bool:
    """A shown key frame begins in this OBU (AV1 5.9.2); a reduced still picture has no such bits but is not sent."""
    start = 2 if unit[0] & 4 else 1
    return unit[0] >> 3 & 15 in (_FRAME, _FRAME_HEADER) and len(unit) > start and unit[start] & 0xE0 == 0


def _format(header: bytes) -> StreamFormat | None:
    try:
        sequence = _Sequence(header[2 if header[0] & 4 else 1 :])
    except ValueError:
        return None
    private = bytes((0x81, sequence.profile << 5 | sequence.level, sequence.samples)) + b"\0" + _with_size(header)
    return StreamFormat("av1", "V_AV1", private, sequence.width, sequence.height)


class _Timing(msgspec.Struct):
    decoder_model: bool = False
    delay_bits: int = 0


class _Sequence:
    """What ``av1C`` and a player want from a sequence header (AV1 5.5). Raises ValueError."""

    def __init__(self, data: bytes) -> None:
        bits = Bits(data)
        self.profile = bits.read(3)
        bits.read(1)
        reduced = bits.flag()
        self.level, self.tier = (bits.read(5), 0) if reduced else self._operating_points(bits)
        width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
        self.width, self.height = bits.read(width_bits) + 1, bits.read(height_bits) + 1
        if not reduced and bits.flag():
            bits.read(7)
        bits.read(3)
        if not reduced:
            self._pass_tools(bits)
        bits.read(3)
        self.samples = self.tier << 7 | self._sample_format(bits)

    @staticmethod
    def _operating_points(bits: Bits) -> tuple[int, int]:
        timing = _Timing()
        if bits.flag():
            bits.read(64)
            if bits.flag():
                bits.read_golomb()
            timing.decoder_model = bits.flag()
            if timing.decoder_model:
                timing.delay_bits = bits.read(5) + 1
                bits.read(42)
        display_delay = bits.flag()
        found: tuple[int, int] | None = None
        for _ in range(bits.read(5) + 1):
            bits.read(12)
            level = bits.read(5)
            tier = bits.read(1) if level > 7 else 0
            if timing.decoder_model and bits.flag():
                bits.read(2 * timing.delay_bits + 1)
            if display_delay and bits.flag():
                bits.read(4)
            found = found or (level, tier)
        assert found is not None
        return found

    @staticmethod
    def _pass_tools(bits: Bits) -> None:
        bits.read(4)
        order_hint = bits.flag()
        if order_hint:
            bits.read(2)
        screen_content = 2 if bits.flag() else bits.read(1)
        if screen_content and not bits.flag():
            bits.read(1)
        if order_hint:
            bits.read(3)

    def _sample_format(self, bits: Bits) -> int:
        """high_bitdepth, twelve_bit, monochrome, subsampling x and y, position: the low 7 bits of av1C's octet 2."""
        high = bits.read(1)
        twelve = bits.read(1) if self.profile == 2 and high else 0
        mono = 0 if self.profile == 1 else bits.read(1)
        colours = (bits.read(8), bits.read(8), bits.read(8)) if bits.flag() else (2, 2, 2)
        x, y, position = 1, 1, 0
        if mono:
            bits.read(1)
        elif colours == (1, 13, 0):
            x = y = 0
        else:
            bits.read(1)
            if self.profile == 1:
                x = y = 0
            elif self.profile == 2:
                x = bits.read(1) if twelve else 1
                y = bits.read(1) if twelve and x else 0
            position = bits.read(2) if x and y else 0
        return high << 6 | twelve << 5 | mono << 4 | x << 3 | y << 2 | position

"""AV1 in RTP (AV1 RTP payload 1.0): the aggregation header, key frames, and the dependency descriptor's layers."""

import msgspec

_SEQUENCE_HEADER = 1
_MAX_TEMPLATES = 64
_NEXT_TEMPORAL, _NEXT_SPATIAL, _NO_MORE = 1, 2, 3


class DependencyDescriptor(msgspec.Struct, frozen=True):
    """The dependency descriptor of one packet (appendix A). ``template`` names the frame's place in the structure.

    ``structure`` is there where the packet brings one (a key frame's first): what to look later templates up in.
    """

    starts_frame: bool
    ends_frame: bool
    template: int
    frame_number: int
    structure: "LayerStructure | None" = None


class LayerStructure(msgspec.Struct, frozen=True):
    """(spatial, temporal) layer of each template, the first of which has number ``offset`` (modulo 64)."""

    offset: int
    layers: tuple[tuple[int, int], ...]

    def layer_of(self, template: int) -> tuple[int, int] | None:
        """(spatial, temporal) layer of a frame by its template; None where the structure does not have it."""
        index = template - self.offset & _MAX_TEMPLATES - 1
        return self.layers[index] if index < len(self.layers) else None


def is_keyframe_start(data: bytes, start: int, end: int) -> bool:
    """Whether the payload ``data[start:end]`` begins a coded video sequence: N, or a sequence header at once.

    Source: AV1 RTP payload 4.4; a packet that goes on with an OBU (Z) begins nothing.
    """
    if end - start < 2:
        return False
    head = data[start]
    if head & 0x80:
        return False
    if head & 0x08:
        return True
    position = start + 1
    if head & 0x30 != 0x10:
        # The first element states its length (leb128) unless it is the only one.
        while position < end and data[position] & 0x80:
            position += 1
        position += 1
    return position < end and data[position] >> 3 & 0x0F == _SEQUENCE_HEADER


def parse_dependency_descriptor(value: bytes) -> DependencyDescriptor | None:
    """Read the header extension's ``value``; None where it is cut short or no descriptor (A.8)."""
    if len(value) < 3:
        return None
    first = value[0]
    starts, ends, template = bool(first & 0x80), bool(first & 0x40), first & 0x3F
    frame_number = value[1] << 8 | value[2]
    if len(value) == 3:
        return DependencyDescriptor(starts, ends, template, frame_number)
    bits = _Bits(value, 24)
    has_structure = bits.read(1)
    bits.read(4)
    structure = _read_structure(bits) if has_structure else None
    if bits.overrun:
        return None
    return DependencyDescriptor(starts, ends, template, frame_number, structure)


def _read_structure(bits: "_Bits") -> LayerStructure:
    """template_id_offset, dt_cnt_minus_one and template_layers (A.8.2); what follows is not needed."""
    offset = bits.read(6)
    bits.read(5)
    spatial = temporal = 0
    layers = [(0, 0)]
    while len(layers) <= _MAX_TEMPLATES and not bits.overrun:
        step = bits.read(2)
        if step == _NO_MORE:
            break
        if step == _NEXT_TEMPORAL:
            temporal += 1
        elif step == _NEXT_SPATIAL:
            spatial, temporal = spatial + 1, 0
        layers.append((spatial, temporal))
    return LayerStructure(offset, tuple(layers[:_MAX_TEMPLATES]))


class _Bits:
    """Reads big-endian bits; zeros beyond the end, and says so."""

    def __init__(self, data: bytes, position: int) -> None:
        self._value = int.from_bytes(data, "big")
        self._length = 8 * len(data)
        self._position = position
        self.overrun = False

    def read(self, count: int) -> int:
        self._position += count
        if self._position > self._length:
            self.overrun = True
            return 0
        return self._value >> self._length - self._position & (1 << count) - 1

"""VP9 out of RTP (RFC 9628). Pure."""

from server.recording.frames import Bits, Built, StreamFormat


class Vp9:
    """Layer frames of one picture become one frame; several are joined into a superframe (VP9 Annex B)."""

    def starts_frame(self, payload: bytes) -> bool:
        """B of the lowest spatial layer."""
        if not payload or not payload[0] & 0x08:
            return False
        if not payload[0] & 0x20:
            return True
        offset = 1 + (_picture_id_octets(payload) if payload[0] & 0x80 else 0)
        return len(payload) > offset and not payload[offset] & 0x0E

    def build(self, payloads: list[bytes]) -> Built | None:
        layers: list[bytes] = []
        part: list[bytes] = []
        for payload in payloads:
            offset = _frame_offset(payload)
            starts = bool(payload) and payload[0] & 0x08 != 0
            if offset is None or starts == bool(part):
                return None
            part.append(payload[offset:])
            if payload[0] & 0x04:
                layers.append(b"".join(part))
                part = []
        if part or not layers or not all(layers):
            return None
        return Built(_superframe(layers), _format(layers))


def _picture_id_octets(payload: bytes) -> int:
    return 2 if len(payload) > 1 and payload[1] & 0x80 else 1


def _frame_offset(payload: bytes) -> int | None:
    """Where the payload descriptor ends (RFC 9628 4.2); None where it runs over the end."""
    try:
        first = payload[0]
        position = 1
        if first & 0x80:
            position += _picture_id_octets(payload)
        if first & 0x20:
            position += 1 if first & 0x10 else 2
        if first & 0x10 and first & 0x40:
            for _ in range(3):
                position += 1
                if not payload[position - 1] & 1:
                    break
        if first & 0x02:
            position = _pass_structure(payload, position)
    except IndexError:
        return None
    return position if position < len(payload) else None


def _pass_structure(payload: bytes, position: int) -> int:
    head = payload[position]
    position += 1
    if head & 0x10:
        position += 4 * ((head >> 5) + 1)
    if head & 0x08:
        pictures = payload[position]
        position += 1
        for _ in range(pictures):
            position += 1 + (payload[position] >> 2 & 3)
    return position


def _superframe(layers: list[bytes]) -> bytes:
    if len(layers) == 1 or len(layers) > 8:
        return layers[0]
    octets = (max(map(len, layers)).bit_length() + 7) // 8
    marker = bytes((0xC0 | octets - 1 << 3 | len(layers) - 1,))
    return b"".join((*layers, marker, *(len(layer).to_bytes(octets, "little") for layer in layers), marker))


def _format(layers: list[bytes]) -> StreamFormat | None:
    """Of a key frame (VP9 6.2, uncompressed header), None for any other. The highest layer's size where it has one."""
    first = _key_size(layers[0])
    if first is None:
        return None
    sizes = [size for layer in layers if (size := _key_size(layer))]
    width, height = max(sizes)
    return StreamFormat("vp9", "V_VP9", b"", width, height)


def _key_size(frame: bytes) -> tuple[int, int] | None:
    bits = Bits(frame[:16])
    try:
        if bits.read(2) != 2:
            return None
        profile = bits.read(1) | bits.read(1) << 1
        if profile == 3:
            bits.read(1)
        if bits.flag() or bits.flag():
            return None
        bits.read(2)
        if bits.read(24) != 0x498342:
            return None
        if profile >= 2:
            bits.read(1)
        if bits.read(3) != 7:
            bits.read(1)
            if profile & 1:
                bits.read(3)
        elif profile & 1:
            bits.read(1)
        return bits.read(16) + 1, bits.read(16) + 1
    except ValueError:
        return None

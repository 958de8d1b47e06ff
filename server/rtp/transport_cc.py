"""Transport-wide feedback: which numbered packets arrived when (draft-holmer-rmcat-transport-wide-cc-extensions-01)."""

from collections.abc import Sequence
from struct import Struct

import msgspec

TICKS_A_SECOND = 4_000
"""Arrival times count in 250 µs."""
MAX_NUMBERS = 1_024
"""Of one feedback no more packets are heard, and none is made with more."""
FEEDBACK_FORMAT = 15
_RTPFB = 205
_TICKS_A_REFERENCE = 256
"""The reference time counts in 64 ms."""
_REFERENCES = 1 << 24
_HEADER = Struct("!LLHHL")
_LOST, _SMALL, _LARGE = 0, 1, 2
_MAX_RUN = 0x1FFF


class TransportFeedback(msgspec.Struct, frozen=True):
    """``arrivals[i]`` is when packet ``base + i`` (16 bits) came, in ticks of the receiver's clock; None: it did not.

    The clock starts anywhere and wraps after 12 days; ``number`` counts feedbacks, modulo 256.
    """

    sender_ssrc: int
    media_ssrc: int
    base: int
    number: int
    arrivals: tuple[int | None, ...]


def parse_transport_feedback(body: bytes) -> TransportFeedback:
    """Read what follows the RTCP header (3.1). ValueError or IndexError where it is malformed."""
    if len(body) < 16:
        raise ValueError("transport feedback is truncated")
    sender_ssrc, media_ssrc, base, count, last = _HEADER.unpack_from(body)
    if count > MAX_NUMBERS:
        raise ValueError("transport feedback reports too many packets")
    symbols, position = _read_symbols(body, count)
    ticks = (last >> 8) * _TICKS_A_REFERENCE
    arrivals: list[int | None] = []
    for symbol in symbols:
        if symbol == _LOST:
            arrivals.append(None)
            continue
        if symbol == _SMALL:
            ticks += body[position]
            position += 1
        elif symbol == _LARGE:
            delta = body[position] << 8 | body[position + 1]
            ticks += delta - 0x10000 if delta & 0x8000 else delta
            position += 2
        else:
            raise ValueError("transport feedback has a reserved symbol")
        arrivals.append(ticks)
    return TransportFeedback(sender_ssrc, media_ssrc, base, last & 0xFF, tuple(arrivals))


def _read_symbols(body: bytes, count: int) -> tuple[list[int], int]:
    """The status of each packet (3.1.1 to 3.1.4), and where the deltas begin."""
    symbols: list[int] = []
    position = 16
    while len(symbols) < count:
        chunk = body[position] << 8 | body[position + 1]
        position += 2
        if not chunk & 0x8000:
            symbols += [chunk >> 13] * min(chunk & _MAX_RUN, count - len(symbols))
            if not chunk & _MAX_RUN:
                raise ValueError("transport feedback has an empty run")
        elif chunk & 0x4000:
            symbols += [chunk >> shift & 3 for shift in range(12, -1, -2)]
        else:
            symbols += [chunk >> shift & 1 for shift in range(13, -1, -1)]
    return symbols[:count], position


def write_transport_feedback(
    sender_ssrc: int, media_ssrc: int, base: int, number: int, arrivals: Sequence[int | None]
) -> bytes:
    """A whole RTCP packet about ``base`` and what follows, MAX_NUMBERS at most, of which one came or more.

    What lies more than 8 s after the one before it cannot be said (ValueError): cut there.
    """
    first = next((arrival for arrival in arrivals if arrival is not None), None)
    if first is None or len(arrivals) > MAX_NUMBERS:
        raise ValueError("transport feedback reports a bounded number of packets, of which one came")
    reference = first // _TICKS_A_REFERENCE
    ticks = reference * _TICKS_A_REFERENCE
    symbols: list[int] = []
    deltas = bytearray()
    for arrival in arrivals:
        if arrival is None:
            symbols.append(_LOST)
            continue
        delta = arrival - ticks
        ticks = arrival
        if 0 <= delta <= 0xFF:
            symbols.append(_SMALL)
            deltas.append(delta)
        elif -0x8000 <= delta <= 0x7FFF:
            symbols.append(_LARGE)
            deltas += (delta & 0xFFFF).to_bytes(2, "big")
        else:
            raise ValueError("more than 8 s between two arrivals")
    fci = _HEADER.pack(
        sender_ssrc, media_ssrc, base & 0xFFFF, len(arrivals), reference % _REFERENCES << 8 | number & 0xFF
    )
    body = fci + _write_symbols(symbols) + deltas
    padding = -len(body) % 4
    if padding:
        body += bytes(padding - 1) + bytes((padding,))
    first_octet = 0x80 | (0x20 if padding else 0) | FEEDBACK_FORMAT
    return bytes((first_octet, _RTPFB)) + (len(body) // 4).to_bytes(2, "big") + body


def _write_symbols(symbols: list[int]) -> bytes:
    """Runs where seven or more are alike, else vectors of seven two-bit symbols."""
    chunks = bytearray()
    position = 0
    while position < len(symbols):
        symbol = symbols[position]
        end = position + 1
        while end < len(symbols) and symbols[end] == symbol and end - position < _MAX_RUN:
            end += 1
        if end - position >= 7 or end == len(symbols):
            chunks += (symbol << 13 | end - position).to_bytes(2, "big")
            position = end
            continue
        chunk = 0xC000
        for index, each in enumerate(symbols[position : position + 7]):
            chunk |= each << 12 - 2 * index
        chunks += chunk.to_bytes(2, "big")
        position += 7
    return bytes(chunks)

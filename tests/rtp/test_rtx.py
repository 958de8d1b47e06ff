"""Retransmission packets there and back, and as aiortc makes them."""

import struct

from aiortc.rtp import RtpPacket
from aiortc.rtp import unwrap_rtx as their_unwrap
from aiortc.rtp import wrap_rtx as their_wrap
from hypothesis import given
from hypothesis import strategies as st

from server.rtp.extensions import one_byte_element
from server.rtp.packet import RtpView, parse
from server.rtp.rtx import unwrap_rtx, wrap_rtx


def look(data: bytes) -> RtpView:
    view = parse(data)
    assert view is not None
    return view


@given(
    st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.booleans(), st.binary(max_size=50), st.integers(0, 0xFFFF)
)
def test_as_aiortc_wraps_and_unwraps(
    sequence: int, timestamp: int, marker: bool, payload: bytes, rtx_sequence: int
) -> None:
    theirs = RtpPacket(96, int(marker), sequence, timestamp, 1234, payload)
    wrapped = wrap_rtx(look(theirs.serialize()), 97, rtx_sequence, 5678)
    assert wrapped == their_wrap(theirs, 97, rtx_sequence, 5678).serialize()
    unwrapped = unwrap_rtx(look(wrapped), 96, 1234)
    assert unwrapped == their_unwrap(RtpPacket.parse(wrapped), 96, 1234).serialize()
    assert unwrapped == theirs.serialize()


def test_extensions_and_csrcs_stay_and_padding_goes() -> None:
    header = struct.pack("!BBHLL", 0xB1, 96, 7, 8, 9) + b"csrc" + b"\xbe\xde\x00\x01" + one_byte_element(3, b"ab")
    original = header + b"\0" + b"payload" + b"\0\x02"
    wrapped = wrap_rtx(look(original), 97, 1, 2)
    view = look(wrapped)
    assert (view.payload_type, view.sequence, view.ssrc, view.padded) == (97, 1, 2, False)
    assert view.extension(3) == b"ab"
    assert view.payload == b"\x00\x07payload"
    back = unwrap_rtx(view, 96, 9)
    assert back is not None
    assert look(back).payload == b"payload"
    assert back[12:16] == b"csrc"


def test_a_probe_carries_no_packet() -> None:
    probe = struct.pack("!BBHLL", 0xA0, 97, 1, 2, 3) + b"\x00" * 99 + bytes((100,))
    assert unwrap_rtx(look(probe), 96, 9) is None
    assert unwrap_rtx(look(struct.pack("!BBHLL", 0x80, 97, 1, 2, 3) + b"x"), 96, 9) is None

"""RTP headers: tables of the malformed, and a differential test against aiortc."""

import struct

import pytest
from aiortc.rtp import HeaderExtensionsMap, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from server.rtp.extensions import one_byte_element
from server.rtp.packet import RtpView, parse

HEADER = struct.pack("!BBHLL", 0x80, 0x80 | 96, 65_535, 0xFFFFFFFE, 0xDEADBEEF)


def look(data: bytes) -> RtpView:
    view = parse(data)
    assert view is not None
    return view


def test_plain_header() -> None:
    view = look(HEADER + b"payload")
    assert (view.payload_type, view.marker, view.sequence) == (96, True, 65_535)
    assert (view.timestamp, view.ssrc) == (0xFFFFFFFE, 0xDEADBEEF)
    assert (view.payload, view.payload_length, view.padded) == (b"payload", 7, False)
    assert view.extension(1) is None


@pytest.mark.parametrize(
    ("why", "data"),
    [
        ("empty", b""),
        ("one octet short", HEADER[:11]),
        ("version 1", b"\x40" + HEADER[1:]),
        ("version 3", b"\xc0" + HEADER[1:]),
        ("CSRC missing", b"\x81" + HEADER[1:]),
        ("CSRC cut short", b"\x8f" + HEADER[1:] + bytes(59)),
        ("extension header missing", b"\x90" + HEADER[1:] + b"\xbe\xde\x00"),
        ("extension body missing", b"\x90" + HEADER[1:] + b"\xbe\xde\x00\x01" + b"abc"),
        ("padding of none", b"\xa0" + HEADER[1:] + b"abc\x00"),
        ("padding longer than the payload", b"\xa0" + HEADER[1:] + b"ab\x04"),
        ("padding into the extension", b"\xb0" + HEADER[1:] + b"\xbe\xde\x00\x01" + b"\x00\x00\x00\x05"),
    ],
)
def test_malformed(why: str, data: bytes) -> None:
    assert parse(data) is None, why


def test_padding_is_not_payload() -> None:
    view = look(b"\xa0" + HEADER[1:] + b"ab\x00\x00\x03")
    assert view.payload == b"ab"
    assert view.padded


def test_a_packet_of_padding_alone_is_fine() -> None:
    assert look(b"\xa0" + HEADER[1:] + b"\x00\x02").payload == b""


def test_extensions_behind_csrcs() -> None:
    block = b"\xbe\xde\x00\x02" + one_byte_element(3, b"mid") + one_byte_element(5, b"x") + b"\0\0"
    view = look(b"\x92" + HEADER[1:] + bytes(8) + block + b"payload")
    assert view.extension(3) == b"mid"
    assert view.extension(5) == b"x"
    assert view.extension(4) is None
    assert view.payload == b"payload"


def test_two_byte_extensions() -> None:
    block = b"\x10\x05\x00\x02" + b"\x00\x20\x03mid" + b"\x07\x00" + b"\x00"
    view = look(b"\x90" + HEADER[1:] + block + b"payload")
    assert view.extension(0x20) == b"mid"
    assert view.extension(7) == b""
    assert view.extension(3) is None


def test_an_unknown_extension_profile_is_skipped() -> None:
    view = look(b"\x90" + HEADER[1:] + b"\x12\x34\x00\x01" + b"\x10a\x00\x00" + b"payload")
    assert view.extension(1) is None
    assert view.payload == b"payload"


def test_vp8_descriptor_is_read_once() -> None:
    view = look(HEADER + b"\x10\x00")
    assert view.vp8() is view.vp8()
    assert look(HEADER).vp8() is None


MAP = HeaderExtensionsMap()


@given(st.binary(max_size=80))
def test_agrees_with_aiortc_on_any_octets(data: bytes) -> None:
    _agree(data)


@given(st.integers(0, 255), st.binary(max_size=100))
def test_agrees_with_aiortc_on_anything_with_version_2(first: int, rest: bytes) -> None:
    _agree(bytes((0x80 | first & 0x3F,)) + rest)


def _agree(data: bytes) -> None:
    view = parse(data)
    complaint = ""
    try:
        theirs = RtpPacket.parse(data, MAP)
    except ValueError as error:
        complaint = str(error)
    if complaint:
        # aiortc looks into the extension elements at once, we when asked.
        assert view is None or "header extension" in complaint
        return
    assert view is not None
    assert (view.payload_type, view.marker) == (theirs.payload_type, bool(theirs.marker))
    assert (view.sequence, view.timestamp, view.ssrc) == (theirs.sequence_number, theirs.timestamp, theirs.ssrc)
    assert view.payload == theirs.payload
    assert len(data) - view.payload_end == theirs.padding_size

"""Header extension elements against aiortc's packer and parser."""

import pytest
from aiortc.rtp import pack_header_extensions, unpack_header_extensions
from hypothesis import given
from hypothesis import strategies as st

from server.rtp.extensions import abs_send_time, find_extension, one_byte_element


@given(st.lists(st.tuples(st.integers(1, 14), st.binary(min_size=1, max_size=16)), max_size=6))
def test_one_byte_form_as_aiortc_writes_it(elements: list[tuple[int, bytes]]) -> None:
    ours = b"".join(one_byte_element(*element) for element in elements)
    profile, theirs = pack_header_extensions(elements)
    assert theirs == ours.ljust(len(theirs), b"\0")
    assert profile == (0xBEDE if elements else 0)


@pytest.mark.parametrize(("extension_id", "value"), [(0, b"a"), (15, b"a"), (1, b""), (1, bytes(17))])
def test_what_the_one_byte_form_cannot_hold(extension_id: int, value: bytes) -> None:
    with pytest.raises(ValueError, match="not a one-byte header extension"):
        one_byte_element(extension_id, value)


@given(st.binary(max_size=40), st.booleans(), st.integers(1, 255))
def test_agrees_with_aiortc_on_any_octets(block: bytes, one_byte: bool, extension_id: int) -> None:
    found = find_extension(block, 0, len(block), one_byte, extension_id)
    try:
        theirs = unpack_header_extensions(0xBEDE if one_byte else 0x1000, block)
    except ValueError:
        return
    # Where the one-byte form is stopped by id 15 (RFC 8285 4.2) aiortc reads on.
    stop = next((index for index, (key, _) in enumerate(theirs) if one_byte and key == 15), len(theirs))
    assert found == next((value for key, value in theirs[:stop] if key == extension_id), None)


@pytest.mark.parametrize(
    ("one_byte", "block"),
    [
        (True, b"\x13abc"),
        (False, b"\x01"),
        (False, b"\x01\x04abc"),
        (True, b"\xf0a\x10b"),
        (True, b""),
    ],
)
def test_cut_short_or_stopped_is_absent(one_byte: bool, block: bytes) -> None:
    assert find_extension(block, 0, len(block), one_byte, 1) is None


def test_what_lies_behind_the_block_is_not_looked_at() -> None:
    assert find_extension(b"\x11ab", 0, 2, True, 1) is None
    assert find_extension(b"\x00\x11ab", 1, 4, True, 1) == b"ab"


@pytest.mark.parametrize(
    ("now", "stamp"), [(0.0, 0), (1.0, 1 << 18), (63.999999, 0xFFFFFF), (64.0, 0), (1_750_000_000.5, 1 << 17)]
)
def test_abs_send_time_wraps_every_64_seconds(now: float, stamp: int) -> None:
    assert abs_send_time(now) == stamp

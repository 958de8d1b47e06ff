"""Transport-wide feedback: by hand as the draft draws it, and back and forth for anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import InvalidInput
from server.rtp import rtcp
from server.rtp.transport_cc import MAX_NUMBERS, TransportFeedback, parse_transport_feedback, write_transport_feedback

HEAD = b"\x00\x00\x00\x01\x00\x00\x00\x02"


def feedback(data: bytes) -> TransportFeedback:
    (packet,) = rtcp.parse(data)
    assert isinstance(packet, TransportFeedback)
    return packet


@pytest.mark.parametrize(
    ("chunks_and_deltas", "count", "arrivals"),
    [
        # A run of three that came within 63.75 ms each (3.1.3).
        (b"\x20\x03" + b"\x04\x08\x00\x00\x00\x00", 3, (2_564, 2_572, 2_572)),
        # A vector of fourteen one-bit symbols, of which five count (3.1.4, S=0).
        (b"\xac\x00" + b"\x01\x02\x03", 5, (2_561, None, 2_563, 2_566, None)),
        # A vector of two-bit symbols: came, far off (back by 4 ticks), lost (3.1.4, S=1).
        (b"\xd8\x00" + b"\x08\xff\xfc\0\0\0", 3, (2_568, 2_564, None)),
        # A run of lost ones between.
        (b"\x20\x01\x00\x02\x20\x01" + b"\x00\x01", 4, (2_560, None, None, 2_561)),
    ],
)
def test_as_the_draft_draws_it(chunks_and_deltas: bytes, count: int, arrivals: tuple[int | None, ...]) -> None:
    body = HEAD + b"\xff\xfe" + count.to_bytes(2, "big") + b"\x00\x00\x0a\x07" + chunks_and_deltas
    assert parse_transport_feedback(body) == TransportFeedback(1, 2, 65_534, 7, arrivals)


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        b"\x00\x01\x00\x03\x00\x00\x00\x00",
        b"\x00\x01\x00\x03\x00\x00\x00\x00\x20",
        b"\x00\x01\x00\x03\x00\x00\x00\x00\x20\x03\x01",
        b"\x00\x01\x00\x03\x00\x00\x00\x00\x40\x01\x01",
        b"\x00\x01\x00\x03\x00\x00\x00\x00\x20\x00\x00\x00",
        b"\x00\x01\x00\x01\x00\x00\x00\x00\xf0\x00\x00\x00",
        b"\x00\x01\xff\xff\x00\x00\x00\x00\x20\x01\x00\x00",
    ],
)
def test_malformed_is_refused(tail: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        parse_transport_feedback(HEAD + tail)


def test_cut_short_is_the_one_error() -> None:
    whole = write_transport_feedback(1, 2, 3, 4, [1_000, None, 1_004])
    for length in range(4, len(whole)):
        with pytest.raises(InvalidInput):
            rtcp.parse(whole[:length])
    assert len(rtcp.parse(whole + rtcp.pli(1, 2))) == 2


arrivals = st.lists(st.none() | st.integers(-30_000, 30_000), max_size=300).map(
    lambda steps: [None, 100_000, *(None if step is None else 100_000 + step // 2 for step in steps)]
)


@given(st.integers(0, 0xFFFF), st.integers(0, 255), arrivals, st.booleans())
def test_what_is_written_is_read(base: int, number: int, ticks: list[int | None], steady: bool) -> None:
    if steady:
        ticks = [100_000 + index if tick is not None else None for index, tick in enumerate(ticks)]
    packet = write_transport_feedback(5, 6, base, number, ticks)
    assert len(packet) % 4 == 0
    assert feedback(packet) == TransportFeedback(5, 6, base, number, tuple(ticks))


def test_what_cannot_be_said_is_refused() -> None:
    for ticks in ([None], [0, 40_000], [0] * (MAX_NUMBERS + 1)):
        with pytest.raises(ValueError, match=r"transport feedback|more than 8 s"):
            write_transport_feedback(1, 2, 3, 4, ticks)


@given(st.binary(max_size=80))
def test_garbage_gives_feedback_or_the_one_error(tail: bytes) -> None:
    body = (HEAD + tail).ljust(len(HEAD + tail) + 3 & ~3, b"\0")
    packet = b"\x8f\xcd" + (len(body) // 4).to_bytes(2, "big") + body
    code = ""
    try:
        assert len(feedback(packet).arrivals) <= MAX_NUMBERS
    except InvalidInput as error:
        code = error.code
    assert code in ("", "malformed_rtcp")

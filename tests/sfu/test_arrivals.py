"""Feedback to publishers that number their packets: what came, what did not, and nothing twice."""

from hypothesis import given
from hypothesis import strategies as st

from server.rtp import rtcp
from server.rtp.extensions import abs_send_time
from server.rtp.transport_cc import MAX_NUMBERS, TransportFeedback
from server.sfu.arrivals import FEEDBACK_INTERVAL_S, ArrivalLog
from server.sfu.ports import Codec, Extensions
from tests.sfu.hall import Hall, look
from tests.sfu.packets import MID, SEND_TIME, VP8, camera, mic, rtp

NUMBER = 6
NUMBERED = Codec(96, "vp8", 90_000, rtx_payload_type=97, nack=True, pli=True, remb=True, transport_cc=True)
EXTENSIONS = Extensions(mid=MID, abs_send_time=SEND_TIME, transport_cc=NUMBER)


def numbered(
    number: int, sequence: int = 1, payload_type: int = 96, ssrc: int = 200, payload: bytes = b"\x10"
) -> bytes:
    bare = (number & 0xFFFF).to_bytes(2, "big")
    return rtp(payload_type, sequence, 9, ssrc, payload, extensions=((MID, b"1"), (NUMBER, bare)))


def take(log: ArrivalLog) -> TransportFeedback | None:
    data = log.take(1, 2)
    if not data:
        return None
    (packet,) = rtcp.parse(data)
    assert isinstance(packet, TransportFeedback)
    return packet


def put(log: ArrivalLog, number: int, now: float) -> bool:
    return log.arrived(look(numbered(number)), NUMBER, now)


def test_losses_between_feedbacks_are_reported_and_late_ones_mended() -> None:
    log = ArrivalLog(100.0)
    assert take(log) is None
    assert put(log, 65_534, 100.0)
    assert not put(log, 65_535, 100.01)
    assert take(log) == TransportFeedback(1, 2, 65_534, 0, (0, 40))
    assert put(log, 3, 100.1)
    assert take(log) == TransportFeedback(1, 2, 0, 1, (None, None, None, 400))
    put(log, 1, 100.2)
    assert take(log) == TransportFeedback(1, 2, 1, 2, (800, None, 400))
    put(log, 1, 100.3)
    assert take(log) is None, "a duplicate says nothing new"
    put(log, 4, 107.0)
    put(log, 5, 107.1)
    put(log, 2, 107.2)
    found = take(log)
    assert found is not None
    assert found.arrivals == (28_800, None, 28_000, 28_400), "what came long ago is not said again"


def test_a_jump_starts_anew_and_what_is_far_behind_is_passed_over() -> None:
    log = ArrivalLog(0.0)
    put(log, 10, 0.0)
    take(log)
    put(log, 5_000, 0.1)
    assert take(log) == TransportFeedback(1, 2, 5_000, 1, (400,))
    put(log, 4_000, 0.2)
    assert take(log) is None


def test_bounded() -> None:
    log = ArrivalLog(0.0)
    for number in range(3 * MAX_NUMBERS):
        put(log, number, number / 10_000)
    found = take(log)
    assert found is not None
    assert len(found.arrivals) == MAX_NUMBERS
    for number in range(MAX_NUMBERS, 3 * MAX_NUMBERS, 3):
        put(log, number, number / 1_000)
        take(log)
    assert len(log._arrived) <= MAX_NUMBERS + 1


def test_without_a_number_nothing_is_noted() -> None:
    log = ArrivalLog(0.0)
    assert not log.arrived(look(rtp(96, 1, 2, 3, b"")), NUMBER, 0.0)
    assert not log.arrived(look(rtp(96, 1, 2, 3, b"", extensions=((NUMBER, b"\0"),))), NUMBER, 0.0)


@given(st.lists(st.tuples(st.integers(-700, 700), st.floats(0.0, 5.0), st.booleans()), max_size=60))
def test_any_order_gives_well_formed_feedback(steps: list[tuple[int, float, bool]]) -> None:
    log, number, now, reported = ArrivalLog(0.0), 0, 0.0, 0
    for step, wait_s, is_due in steps:
        number, now = number + step, now + wait_s
        put(log, number, now)
        if is_due:
            found = take(log)
            if found is not None:
                assert found.number == reported & 0xFF
                assert any(arrival is not None for arrival in found.arrivals)
                reported += 1


def feedbacks(hall: Hall, peer: int) -> list[TransportFeedback]:
    return [packet for _, packet in hall.feedback[peer] if isinstance(packet, TransportFeedback)]


def test_a_publisher_that_numbers_is_told_arrivals_and_no_remb() -> None:
    hall = Hall()
    hall.join(1, [mic(), camera(codecs=(NUMBERED,), extensions=EXTENSIONS)])
    for number in range(100):
        if number % 10:
            hall.send(1, numbered(number, sequence=number))
        hall.advance(0.010)
    hall.advance(FEEDBACK_INTERVAL_S)
    told = feedbacks(hall, 1)
    assert 9 <= len(told) <= 11
    numbers = [(each.base + index, at is not None) for each in told for index, at in enumerate(each.arrivals)]
    assert [number for number, _ in numbers] == list(range(1, 100))
    assert all(came == bool(number % 10) for number, came in numbers)
    assert hall.rembs(1) == []
    hall.send(1, numbered(99, sequence=99))
    hall.advance(FEEDBACK_INTERVAL_S)
    assert len(feedbacks(hall, 1)) == len(told), "a duplicate is no news"


def test_probes_and_retransmissions_nobody_missed_are_told_too() -> None:
    hall = Hall()
    hall.join(1, [camera(codecs=(NUMBERED,), extensions=EXTENSIONS, rtx_of={700: 200})])
    hall.send(1, numbered(0, sequence=5))
    hall.send(1, numbered(1, payload_type=97, ssrc=700, payload=b"\x00\x05\x10"))
    hall.send(1, numbered(2, payload_type=97, ssrc=700, payload=b""))
    hall.advance(0.2)
    hall.send(1, numbered(3, payload_type=97, ssrc=700, payload=b""))
    hall.advance(0.2)
    assert [len(each.arrivals) for each in feedbacks(hall, 1)] == [3, 1]


def test_numbers_that_nobody_wants_reported_are_not() -> None:
    hall = Hall()
    hall.join(1, [camera(codecs=(VP8,), extensions=EXTENSIONS)])
    stamp = (SEND_TIME, abs_send_time(hall.now).to_bytes(3, "big"))
    hall.send(1, rtp(96, 1, 9, 200, b"\x10", extensions=((MID, b"1"), (NUMBER, b"\0\0"), stamp)))
    hall.advance(1.0)
    assert feedbacks(hall, 1) == []
    assert hall.rembs(1)

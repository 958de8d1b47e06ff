"""The C fan-out is the Python one, to the octet: what it sends, to whom, in which order, and what it counts.

tests/transport/test_native_sanitized.py runs all of this again with AddressSanitizer and UndefinedBehaviorSanitizer.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.rtp.packet import RtpView, parse
from server.sfu.flows import Flow, SentCount
from server.sfu.rewrite import rewrite
from server.sfu.sent_log import SENT_LOG_PACKETS, SentLog
from server.transport import fanout, srtp, udp
from server.transport.native_sources import source_digest
from tests.transport.fanning import NOW, Stall, Viewer, c_fanout, flows, python_fanout, views

native = pytest.importorskip("server.transport.native", exc_type=ImportError)

DESTINATIONS = 3


def test_what_was_built_is_of_these_sources() -> None:
    assert native.ffi.string(native.lib.fanout_source_digest()).decode() == source_digest()


def test_the_numbers_are_those_of_python() -> None:
    lib = native.lib
    assert (lib.MAX_QUEUED, lib.MAX_PACKET_OCTETS) == (fanout.MAX_QUEUED, srtp.MAX_PACKET_OCTETS)
    assert (lib.MAX_RUN_DATAGRAMS, lib.MAX_RUN_OCTETS) == (udp.MAX_RUN_DATAGRAMS, udp.MAX_RUN_OCTETS)
    assert lib.SENT_LOG_PACKETS == SENT_LOG_PACKETS
    assert lib.MAX_DATAGRAM_OCTETS == udp.MAX_DATAGRAM_OCTETS


def test_every_field_of_a_flow_is_mirrored() -> None:
    """A field that is new in Flow must be thought of in C; this fails until it is listed here."""
    assert {field.name for field in fields(Flow)} == {
        "destination", "ssrc", "payload_type", "seq_delta", "timestamp_delta", "vp8", "pid_delta", "tl0_delta",
        "mid_id", "mid", "level_id", "abs_send_time_id", "level_from_id", "transport_cc_id", "sent_log", "sent",
    }  # fmt: skip


# --- the same bytes -------------------------------------------------------------------------------------------------


class Hall:
    """The same viewers behind either fan-out, each with sessions under the same keys."""

    def __init__(self, profile: srtp.SrtpProfile) -> None:
        self.viewers = [Viewer(profile) for _ in range(DESTINATIONS)]
        self.stalls = {name: Stall(make) for name, make in (("python", python_fanout), ("c", c_fanout))}

    def begin(self) -> None:
        """Fresh sessions; the last destination is nobody's."""
        for stall in self.stalls.values():
            stall.drops.clear()
            for number, viewer in enumerate(self.viewers[:-1]):
                stall.fan.register(number, viewer.address, viewer.session(stall.drops))

    def close(self) -> None:
        for viewer in self.viewers:
            viewer.close()
        for stall in self.stalls.values():
            stall.close()


@pytest.fixture(scope="module")
def halls() -> Iterator[dict[str, Hall]]:
    made = {profile.name: Hall(profile) for profile in srtp.PROFILES}
    yield made
    for hall in made.values():
        hall.close()


@pytest.mark.parametrize("profile", [profile.name for profile in srtp.PROFILES])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_same_bytes_in_the_same_order(halls: dict[str, Hall], profile: str, data: st.DataObject) -> None:
    hall = halls[profile]
    hall.begin()
    packets = data.draw(st.lists(views(), min_size=1, max_size=6))
    logs = {name: [SentLog() for _ in range(DESTINATIONS)] for name in hall.stalls}
    first_number = data.draw(st.sampled_from((0, 65_535, 0xFFFFFFFF)))
    for log in (*logs["python"], *logs["c"]):
        log.next_number[0] = first_number
    tables = data.draw(
        st.lists(st.lists(flows(DESTINATIONS, logs["python"]), max_size=8).map(tuple), min_size=1, max_size=3)
    )
    chosen = [data.draw(st.sampled_from(tables)) for _ in packets]
    outcomes = {name: _carry(hall, name, packets, chosen, logs[name]) for name in hall.stalls}
    assert outcomes["c"] == outcomes["python"]
    for ours, theirs in zip(logs["c"], logs["python"], strict=True):
        assert (ours.next_number, ours.sent_at, ours.octets) == (theirs.next_number, theirs.sent_at, theirs.octets)


def _carry(
    hall: Hall, name: str, packets: list[RtpView], tables: list[tuple[Flow, ...]], logs: list[SentLog]
) -> tuple[object, ...]:
    """What came to every viewer, what was dropped, what each flow and the fan-out counted."""
    stall = hall.stalls[name]
    fan = stall.fan
    before = fan.packets, fan.octets
    copied: dict[int, tuple[Flow, ...]] = {}
    for view, table in zip(packets, tables, strict=True):
        own = copied.setdefault(id(table), tuple(_own(flow, logs) for flow in table))
        fan.forward(view, own, NOW)
    fan.flush()
    came = [viewer.received() for viewer in hall.viewers]
    counts = [(flow.sent.packets, flow.sent.octets) for own in copied.values() for flow in own]
    return came, +stall.drops, counts, fan.packets - before[0], fan.octets - before[1]


def _own(flow: Flow, logs: list[SentLog]) -> Flow:
    log = logs[flow.destination] if flow.sent_log is not None else None
    return replace(flow, sent=SentCount(), sent_log=log)


# --- the flow's mirror ----------------------------------------------------------------------------------------------


def test_counts_go_on_where_another_fanout_left_them() -> None:
    viewer, stalls = Viewer(), [Stall(python_fanout), Stall(c_fanout), Stall(python_fanout)]
    flow = Flow(1, 11, 96)
    for number, stall in enumerate(stalls, 1):
        stall.fan.register(1, viewer.address, viewer.session())
        stall.fan.forward(_view(number), (flow,), NOW)
        stall.fan.flush()
        stall.close()
    assert (flow.sent.packets, flow.sent.octets) == (3, 3 * len(b"payload"))
    assert len(viewer.received()) == 3
    viewer.close()


def test_a_table_is_forgotten_when_a_viewer_comes_or_goes() -> None:
    viewer, stall = Viewer(), Stall(c_fanout)
    table = (Flow(1, 11, 96),)
    for number in range(3):
        stall.fan.forward(_view(number), table, NOW)
        if number % 2:
            stall.fan.unregister(1)
        else:
            stall.fan.register(1, viewer.address, viewer.session())
    stall.fan.flush()
    assert stall.drops == {"not_connected": 2}
    assert viewer.received() == []
    stall.close()
    viewer.close()


def test_tables_seen_once_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.transport.native_fanout.MAX_TABLES", 8)
    viewer, stall = Viewer(), Stall(c_fanout)
    stall.fan.register(1, viewer.address, viewer.session())
    flow = Flow(1, 11, 96)
    for number in range(30):
        table = (flow,)
        stall.fan.forward(_view(number), table, NOW)
        assert len(stall.fan._tables) <= 8  # type: ignore[attr-defined]  # no other way to see it
    stall.fan.flush()
    assert [packet is not None for packet in viewer.packets()] == [True] * 30
    stall.close()
    viewer.close()


def test_a_view_that_lies_is_a_defect_of_ours() -> None:
    stall = Stall(c_fanout)
    for start, end in ((11, 19), (12, 99), (19, 12)):
        lie = RtpView(_view(1).data, 96, False, 1, 1, 1, start, end)
        with pytest.raises(AssertionError):
            stall.fan.forward(lie, (Flow(1, 11, 96),), NOW)
    with pytest.raises(AssertionError):
        stall.fan.forward(_view(1), (Flow(1, 11, 96, mid_id=3),), NOW)
    assert stall.drops == Counter()
    stall.close()


def _view(sequence: int) -> RtpView:
    from tests.transport.test_fanout import view

    return view(sequence)


BLOCKS = {
    "found": "bede0001 10850000",
    "after padding": "bede0002 00001085 00000000",
    "behind id 15, which ends the block": "bede0002 f0001085 00000000",
    "longer than the block": "bede0001 20001f85",
    "up to the end of the block": "bede0001 2000 1085",
    "two-byte form": "10000001 01018500",
    "two-byte form, empty": "10000001 01000000",
    "two-byte form, id 15 ends nothing": "10000002 0f000101 85000000",
    "two-byte form, head cut": "10000001 02010001",
    "neither form": "12340001 10850000",
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_levels_are_found_where_the_reference_finds_them(block: str) -> None:
    viewer, stall = Viewer(), Stall(c_fanout)
    stall.fan.register(1, viewer.address, viewer.session())
    packet = parse(bytes.fromhex("906f000100000002 00000003" + block) + b"opus")
    assert packet is not None
    flow = Flow(1, 11, 111, level_id=6, level_from_id=1)
    stall.fan.forward(packet, (flow,), NOW)
    stall.fan.flush()
    assert viewer.packets() == [rewrite(packet, flow, 0)]
    stall.close()
    viewer.close()

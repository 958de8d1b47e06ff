"""The flow table tells a mirror that it changed."""

from server.sfu.flows import Flow, FlowTable


def test_adds_and_removes_by_identity() -> None:
    table, one, twin = FlowTable(), Flow(1, 2, 3), Flow(1, 2, 3)
    assert table.flows(7) == ()
    table.add(7, one)
    table.add(7, twin)
    assert table.flows(7) == (one, twin)
    table.remove(7, one)
    assert table.flows(7) == (twin,)
    table.remove(7, twin)
    assert table.by_stream == {}
    assert table.version == 4


def test_what_was_taken_out_stays_as_it_was() -> None:
    table, flow = FlowTable(), Flow(1, 2, 3)
    table.add(7, flow)
    taken = table.flows(7)
    table.add(7, Flow(4, 5, 6))
    assert taken == (flow,)

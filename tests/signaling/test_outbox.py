from hypothesis import given
from hypothesis import strategies as st

from server.signaling.outbox import Outbox


def drain(outbox: Outbox) -> list[bytes]:
    return list(iter(outbox.take, None))


def test_messages_keep_their_order() -> None:
    outbox = Outbox()
    for data in (b"1", b"2", b"3"):
        assert outbox.put(data)
    assert drain(outbox) == [b"1", b"2", b"3"]
    assert outbox.take() is None


def test_a_newer_state_replaces_the_one_that_waits() -> None:
    outbox = Outbox()
    outbox.put(b"floor 1", "floor")
    outbox.put(b"chat")
    outbox.put(b"floor 2", "floor")
    assert outbox.merged == 1
    assert "floor" in outbox
    assert drain(outbox) == [b"chat", b"floor 2"]
    assert "floor" not in outbox


def test_what_was_sent_is_not_replaced() -> None:
    outbox = Outbox()
    outbox.put(b"floor 1", "floor")
    assert outbox.take() == b"floor 1"
    outbox.put(b"floor 2", "floor")
    assert outbox.merged == 0
    assert drain(outbox) == [b"floor 2"]


def test_the_welcome_goes_before_what_waits() -> None:
    outbox = Outbox()
    outbox.put(b"slots", "slots")
    outbox.put_first(b"welcome")
    outbox.put(b"done")
    assert drain(outbox) == [b"welcome", b"slots", b"done"]


def test_too_many_messages() -> None:
    outbox = Outbox(max_messages=2)
    assert outbox.put(b"1")
    assert outbox.put(b"2")
    assert not outbox.put(b"3")


def test_too_many_octets() -> None:
    outbox = Outbox(max_octets=5)
    assert outbox.put(b"123", "a")
    assert outbox.put(b"12345", "a"), "the replaced one no longer counts"
    assert not outbox.put(b"1")
    outbox.clear()
    assert len(outbox) == 0
    assert outbox.put(b"12345")


@given(st.lists(st.tuples(st.sampled_from("abc-"), st.booleans()), max_size=100))
def test_nothing_stale_and_nothing_lost(steps: list[tuple[str, bool]]) -> None:
    """Whatever is put and taken: states only move forward, the last of each arrives, other messages all do."""
    outbox = Outbox()
    received: list[tuple[str, int]] = []

    def take() -> None:
        data = outbox.take()
        if data is not None:
            name, number = data.decode().split()
            received.append((name, int(number)))

    for number, (name, takes) in enumerate(steps):
        outbox.put(f"{name} {number}".encode(), None if name == "-" else name)
        if takes:
            take()
    while len(outbox):
        take()
    for name in "abc":
        seen = [number for got, number in received if got == name]
        assert seen == sorted(seen)
        last = max((number for number, (put, _) in enumerate(steps) if put == name), default=None)
        assert seen[-1:] == ([last] if last is not None else [])
    assert [n for got, n in received if got == "-"] == [n for n, (put, _) in enumerate(steps) if put == "-"]

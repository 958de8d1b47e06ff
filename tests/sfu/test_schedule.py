"""One heap of deadlines: the earliest first, one a key, and no growth from what was replaced."""

from hypothesis import given
from hypothesis import strategies as st

from server.sfu.schedule import Schedule


def run_until(schedule: Schedule, now: float) -> None:
    while (run := schedule.pop(now)) is not None:
        run(now)


def test_runs_in_order_and_only_what_is_due() -> None:
    schedule, ran = Schedule(), list[str]()
    schedule.set("late", 3.0, lambda _: ran.append("late"))
    schedule.set("early", 1.0, lambda _: ran.append("early"))
    assert schedule.next_deadline() == 1.0
    run_until(schedule, 2.0)
    assert ran == ["early"]
    assert schedule.next_deadline() == 3.0
    run_until(schedule, 3.0)
    assert ran == ["early", "late"]
    assert schedule.next_deadline() is None
    assert schedule.pop(9.0) is None


def test_a_key_has_one_deadline() -> None:
    schedule, ran = Schedule(), list[str]()
    schedule.set("key", 1.0, lambda _: ran.append("first"))
    schedule.set("key", 2.0, lambda _: ran.append("second"))
    run_until(schedule, 5.0)
    assert ran == ["second"]


def test_bring_forward_never_puts_off() -> None:
    schedule, ran = Schedule(), list[str]()
    schedule.bring_forward("key", 2.0, lambda _: ran.append("at 2"))
    schedule.bring_forward("key", 3.0, lambda _: ran.append("at 3"))
    assert schedule.next_deadline() == 2.0
    schedule.bring_forward("key", 1.0, lambda _: ran.append("at 1"))
    run_until(schedule, 5.0)
    assert ran == ["at 1"]


def test_cancelled_is_not_run() -> None:
    schedule, ran = Schedule(), list[str]()
    schedule.set("key", 1.0, lambda _: ran.append("key"))
    schedule.cancel("key")
    schedule.cancel("unknown")
    run_until(schedule, 5.0)
    assert ran == []


def test_replaced_deadlines_do_not_pile_up() -> None:
    schedule, ran = Schedule(), list[float]()
    for number in range(1_000):
        schedule.set("key", 1_000.0 - number, ran.append)
    assert len(schedule._heap) < 100
    run_until(schedule, 2_000.0)
    assert ran == [2_000.0]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 100)), max_size=300))
def test_the_last_word_counts_and_memory_stays_bounded(settings: list[tuple[int, int]]) -> None:
    schedule, ran = Schedule(), list[tuple[int, int]]()
    for key, at in settings:
        schedule.set(key, float(at), lambda _, entry=(key, at): ran.append(entry))  # type: ignore[misc]  # bound early
        assert len(schedule._heap) <= 64 + 4 * 6 + 1
    run_until(schedule, 100.0)
    assert sorted(ran) == sorted(dict(settings).items())
    assert [at for _, at in ran] == sorted(at for _, at in ran)

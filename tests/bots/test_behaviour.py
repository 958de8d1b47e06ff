"""A virtual endpoint's habits on virtual time."""

import pytest

from server.bots.behaviour import QUIET, Behaviour, Habits
from server.room.commands import CancelRequest, PersonCommand, ReleaseFloor, RequestFloor, Say


def run(behaviour: Behaviour, until: float, *, speaking: bool = False, queued: bool = False) -> list[PersonCommand]:
    said: list[PersonCommand] = []
    now = behaviour.next_deadline()
    while now <= until:
        behaviour.observe(speaking=speaking, queued=queued, now=now)
        command = behaviour.decide(now)
        if command is not None:
            said.append(command)
        now = behaviour.next_deadline()
    return said


def test_it_asks_for_the_floor_now_and_then_with_a_subject() -> None:
    said = run(Behaviour(Habits(request_every_s=60, chat_every_s=0), 1, 0.0), 3_600)
    assert all(isinstance(command, RequestFloor) and command.subject for command in said)
    assert 40 <= len(said) <= 90


def test_the_same_seed_behaves_the_same() -> None:
    first, again, other = (run(Behaviour(Habits(), seed, 0.0), 10_000) for seed in (7, 7, 8))
    assert first == again != other


def test_it_gives_the_floor_back_after_a_while() -> None:
    behaviour = Behaviour(Habits(request_every_s=0, chat_every_s=0, speak_for_s=20), 1, 0.0)
    behaviour.observe(speaking=True, queued=False, now=100.0)
    release_at = behaviour.next_deadline()
    assert 106 <= release_at <= 134
    assert behaviour.decide(release_at - 1) is None
    assert behaviour.decide(release_at) == ReleaseFloor()
    behaviour.observe(speaking=False, queued=False, now=release_at)
    assert behaviour.next_deadline() == float("inf")


def test_it_does_not_ask_while_it_waits_or_speaks_and_gives_up_waiting() -> None:
    habits = Habits(request_every_s=10, chat_every_s=0, give_up_after_s=50)
    behaviour = Behaviour(habits, 1, 0.0)
    behaviour.observe(speaking=False, queued=True, now=0.0)
    assert run(behaviour, 90, queued=True)[0] == CancelRequest()


def test_a_floor_withdrawn_is_not_given_back() -> None:
    behaviour = Behaviour(Habits(request_every_s=0, chat_every_s=0, speak_for_s=20), 1, 0.0)
    behaviour.observe(speaking=True, queued=False, now=0.0)
    behaviour.observe(speaking=False, queued=False, now=1.0)
    assert behaviour.decide(1_000.0) is None


def test_it_chats() -> None:
    said = run(Behaviour(Habits(request_every_s=0, chat_every_s=60), 1, 0.0), 600)
    assert said
    assert all(isinstance(command, Say) for command in said)


@pytest.mark.parametrize("speaking", [True, False])
def test_a_quiet_one_does_nothing(speaking: bool) -> None:
    behaviour = Behaviour(QUIET, 1, 0.0)
    behaviour.observe(speaking=speaking, queued=False, now=0.0)
    assert behaviour.next_deadline() == float("inf")
    assert behaviour.decide(1e9) is None

"""The rules of the lock-out, as tables. SCENARIOS row 36 is played out in test_sign_in.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.directory.lockout import Failures, is_locked, source_of

ALLOWED = 5
counts = st.integers(0, 200)


@pytest.mark.parametrize(
    ("failures", "locked"),
    [
        (Failures(pair=0, source=0, account=0, familiar=False), False),
        (Failures(pair=4, source=4, account=4, familiar=False), False),
        (Failures(pair=5, source=5, account=5, familiar=False), True),
        (Failures(pair=5, source=5, account=5, familiar=True), True),
        (Failures(pair=0, source=19, account=0, familiar=False), False),
        (Failures(pair=0, source=20, account=0, familiar=False), True),
        (Failures(pair=0, source=20, account=0, familiar=True), False),
        (Failures(pair=0, source=0, account=49, familiar=False), False),
        (Failures(pair=0, source=0, account=50, familiar=False), True),
        (Failures(pair=0, source=0, account=50, familiar=True), False),
        (Failures(pair=4, source=500, account=500, familiar=True), False),
    ],
)
def test_the_three_limits(failures: Failures, locked: bool) -> None:
    assert is_locked(failures, ALLOWED) is locked


@given(st.builds(Failures, counts, counts, counts, st.booleans()))
def test_the_usual_desk_is_never_worse_off_than_a_strange_one(failures: Failures) -> None:
    at_desk = Failures(failures.pair, failures.source, failures.account, familiar=True)
    strange = Failures(failures.pair, failures.source, failures.account, familiar=False)

    assert is_locked(strange, ALLOWED) or not is_locked(at_desk, ALLOWED)
    assert is_locked(at_desk, ALLOWED) == (failures.pair >= ALLOWED)


@pytest.mark.parametrize(
    ("remote", "source"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:" + "x" * 200, "unix:" + "x" * 95),
    ],
)
def test_one_guesser_is_one_source(remote: str, source: str) -> None:
    assert source_of(remote) == source

"""Who is what in a meeting: the five rules as a table, and what must hold for any account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.meetings.roles import Bond, knows_of, may_manage, reach, role_in, seat_in
from server.room.commands import MeetingRole
from server.store.meetings import MeetingState
from server.store.records import Account, Role, RoleGrant
from server.store.unit_tree import UnitTree

TREE = UnitTree([("p", None, "Tỉnh"), ("host", "p", "Văn phòng"), ("other", "p", "Huyện")])
OPEN, ENDED = MeetingState.OPEN, MeetingState.ENDED


def make_account(*grants: tuple[Role, str | None], disabled: bool = False) -> Account:
    held = tuple(RoleGrant(role, unit_id) for role, unit_id in grants)
    return Account("acc", "name", "Tên", held, endpoint_id="ept", disabled=disabled)


def make_bond(
    account: Account, *, state: MeetingState = OPEN, deputy_order: int | None = None, invited: bool = False
) -> Bond:
    return Bond(state, deputy_order, invited, reach(account, "host", TREE))


@pytest.mark.parametrize(
    ("grants", "deputy_order", "invited", "role", "seat"),
    [
        ([(Role.CHAIR, None)], 0, False, MeetingRole.CHAIR, None),
        ([(Role.CHAIR, None)], 0, True, MeetingRole.CHAIR, "ept"),
        ([(Role.CHAIR, None)], 1, True, MeetingRole.DEPUTY, "ept"),
        ([(Role.CHAIR, None)], 7, False, MeetingRole.DEPUTY, None),
        ([(Role.CHAIR, None)], None, False, None, None),
        ([(Role.CHAIR, None)], None, True, None, None),
        ([(Role.CHAIR, None), (Role.OPERATOR, None)], 0, False, MeetingRole.CHAIR, None),
        ([(Role.OPERATOR, None)], None, False, MeetingRole.OPERATOR, None),
        ([(Role.OPERATOR, "p")], None, False, MeetingRole.OPERATOR, None),
        ([(Role.OPERATOR, "host")], None, True, MeetingRole.OPERATOR, None),
        ([(Role.OPERATOR, "other")], None, False, None, None),
        ([(Role.OPERATOR, "other"), (Role.ENDPOINT, "other")], None, True, MeetingRole.ENDPOINT, "ept"),
        ([(Role.ENDPOINT, "other")], None, True, MeetingRole.ENDPOINT, "ept"),
        ([(Role.ENDPOINT, None)], None, False, None, None),
        ([(Role.OBSERVER, "p")], None, False, MeetingRole.OBSERVER, None),
        ([(Role.OBSERVER, "other")], None, False, None, None),
        ([(Role.OBSERVER, "other")], None, True, MeetingRole.OBSERVER, None),
        ([(Role.ARCHIVIST, None)], None, True, None, None),
        ([(Role.ADMINISTRATOR, None)], None, True, None, None),
        ([], None, True, None, None),
        ([], 0, True, MeetingRole.CHAIR, "ept"),
    ],
)
def test_the_first_rule_that_fits_decides(
    grants: list[tuple[Role, str | None]],
    deputy_order: int | None,
    invited: bool,
    role: MeetingRole | None,
    seat: str | None,
) -> None:
    account = make_account(*grants)
    bond = make_bond(account, deputy_order=deputy_order, invited=invited)

    assert role_in(account, bond) is role
    assert role is None or seat_in(account, role, bond) == seat


@pytest.mark.parametrize(
    ("role", "scope", "state", "known"),
    [
        (Role.ADMINISTRATOR, None, OPEN, True),
        (Role.ADMINISTRATOR, "host", OPEN, True),
        (Role.ADMINISTRATOR, "other", OPEN, False),
        (Role.ARCHIVIST, None, ENDED, True),
        (Role.ARCHIVIST, None, OPEN, False),
        (Role.ARCHIVIST, None, MeetingState.SCHEDULED, False),
        (Role.ARCHIVIST, "other", ENDED, False),
        (Role.CHAIR, None, ENDED, False),
        (Role.ENDPOINT, None, ENDED, False),
    ],
)
def test_who_may_know_without_attending(role: Role, scope: str | None, state: MeetingState, known: bool) -> None:
    account = make_account((role, scope))

    assert knows_of(account, make_bond(account, state=state)) is known


@pytest.mark.parametrize(
    ("role", "scope", "deputy_order", "may"),
    [
        (Role.OPERATOR, "p", None, True),
        (Role.OPERATOR, "other", None, False),
        (Role.ADMINISTRATOR, None, None, True),
        (Role.CHAIR, None, 0, True),
        (Role.CHAIR, None, 2, True),
        (Role.CHAIR, None, None, False),
        (Role.ENDPOINT, None, None, False),
        (Role.OBSERVER, None, None, False),
        (Role.ARCHIVIST, None, None, False),
    ],
)
def test_who_may_manage(role: Role, scope: str | None, deputy_order: int | None, may: bool) -> None:
    account = make_account((role, scope))

    assert may_manage(account, make_bond(account, deputy_order=deputy_order)) is may


grants = st.lists(st.tuples(st.sampled_from(Role), st.sampled_from([None, "p", "host", "other"])), max_size=4)
bonds = st.tuples(st.sampled_from(MeetingState), st.none() | st.integers(0, 3), st.booleans())


@given(grants, bonds, st.booleans())
def test_what_holds_for_any_account(
    held: list[tuple[Role, str | None]], tie: tuple[MeetingState, int | None, bool], disabled: bool
) -> None:
    account = make_account(*held, disabled=disabled)
    state, deputy_order, invited = tie
    bond = make_bond(account, state=state, deputy_order=deputy_order, invited=invited)
    role = role_in(account, bond)

    if disabled:
        assert (role, knows_of(account, bond), may_manage(account, bond)) == (None, False, False)
        return
    if role is not None:
        assert knows_of(account, bond)
        assert role is not MeetingRole.SYSTEM
        assert invited or seat_in(account, role, bond) is None
    if role in {MeetingRole.OPERATOR, MeetingRole.OBSERVER}:
        assert seat_in(account, role, bond) is None
    if may_manage(account, bond):
        assert knows_of(account, bond)
    if role in {MeetingRole.CHAIR, MeetingRole.DEPUTY}:
        assert deputy_order is not None

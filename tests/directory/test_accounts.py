import asyncio
from pathlib import Path

import pytest

from server.directory.accounts import Account, Accounts, Role, RoleGrant
from server.directory.first_start import ensure_administrator
from server.errors import Conflict, InvalidInput, NotAuthenticated, NotFound
from server.store.audit import AuditLog
from server.store.store import Store, sqlite_url
from tests.support.house import HTTP, NOW, PASSWORD, House, quick_passwords


async def test_an_account_comes_back_as_it_was_made(house: House) -> None:
    grants = [RoleGrant(Role.OBSERVER), RoleGrant(Role.ENDPOINT, house.north.unit_id), RoleGrant(Role.OBSERVER)]
    made = await house.accounts.create(
        "xa-bac", " Xã Bắc ", PASSWORD, grants, NOW, endpoint_id=house.north_room.endpoint_id
    )

    assert made == await house.accounts.get(made.account_id) == await house.accounts.find("XA-BAC")
    assert (made.username, made.name, made.endpoint_id) == ("xa-bac", "Xã Bắc", house.north_room.endpoint_id)
    assert set(made.grants) == set(grants)
    assert made.roles == (Role.ENDPOINT, Role.OBSERVER)


@pytest.mark.parametrize("twin", ["quantri", "QuanTri", "QUẢNTRỊ", "ｑuantri", "STRASSE"])
async def test_a_user_name_is_one_persons_whatever_its_case(house: House, twin: str) -> None:
    for username in ("quantri", "quảntrị", "straße"):
        await house.account(username)

    with pytest.raises(Conflict) as caught:
        await house.account(twin)
    assert caught.value.code == "username_taken"


async def test_of_two_who_take_the_same_name_at_once_one_gets_it(house: House) -> None:
    answers = await asyncio.gather(*(house.account("clerk") for _ in range(5)), return_exceptions=True)

    assert sorted(type(answer).__name__ for answer in answers) == ["Account"] + ["Conflict"] * 4
    assert len(await house.accounts.list()) == 1


@pytest.mark.parametrize(
    ("username", "name", "password", "code"),
    [
        ("", "Tên", PASSWORD, "bad_text"),
        ("a b", "Tên", PASSWORD, "bad_text"),
        ("a\nb", "Tên", PASSWORD, "bad_text"),
        ("x" * 101, "Tên", PASSWORD, "bad_text"),
        ("clerk", "", PASSWORD, "bad_text"),
        ("clerk", "a\u202eb", PASSWORD, "bad_text"),
        ("clerk", "Tên", "1234567", "bad_password"),
        ("clerk", "Tên", "x" * 1_001, "bad_password"),
    ],
)
async def test_bad_input_makes_no_account(house: House, username: str, name: str, password: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await house.accounts.create(username, name, password, [], NOW)

    assert caught.value.code == code
    assert await house.accounts.list() == ()


async def test_what_an_account_points_to_must_be_there(house: House) -> None:
    with pytest.raises(NotFound) as no_unit:
        await house.account("clerk", Role.OPERATOR, unit_id="unt_none")
    with pytest.raises(NotFound) as no_endpoint:
        await house.accounts.create("clerk", "Tên", PASSWORD, [], NOW, endpoint_id="ept_none")
    with pytest.raises(InvalidInput) as no_seat:
        await house.account("clerk", Role.ENDPOINT)

    assert (no_unit.value.code, no_endpoint.value.code) == ("unit_unknown", "endpoint_unknown")
    assert no_seat.value.code == "endpoint_missing"
    assert await house.accounts.list() == ()


async def test_roles_are_replaced_whole(house: House) -> None:
    clerk = await house.account("clerk", Role.OPERATOR, Role.CHAIR)

    changed = await house.accounts.set_grants(clerk.account_id, [RoleGrant(Role.ARCHIVIST, house.north.unit_id)], NOW)

    assert changed.grants == (RoleGrant(Role.ARCHIVIST, house.north.unit_id),)
    with pytest.raises(NotFound):
        await house.accounts.set_grants(clerk.account_id, [RoleGrant(Role.CHAIR, "unt_none")], NOW)
    assert await house.accounts.get(clerk.account_id) == changed


async def test_a_new_password_is_the_only_one(house: House) -> None:
    clerk = await house.account("clerk")
    await house.accounts.set_password(clerk.account_id, "gao-nep-1234-huong", NOW)

    assert (await house.accounts.sign_in("clerk", "gao-nep-1234-huong", "", NOW)).account == clerk
    with pytest.raises(NotAuthenticated):
        await house.accounts.sign_in("clerk", PASSWORD, "", NOW)


async def test_an_unknown_account_is_not_found(house: House) -> None:
    accounts = house.accounts
    for attempt in (
        accounts.get("acc_none"),
        accounts.set_password("acc_none", PASSWORD, NOW),
        accounts.set_grants("acc_none", [], NOW),
        accounts.set_disabled("acc_none", True, NOW),
        accounts.unlock("acc_none", NOW),
    ):
        with pytest.raises(NotFound) as caught:
            await attempt
        assert caught.value.code == "account_unknown"
    assert await accounts.find("nobody") is None


async def test_what_changes_an_account_leaves_a_line(house: House) -> None:
    clerk = await house.account("clerk")
    await house.accounts.set_grants(clerk.account_id, [], NOW + 1)
    await house.accounts.set_password(clerk.account_id, PASSWORD, NOW + 2)
    await house.accounts.set_disabled(clerk.account_id, True, NOW + 3)
    await house.accounts.set_disabled(clerk.account_id, False, NOW + 4)
    await house.accounts.unlock(clerk.account_id, NOW + 5)
    await house.accounts.issue_token(clerk.account_id, "máy ghi", NOW + 6, 10)
    await house.accounts.sign_in("clerk", PASSWORD, "10.0.0.1", NOW + 7)

    lines = (await AuditLog(house.store).latest())[::-1]
    assert [(line.at - NOW, line.action) for line in lines] == [
        (0, "account_created"),
        (1, "roles_changed"),
        (2, "password_changed"),
        (3, "account_disabled"),
        (4, "account_enabled"),
        (5, "account_unlocked"),
        (6, "token_issued"),
        (7, "sign_in"),
    ]
    assert {line.target or line.account_id for line in lines} == {clerk.account_id}


async def test_an_empty_house_gets_one_administrator_and_only_once(house: House) -> None:
    first = await ensure_administrator(house.accounts, NOW)
    again = await ensure_administrator(house.accounts, NOW)

    assert first is not None
    assert again is None
    account: Account = (await house.accounts.sign_in(first.username, first.password, "", NOW)).account
    assert account.grants == (RoleGrant(Role.ADMINISTRATOR),)


async def test_a_house_with_people_gets_no_administrator(house: House) -> None:
    await house.account("clerk")

    assert await ensure_administrator(house.accounts, NOW) is None


async def test_two_first_starts_at_once_make_one_administrator(house: House, tmp_path: Path) -> None:
    other = Store(sqlite_url(tmp_path / "house.sqlite3"))
    await other.open()
    second = Accounts(other, HTTP, quick_passwords())

    made = await asyncio.gather(ensure_administrator(house.accounts, NOW), ensure_administrator(second, NOW))
    await other.close()

    assert sum(credentials is not None for credentials in made) == 1
    assert len(await house.accounts.list()) == 1

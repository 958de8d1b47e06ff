"""Signing in, and SCENARIOS row 36: guessing is locked out, and the lock-out is no weapon."""

import asyncio

import pytest
from sqlalchemy import func, select, update

from server.directory.accounts import Account, Accounts, Role
from server.directory.passwords import Passwords
from server.errors import NotAuthenticated, TooMany, Unavailable
from server.store.audit import AuditLog
from server.store.tables import AccountRow, LoginFailureRow
from tests.support.house import HTTP, NOW, PASSWORD, House

HOME = "10.0.0.1"
ATTACKER = "203.0.113.9"


@pytest.fixture
async def admin(house: House) -> Account:
    return await house.account("Quantri", Role.ADMINISTRATOR)


async def guess(house: House, username: str, remote: str, now: float = NOW) -> str:
    """The code of the refusal."""
    with pytest.raises((NotAuthenticated, TooMany)) as caught:
        await house.accounts.sign_in(username, "sai-mat-0000-khau", remote, now)
    code: str = caught.value.code
    return code


async def may_sign_in(house: House, remote: str, now: float = NOW, username: str = "quantri") -> bool:
    try:
        await house.accounts.sign_in(username, PASSWORD, remote, now)
    except TooMany:
        return False
    return True


async def count_failures(house: House) -> int:
    async with house.store.read() as session:
        return await session.scalar(select(func.count()).select_from(LoginFailureRow)) or 0


# --- the right password -----------------------------------------------------------------------------


async def test_a_sign_in_gives_a_token_that_is_the_account(house: House, admin: Account) -> None:
    session = await house.accounts.sign_in("quantri", PASSWORD, HOME, NOW)

    assert session.account == admin
    assert session.expires_at == NOW + HTTP.session_absolute_s
    assert await house.accounts.account_for(session.token, NOW) == admin


@pytest.mark.parametrize("typed", ["quantri", "QUANTRI", " Quantri ", "ｑｕａｎｔｒｉ"])
async def test_the_case_and_width_of_a_user_name_do_not_matter(house: House, admin: Account, typed: str) -> None:
    assert (await house.accounts.sign_in(typed, PASSWORD, HOME, NOW)).account == admin


async def test_every_sign_in_makes_a_new_token(house: House, admin: Account) -> None:
    tokens = {(await house.accounts.sign_in("quantri", PASSWORD, HOME, NOW)).token for _ in range(3)}

    assert len(tokens) == 3


async def test_a_password_kept_with_old_parameters_is_hashed_anew(house: House, admin: Account) -> None:
    stronger = Accounts(house.store, HTTP, Passwords(memory_kib=16))
    await stronger.sign_in("quantri", PASSWORD, HOME, NOW)

    async with house.store.read() as session:
        stored = await session.scalar(select(AccountRow.password_hash))
    assert stored is not None
    assert "m=16," in stored
    assert (await stronger.sign_in("quantri", PASSWORD, HOME, NOW)).account == admin


# --- the wrong one ----------------------------------------------------------------------------------


async def test_unknown_wrong_and_disabled_are_answered_alike(house: House, admin: Account) -> None:
    clerk = await house.account("clerk", Role.OPERATOR)
    await house.accounts.set_disabled(clerk.account_id, True, NOW)
    answers = set()
    tries = [("nobody", PASSWORD), ("quantri", "sai"), ("clerk", PASSWORD), ("", ""), ("\x00", "\x00"), ("\ud800", "")]
    for username, password in tries:
        with pytest.raises(NotAuthenticated) as caught:
            await house.accounts.sign_in(username, password, HOME, NOW)
        answers.add((caught.value.code, caught.value.detail))

    assert answers == {("bad_credentials", "the user name or the password is wrong")}


async def test_unknown_and_wrong_are_the_same_work(house: House, admin: Account) -> None:
    """One verification each, over the same road; test_passwords.py measures that a nobody's is no lighter."""

    class Counting(Passwords):
        verified = 0

        async def verify(self, stored: str | None, password: str) -> bool:
            self.verified += 1
            return await super().verify(stored, password)

    counting = Counting(memory_kib=8)
    accounts = Accounts(house.store, HTTP, counting)
    for tries, username in enumerate(["nobody", "quantri"], 1):
        with pytest.raises(NotAuthenticated):
            await accounts.sign_in(username, "sai-mat-khau", HOME, NOW)
        assert counting.verified == tries


async def test_failures_are_noted_but_never_what_was_typed(
    house: House, admin: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """People type their password where the user name belongs."""
    await guess(house, "my-secret-password", ATTACKER)
    await guess(house, "quantri", ATTACKER)

    lines = (await AuditLog(house.store).latest(2))[::-1]
    assert [(line.action, line.remote, line.target) for line in lines] == [
        ("sign_in_failed", ATTACKER, ""),
        ("sign_in_failed", ATTACKER, admin.account_id),
    ]
    assert ATTACKER in caplog.text
    assert "my-secret" not in caplog.text + repr(lines)
    assert "sai-mat" not in caplog.text + repr(lines)


async def test_an_account_disabled_while_its_password_is_checked_stays_out(house: House, admin: Account) -> None:
    class Meanwhile(Passwords):
        async def verify(self, stored: str | None, password: str) -> bool:
            right = await super().verify(stored, password)
            await house.accounts.set_disabled(admin.account_id, True, NOW)
            return right

    with pytest.raises(NotAuthenticated):
        await Accounts(house.store, HTTP, Meanwhile(memory_kib=8)).sign_in("quantri", PASSWORD, HOME, NOW)

    assert await house.accounts.sessions(admin.account_id, NOW) == ()


# --- row 36 -----------------------------------------------------------------------------------------


async def test_guessing_locks_the_guessers_source_for_that_account(house: House, admin: Account) -> None:
    codes = [await guess(house, "quantri", ATTACKER) for _ in range(7)]

    assert codes == ["bad_credentials"] * 5 + ["signin_locked"] * 2
    assert not await may_sign_in(house, ATTACKER)
    assert await may_sign_in(house, HOME)


async def test_names_that_do_not_exist_lock_just_the_same(house: House) -> None:
    codes = [await guess(house, "nobody", ATTACKER) for _ in range(6)]

    assert codes == ["bad_credentials"] * 5 + ["signin_locked"]


async def test_trying_many_accounts_locks_the_source_for_all(house: House, admin: Account) -> None:
    codes = [await guess(house, f"user{number}", ATTACKER) for number in range(21)]

    assert codes == ["bad_credentials"] * 20 + ["signin_locked"]
    assert not await may_sign_in(house, ATTACKER)
    assert await may_sign_in(house, HOME)


async def test_guessing_from_everywhere_locks_strangers_and_not_the_usual_desk(house: House, admin: Account) -> None:
    assert await may_sign_in(house, HOME)
    for number in range(50):
        assert await guess(house, "quantri", f"198.51.100.{number}") == "bad_credentials"

    assert await guess(house, "quantri", "192.0.2.1") == "signin_locked"
    assert not await may_sign_in(house, "192.0.2.1")
    assert await may_sign_in(house, HOME), "the administrator's way in remains"


async def test_a_neighbour_behind_the_same_address_locks_newcomers_and_not_the_usual_people(
    house: House, admin: Account
) -> None:
    await house.account("clerk", Role.OPERATOR)
    assert await may_sign_in(house, HOME)
    for number in range(20):
        await guess(house, f"user{number}", HOME)

    assert not await may_sign_in(house, HOME, username="clerk")
    assert await may_sign_in(house, HOME, username="quantri")


async def test_an_api_token_makes_no_place_familiar(house: House, admin: Account) -> None:
    await house.accounts.issue_token(admin.account_id, "script", NOW, 1_000)
    for number in range(20):
        await guess(house, f"user{number}", "")

    assert not await may_sign_in(house, "")


async def test_the_lock_opens_after_the_window_however_hard_somebody_knocks(house: House, admin: Account) -> None:
    for second in range(5):
        await guess(house, "quantri", ATTACKER, NOW + second)
    for second in range(5, 900, 100):
        assert await guess(house, "quantri", ATTACKER, NOW + second) == "signin_locked"

    assert not await may_sign_in(house, ATTACKER, NOW + HTTP.login_window_s - 0.1)
    assert await may_sign_in(house, ATTACKER, NOW + HTTP.login_window_s)


async def test_the_right_password_wipes_the_slate_of_its_source_only(house: House, admin: Account) -> None:
    for _ in range(4):
        await guess(house, "quantri", HOME)
        await guess(house, "quantri", ATTACKER)
    assert await may_sign_in(house, HOME)

    assert [await guess(house, "quantri", HOME) for _ in range(5)] == ["bad_credentials"] * 5
    assert [await guess(house, "quantri", ATTACKER) for _ in range(2)] == ["bad_credentials", "signin_locked"]


async def test_an_administrator_can_unlock(house: House, admin: Account) -> None:
    for _ in range(5):
        await guess(house, "quantri", HOME)
    assert not await may_sign_in(house, HOME)

    await house.accounts.unlock(admin.account_id, NOW)

    assert await may_sign_in(house, HOME)


async def test_a_new_password_unlocks(house: House, admin: Account) -> None:
    for _ in range(5):
        await guess(house, "quantri", HOME)

    await house.accounts.set_password(admin.account_id, PASSWORD, NOW)

    assert await may_sign_in(house, HOME)


async def test_parallel_guesses_get_no_more_tries(house: House, admin: Account) -> None:
    """A hundred at once are judged one after the other."""
    codes = await asyncio.gather(*(guess(house, "quantri", ATTACKER) for _ in range(100)))

    assert codes.count("bad_credentials") == 5
    assert codes.count("signin_locked") == 95


async def test_a_flood_from_one_source_is_cut_short_and_others_are_served(house: House, admin: Account) -> None:
    flood = [asyncio.create_task(guess(house, "quantri", ATTACKER)) for _ in range(400)]
    assert await may_sign_in(house, HOME)

    codes = await asyncio.gather(*flood)
    assert codes.count("signin_busy") == 400 - 256
    assert codes.count("bad_credentials") == 5


async def test_a_hall_of_people_behind_one_address_signs_in_at_once(house: House) -> None:
    for number in range(60):
        await house.account(f"xa-{number}", Role.OBSERVER)

    assert all(await asyncio.gather(*(may_sign_in(house, HOME, username=f"xa-{number}") for number in range(60))))


async def test_old_failures_are_not_kept(house: House, admin: Account) -> None:
    await guess(house, "quantri", ATTACKER, NOW)
    await guess(house, "quantri", ATTACKER, NOW + 10 * HTTP.login_window_s)

    assert await count_failures(house) == 1


async def test_a_sign_in_that_cannot_be_written_is_no_sign_in(house: House, admin: Account) -> None:
    await house.store.close()

    with pytest.raises(Unavailable):
        await house.accounts.sign_in("quantri", PASSWORD, HOME, NOW)


async def test_a_stored_hash_that_was_damaged_lets_nobody_in(house: House, admin: Account) -> None:
    async with house.store.write() as session:
        await session.execute(update(AccountRow).values(password_hash="?"))

    assert await guess(house, "quantri", HOME) == "bad_credentials"

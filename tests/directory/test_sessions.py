"""Tokens, and SCENARIOS row 31: forged, expired and revoked ones are refused and logged."""

import sqlite3
from pathlib import Path

import pytest

from server.directory.accounts import Account, Role
from server.errors import InvalidInput, NotAuthenticated, NotFound
from tests.support.house import HTTP, NOW, PASSWORD, House

HOME = "10.0.0.1"
IDLE, ABSOLUTE = HTTP.session_idle_s, HTTP.session_absolute_s


@pytest.fixture
async def clerk(house: House) -> Account:
    return await house.account("clerk", Role.OPERATOR)


async def sign_in(house: House, now: float = NOW) -> str:
    return (await house.accounts.sign_in("clerk", PASSWORD, HOME, now)).token


async def is_refused(house: House, token: str, now: float) -> bool:
    try:
        await house.accounts.account_for(token, now)
    except NotAuthenticated as error:
        return error.code == "bad_token"
    return False


@pytest.mark.parametrize(
    "forge", [lambda t: t[:-1], lambda t: t.swapcase(), lambda t: t + "A", lambda _: "", lambda t: t * 9]
)
async def test_a_forged_token_is_refused_and_logged(
    house: House, clerk: Account, caplog: pytest.LogCaptureFixture, forge: object
) -> None:
    token = await sign_in(house)
    assert callable(forge)
    forged = forge(token)

    assert await is_refused(house, forged, NOW)
    assert "a token was refused: unknown" in caplog.text
    assert token[:10] not in caplog.text


async def test_a_lone_surrogate_is_a_forged_token_too(house: House) -> None:
    assert await is_refused(house, "\ud800", NOW)


async def test_the_secret_is_not_in_the_database(house: House, clerk: Account, tmp_path: Path) -> None:
    token = await sign_in(house)
    api = await house.accounts.issue_token(clerk.account_id, "script", NOW, 1_000)
    await house.store.close()

    with sqlite3.connect(tmp_path / "house.sqlite3") as other:
        dump = "\n".join(other.iterdump())
    other.close()
    assert "token_sha256" in dump
    assert token not in dump
    assert api not in dump
    assert PASSWORD not in dump


async def test_a_session_ends_when_idle(house: House, clerk: Account) -> None:
    token = await sign_in(house)

    assert not await is_refused(house, token, NOW + 60)
    assert await is_refused(house, token, NOW + IDLE)


async def test_a_session_in_use_goes_on_until_its_absolute_end(
    house: House, clerk: Account, caplog: pytest.LogCaptureFixture
) -> None:
    token = await sign_in(house)
    step = IDLE - 1
    used = [await is_refused(house, token, NOW + step * visit) for visit in range(1, 6)]

    assert step * 5 < ABSOLUTE < step * 5 + 10
    assert used == [False] * 5
    assert await is_refused(house, token, NOW + ABSOLUTE)
    assert "a token was refused: expired" in caplog.text


async def test_a_visit_that_cannot_be_noted_is_still_a_visit(house: House, clerk: Account, tmp_path: Path) -> None:
    """SCENARIOS row 15: reading works while somebody holds the lock."""
    token = await sign_in(house)
    other = sqlite3.connect(tmp_path / "house.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert (await house.accounts.account_for(token, NOW + IDLE - 1)).account_id == clerk.account_id
    other.close()


async def test_signing_out_ends_that_session_only(
    house: House, clerk: Account, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = await sign_in(house), await sign_in(house)

    assert await house.accounts.sign_out(here, NOW) == clerk.account_id
    assert await is_refused(house, here, NOW)
    assert "a token was refused: revoked" in caplog.text
    assert not await is_refused(house, there, NOW)
    assert await house.accounts.sign_out(here, NOW) == clerk.account_id
    assert await house.accounts.sign_out("unknown", NOW) is None


async def test_an_api_token_does_not_idle_and_ends_at_its_time(house: House, clerk: Account) -> None:
    token = await house.accounts.issue_token(clerk.account_id, "script", NOW, 50_000)

    assert not await is_refused(house, token, NOW + 49_999)
    assert await is_refused(house, token, NOW + 50_000)


async def test_an_api_token_needs_an_account_and_a_label(house: House, clerk: Account) -> None:
    with pytest.raises(NotFound):
        await house.accounts.issue_token("acc_none", "script", NOW, 1)
    with pytest.raises(InvalidInput):
        await house.accounts.issue_token(clerk.account_id, "", NOW, 1)


@pytest.mark.parametrize("change", ["disable", "password"])
async def test_disabling_or_a_new_password_ends_everything_at_once(house: House, clerk: Account, change: str) -> None:
    tokens = [await sign_in(house), await house.accounts.issue_token(clerk.account_id, "script", NOW, 1_000)]
    if change == "disable":
        await house.accounts.set_disabled(clerk.account_id, True, NOW)
    else:
        await house.accounts.set_password(clerk.account_id, "gao-nep-1234-huong", NOW)

    assert [await is_refused(house, token, NOW) for token in tokens] == [True, True]
    assert await house.accounts.sessions(clerk.account_id, NOW) == ()


async def test_enabling_again_brings_no_old_session_back(house: House, clerk: Account) -> None:
    token = await sign_in(house)
    await house.accounts.set_disabled(clerk.account_id, True, NOW)
    await house.accounts.set_disabled(clerk.account_id, False, NOW)

    assert await is_refused(house, token, NOW)
    assert not await is_refused(house, await sign_in(house), NOW)


async def test_a_disabled_account_is_refused_even_with_a_session_left(
    house: House, clerk: Account, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = await sign_in(house)
    with sqlite3.connect(tmp_path / "house.sqlite3") as other:
        other.execute("UPDATE accounts SET disabled = 1")
    other.close()

    assert await is_refused(house, token, NOW)
    assert "account disabled" in caplog.text


async def test_sessions_are_listed_with_where_they_are(house: House, clerk: Account) -> None:
    await sign_in(house, NOW)
    await house.accounts.issue_token(clerk.account_id, "máy ghi", NOW + 1, 10_000)
    ended = await sign_in(house, NOW + 2)
    await house.accounts.sign_out(ended, NOW + 3)

    listed = await house.accounts.sessions(clerk.account_id, NOW + 4)
    later = await house.accounts.sessions(clerk.account_id, NOW + IDLE)

    assert [(view.kind.value, view.label, view.remote) for view in listed] == [
        ("api", "máy ghi", ""),
        ("cookie", "", HOME),
    ]
    assert [view.kind.value for view in later] == ["api"]
    assert await house.accounts.sessions(clerk.account_id, NOW + 20_000) == ()

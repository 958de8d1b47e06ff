import asyncio
import time
import unicodedata

import pytest

from server.directory.passphrases import WORDS, make_passphrase
from server.directory.passwords import Passwords
from tests.support.house import quick_passwords


async def test_the_right_password_and_only_that() -> None:
    passwords = quick_passwords()
    stored = await passwords.hash("sen-vang-4821-ruong")

    assert stored.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert await passwords.verify(stored, "sen-vang-4821-ruong")
    assert not await passwords.verify(stored, "sen-vang-4821-ruonG")
    assert not await passwords.verify(stored, "")


async def test_nobodys_password_is_never_right() -> None:
    assert not await quick_passwords().verify(None, "")
    assert not await quick_passwords().verify(None, "sen-vang-4821-ruong")


async def test_composed_and_decomposed_letters_are_the_same_password() -> None:
    passwords = quick_passwords()
    stored = await passwords.hash(unicodedata.normalize("NFC", "Mường Thanh"))

    assert await passwords.verify(stored, unicodedata.normalize("NFD", "Mường Thanh"))


async def test_any_string_may_be_tried() -> None:
    passwords = quick_passwords()
    stored = await passwords.hash("\ud800lone surrogate")

    assert await passwords.verify(stored, "\ud800lone surrogate")
    assert not await passwords.verify(stored, "\x00")


async def test_a_hash_that_cannot_be_read_lets_nobody_in_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert not await quick_passwords().verify("plaintext", "plaintext")
    assert "cannot be read" in caplog.text


async def test_hashes_of_other_parameters_are_known_as_outdated() -> None:
    old = await quick_passwords().hash("sen-vang-4821-ruong")

    assert not quick_passwords().is_outdated(old)
    assert Passwords(memory_kib=16).is_outdated(old)


async def test_the_work_for_nobody_is_the_usual_work() -> None:
    """In processor time, least of several runs each: what others do on this machine does not count."""
    passwords = Passwords(memory_kib=8_192, passes=4)
    stored = await passwords.hash("sen-vang-4821-ruong")

    async def least(hashed: str | None) -> float:
        times = []
        for _ in range(7):
            started = time.process_time()
            await passwords.verify(hashed, "sai-het-0000-roi")
            times.append(time.process_time() - started)
        return min(times)

    assert await least(None) == pytest.approx(await least(stored), rel=0.5)


async def test_many_at_once_share_few_places() -> None:
    passwords = Passwords(memory_kib=8, concurrency=1)
    stored = await passwords.hash("sen-vang-4821-ruong")

    answers = await asyncio.gather(*(passwords.verify(stored, "sen-vang-4821-ruong") for _ in range(20)))

    assert answers == [True] * 20


def test_the_word_list_gives_eight_bits_a_word() -> None:
    assert len(WORDS) == len(set(WORDS)) == 256
    assert all(word.isascii() and word.isalpha() and word.islower() and len(word) <= 5 for word in WORDS)


def test_passphrases_are_typeable_and_do_not_repeat() -> None:
    made = {make_passphrase() for _ in range(500)}

    assert len(made) == 500
    for passphrase in made:
        first, second, digits, last = passphrase.split("-")
        assert {first, second, last} <= set(WORDS)
        assert len(digits) == 4
        assert digits.isdecimal()
    assert len(make_passphrase(4).split("-")) == 5

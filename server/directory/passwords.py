"""Argon2id (RFC 9106), off the event loop, a bounded number at a time."""

import asyncio
import base64
import logging
import os
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

logger = logging.getLogger(__name__)


class Passwords:
    """46 MiB and one pass is OWASP's first choice for argon2id: about 40 ms of one core. Half of the cores at most
    hash at a time, so that a hall full of people signing in leaves room for the media of those already in.
    """

    def __init__(self, *, memory_kib: int = 47_104, passes: int = 1, concurrency: int | None = None) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._free = asyncio.Semaphore(concurrency or max(1, (os.cpu_count() or 1) // 2))
        self._nobodys = _hash_of_nothing(memory_kib, passes)

    async def hash(self, password: str) -> str:
        """The encoded hash, with its salt and parameters inside."""
        async with self._free:
            return await asyncio.to_thread(self._hasher.hash, _to_bytes(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether ``password`` is the one. ``stored`` None (no such user) costs the same work and is never true."""
        async with self._free:
            return await asyncio.to_thread(self._verify, stored or self._nobodys, _to_bytes(password))

    def is_outdated(self, stored: str) -> bool:
        """Whether it was hashed with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except VerificationError:
            return False
        except InvalidHashError:
            logger.exception("a stored password hash cannot be read")
            return False


def _to_bytes(password: str) -> bytes:
    """NFC as in RFC 8265 section 4.2: the same Vietnamese letters may come composed or not."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _hash_of_nothing(memory_kib: int, passes: int) -> str:
    """A well-formed hash that no password is known to give: verifying against it is the usual work, in vain."""
    salt, digest = (base64.b64encode(bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${digest}"

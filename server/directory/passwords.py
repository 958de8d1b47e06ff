"""Argon2id, off the event loop, a bounded number at a time."""


class Passwords:
    async def hash(self, password: str) -> str:
        raise NotImplementedError

    async def verify(self, stored: str | None, password: str) -> bool:
        raise NotImplementedError

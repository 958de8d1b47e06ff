"""Identifiers: short, URL-safe, unguessable where that matters."""

import secrets

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


def new_id(prefix: str) -> str:
    """Return ``prefix_`` and 16 characters (about 79 bits) without look-alikes."""
    return prefix + "_" + "".join(secrets.choice(_ALPHABET) for _ in range(16))


def new_token() -> str:
    """Return a 256-bit bearer secret. Only its SHA-256 is ever stored."""
    return secrets.token_urlsafe(32)

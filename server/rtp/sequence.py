"""Arithmetic on numbers that wrap: 16-bit sequence numbers, 32-bit timestamps (RFC 3550 A.1, RFC 1982)."""


def difference16(new: int, old: int) -> int:
    """How far ``new`` is ahead of ``old``, -32768..32767; half the circle counts as behind."""
    return (new - old + 0x8000 & 0xFFFF) - 0x8000


def difference32(new: int, old: int) -> int:
    """How far ``new`` is ahead of ``old``, -2**31..2**31-1; half the circle counts as behind."""
    return (new - old + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def unwrap16(sequence: int, near: int) -> int:
    """The extended number closest to ``near`` whose low 16 bits are ``sequence``."""
    return near + difference16(sequence, near)

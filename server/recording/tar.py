"""The tar format (POSIX.1-2017, pax and ustar) as far as a package needs it: headers of plain files, and the end.

Written here so that the same files give the same octets with every version of Python.
"""

from typing import Final

BLOCK_OCTETS: Final = 512
_RECORD_OCTETS: Final = 10_240
_MAX_USTAR_OCTETS: Final = 0o77777777777
"""8 GiB - 1: what eleven octal digits hold. A larger file gets a pax header in front."""

MAX_NAME_OCTETS: Final = 100
MAX_PREFIX_OCTETS: Final = 155


def file_header(prefix: str, name: str, octets: int, modified_at: int) -> bytes:
    """What stands before the content of the plain file ``prefix/name`` (ASCII, at most 155 and 100 octets)."""
    if octets <= _MAX_USTAR_OCTETS:
        return _block(prefix, name, octets, modified_at, b"0")
    record = _pax_record("size", str(octets))
    extended = _block(prefix, name, len(record), modified_at, b"x") + padded(record)
    return extended + _block(prefix, name, 0, modified_at, b"0")


def padding(octets: int) -> int:
    """How many zeros stand behind a content of so many octets."""
    return -octets % BLOCK_OCTETS


def padded(content: bytes) -> bytes:
    return content + bytes(padding(len(content)))


def end_of_archive(octets: int) -> int:
    """How many zeros end an archive of so many octets: two blocks at least, up to a whole record."""
    return 2 * BLOCK_OCTETS + -(octets + 2 * BLOCK_OCTETS) % _RECORD_OCTETS


def size_in(header: bytes) -> int:
    """The content's octets as a ustar header says them. Raises ValueError."""
    return int(header[124:135].decode("ascii"), 8)


def _block(prefix: str, name: str, octets: int, modified_at: int, kind: bytes) -> bytes:
    fields = [
        _field(name.encode("ascii"), MAX_NAME_OCTETS),
        b"0000644\0",
        b"0000000\0" * 2,  # owner and group
        b"%011o\0" % octets,
        b"%011o\0" % modified_at,
        b" " * 8,  # the checksum's place counts as spaces
        kind,
        bytes(100),  # no link
        b"ustar\x0000",
        bytes(64),  # no names of owner and group
        b"0000000\0" * 2,  # no device
        _field(prefix.encode("ascii"), MAX_PREFIX_OCTETS),
        bytes(12),
    ]
    block = b"".join(fields)
    assert len(block) == BLOCK_OCTETS
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _field(text: bytes, octets: int) -> bytes:
    assert len(text) <= octets, f"{text!r} is too long"
    return text.ljust(octets, b"\0")


def _pax_record(keyword: str, value: str) -> bytes:
    """``"LENGTH keyword=value\\n"``; the length counts itself."""
    rest = f" {keyword}={value}\n"
    length = len(rest) + 1
    while length != len(str(length)) + len(rest):
        length = len(str(length)) + len(rest)
    return f"{length}{rest}".encode("ascii")

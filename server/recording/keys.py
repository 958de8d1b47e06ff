"""The server's Ed25519 key (RFC 8032), and JSON documents that carry their own signature.

A signed document has exactly one field ``"signature"``: base64 of 64 octets. What is signed is the document's octets
with that string empty, so that ``sed`` and ``openssl`` can check it (docs/recordings.md).
"""

import base64
import binascii
import os
import re
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from server.errors import InvalidInput, Unavailable

SIGNING_KEY_FILE: Final = Path("keys") / "recordings-ed25519.pem"
"""Below the data folder."""

PUBLIC_KEY_FILE: Final = "signing-key.pub"
"""In each recording's folder, PEM."""

_SIGNATURE = re.compile(rb'"signature"\s*:\s*"([^"]*)"')


class PublicKey:
    """Checks signatures. ``base64`` is the 32 octets' canonical text, as in a recording's first line."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.base64 = _text(key.public_bytes(Encoding.Raw, PublicFormat.Raw))

    @classmethod
    def from_base64(cls, text: str) -> "PublicKey":
        """Raises InvalidInput (``bad_public_key``)."""
        try:
            return cls(Ed25519PublicKey.from_public_bytes(_octets(text)))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise InvalidInput("bad_public_key", f"not the base64 of an Ed25519 public key: {error}") from error

    @classmethod
    def from_text(cls, text: str) -> "PublicKey":
        """From PEM or base64. Raises InvalidInput (``bad_public_key``)."""
        if "-----BEGIN" not in text:
            return cls.from_base64(text.strip())
        try:
            key = load_pem_public_key(text.encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise InvalidInput("bad_public_key", f"not a public key: {error}") from error
        if not isinstance(key, Ed25519PublicKey):
            raise InvalidInput("bad_public_key", "a public key of another kind than Ed25519")
        return cls(key)

    @property
    def pem(self) -> bytes:
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verify(self, signature: bytes, message: bytes) -> bool:
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """The private half. It never leaves the data folder."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())

    @classmethod
    def generate(cls) -> "SigningKey":
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> "SigningKey":
        """Raises Unavailable (``signing_key_unreadable``)."""
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise Unavailable("signing_key_unreadable", f"{path}: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise Unavailable("signing_key_unreadable", f"{path} is not an Ed25519 key")
        return cls(key)

    @classmethod
    def load_or_make(cls, path: Path) -> "SigningKey":
        """The key at ``path`` (PKCS #8 PEM, mode 0600), made at first use; of several makers at once one wins.

        Raises Unavailable (``signing_key_unreadable``); a damaged key is never replaced.
        """
        if not path.exists():
            try:
                _place(path, cls.generate())
            except OSError as error:
                raise Unavailable("signing_key_unreadable", f"{path} cannot be made: {error}") from error
        return cls.load(path)

    @property
    def public_base64(self) -> str:
        return self.public.base64

    @property
    def pem(self) -> bytes:
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, message: bytes) -> bytes:
        """64 octets (RFC 8032)."""
        return self._key.sign(message)


def sign_document(unsigned: bytes, key: SigningKey) -> bytes:
    """``unsigned`` with its one ``"signature":""`` filled in."""
    start, end = _only_signature(unsigned).span(1)
    assert start == end, "a document is signed once"
    return unsigned[:start] + _text(key.sign(unsigned)).encode() + unsigned[end:]


def verify_document(document: bytes, key: PublicKey) -> bool:
    """Whether ``key`` signed exactly these octets. Any octets may be given."""
    try:
        found = _only_signature(document)
        signature = _octets(found[1].decode("ascii"))
    except ValueError:
        return False
    return key.verify(signature, document[: found.start(1)] + document[found.end(1) :])


def _only_signature(document: bytes) -> re.Match[bytes]:
    found = list(_SIGNATURE.finditer(document))
    if len(found) != 1:
        raise ValueError(f"{len(found)} signatures")
    return found[0]


def _place(path: Path, key: SigningKey) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key.pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return  # somebody else's is there by now: theirs it is
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def _octets(text: str) -> bytes:
    """Canonical base64 only: text that another text's octets also have is refused. Raises ValueError."""
    octets = base64.b64decode(text, validate=True)
    if _text(octets) != text:
        raise binascii.Error("not canonical base64")
    return octets

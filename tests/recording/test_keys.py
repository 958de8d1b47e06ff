"""Keys: made once, kept private; signatures that any single change breaks."""

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from server.errors import InvalidInput, Unavailable
from server.recording.keys import PublicKey, SigningKey, sign_document, verify_document


def test_the_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "recordings-ed25519.pem"
    first = SigningKey.load_or_make(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert SigningKey.load_or_make(path).public_base64 == first.public_base64
    assert list(path.parent.iterdir()) == [path]


def test_makers_at_once_get_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "k.pem"
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: SigningKey.load_or_make(path).public_base64, range(8)))
    assert len(set(keys)) == 1


def test_a_damaged_key_is_said_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    path.write_bytes(b"-----BEGIN nothing")
    with pytest.raises(Unavailable, match=r"k\.pem"):
        SigningKey.load_or_make(path)
    assert path.read_bytes() == b"-----BEGIN nothing"
    other = X25519PrivateKey.generate()
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(Unavailable, match="not an Ed25519 key"):
        SigningKey.load(path)
    with pytest.raises(Unavailable, match="cannot be made"):
        SigningKey.load_or_make(path / "below-a-file" / "k.pem")


def test_a_public_key_travels_as_base64_and_as_pem() -> None:
    key = SigningKey.generate().public
    assert PublicKey.from_text(key.base64 + "\n").base64 == key.base64
    assert PublicKey.from_text(key.pem.decode()).base64 == key.base64
    x25519 = X25519PrivateKey.generate().public_key()
    for text in (
        "",
        "ŷ",
        "AAAA",
        f"{key.base64[:-2]}{chr(ord(key.base64[-2]) + 1)}=",  # the same octets, but not the text of them
        "-----BEGIN PUBLIC KEY-----",
        x25519.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    ):
        with pytest.raises(InvalidInput):
            PublicKey.from_text(text)


def test_a_signed_document_bears_no_change() -> None:
    key = SigningKey.generate()
    document = sign_document(b'{"a":"\\"signature\\":\\"\\"","signature":"","b":1}', key)
    assert verify_document(document, key.public)
    assert not verify_document(document, SigningKey.generate().public)
    for position in range(len(document)):
        for bit in range(8):
            changed = bytearray(document)
            changed[position] ^= 1 << bit
            assert not verify_document(bytes(changed), key.public), (position, bit)
    signature = base64.b64encode(key.sign(b"{}")).decode()
    assert not verify_document(b"{}", key.public)
    assert not verify_document(b'{"signature":"%s","signature":"%s"}' % ((signature.encode(),) * 2), key.public)

"""The key of who was enrolled, and what it signs: Ed25519 (RFC 8032).

The private key is its 32-byte seed, which stays with its owner; the public key is in the avatar's
archive (docs/archive.md, `signer`), so that whoever holds an avatar can check who moves it.  Needs
the package `cryptography`, which is imported when a key is first used.
"""

from __future__ import annotations

from typing import Any

from avatar.errors import InputError, MissingError

SEED = 32  # bytes
SIGNATURE = 64


def public_key(seed: bytes) -> str:
    """Of a private key: 64 hexadecimal digits.  Raises InputError, MissingError."""
    return bytes(_private(seed).public_key().public_bytes_raw()).hex()


def sign(seed: bytes, text: bytes) -> bytes:
    """[SIGNATURE] bytes."""
    return bytes(_private(seed).sign(text))


def verifies(public: str, signature: bytes, text: bytes) -> bool:
    """Whether the holder of the key signed this text; no for what is no key or no signature."""
    ed25519 = _ed25519()
    from cryptography.exceptions import InvalidSignature

    try:
        ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _private(seed: bytes) -> Any:
    if len(seed) != SEED:
        raise InputError(f"a signing key has {SEED} bytes, not {len(seed)}")
    return _ed25519().Ed25519PrivateKey.from_private_bytes(seed)


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise MissingError(
            "signing needs the package cryptography", "pip install 'facewire[enroll]'"
        ) from error
    return ed25519

"""Keys: one master key of the installation, one key a user, and what is derived from them.

A user's key exists only wrapped (encrypted) under the master key, in the user's row.  Whoever
deletes that row has destroyed the key, and with it everything that was sealed under it.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from avatar.errors import InputError, MismatchError, StorageError

KEY_BYTES = 32
SALT_BYTES = 32
_NONCE = 12
_WRAP = b"facewire user key 1:"
_MAKE = (
    "Make one: python -c 'import secrets, base64; "
    "print(base64.b64encode(secrets.token_bytes(32)).decode())'"
)


def derived(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    """32 bytes that tell nothing about `key` (HKDF-SHA256, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=purpose).derive(key)


class MasterKey:
    """Wraps and unwraps users' keys.  key: 32 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise InputError(f"a master key has {KEY_BYTES} bytes, not {len(key)}", _MAKE)
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return "MasterKey(...)"

    def wrapped(self, key: bytes, user: str) -> bytes:
        """A user's key as it may be stored; bound to the user's id."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, key, _WRAP + user.encode())

    def unwrapped(self, stored: bytes, user: str) -> bytes:
        """Raises MismatchError where it was wrapped for another user or by another master key."""
        try:
            return self._cipher.decrypt(stored[:_NONCE], stored[_NONCE:], _WRAP + user.encode())
        except (InvalidTag, ValueError):
            raise MismatchError(
                "a user's key does not open under this master key",
                "Start the server with the master key that it was set up with.",
            ) from None


def parse_master_key(text: str) -> MasterKey:
    """From base64.  Raises InputError, which never shows the text."""
    try:
        return MasterKey(base64.b64decode(text.strip(), validate=True))
    except (binascii.Error, ValueError):
        raise InputError("the master key is not base64", _MAKE) from None


def master_key_file(path: Path) -> MasterKey:
    """The key in a file, which is made with a fresh one if it is not there, for its owner's eyes.

    Raises InputError, StorageError.
    """
    text = base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n"
    try:
        # Written under another name and linked: two servers that start together get one key.
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return parse_master_key(path.read_text(encoding="ascii", errors="replace"))
    except OSError as error:
        raise StorageError(
            f"{path}: the master key cannot be read or made ({error.strerror or error})",
            "Choose a folder that the server may write to.",
        ) from error

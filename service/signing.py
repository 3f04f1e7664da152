"""The signing key that lies beside an avatar, for its owner alone: NAME.key, PKCS #8 in PEM."""

from __future__ import annotations

import secrets
from pathlib import Path

from avatar.avatar import Avatar
from avatar.errors import FormatError, InputError, MismatchError, StorageError
from avatar.storage import private_file
from codec.signature import SEED, public_key

_LOST = "Put NAME.key beside NAME.avatar, as enrolling left it; without it enrol again."


def key_of(avatar: Path) -> Path:
    """The file beside an avatar's in which its owner keeps the signing key."""
    return avatar.with_suffix(".key")


def read_key(path: Path) -> bytes:
    """The seed in a key's file.  Raises FormatError, StorageError, MissingError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise FormatError(f"{path} holds no signing key", _LOST)
    return key.private_bytes_raw()


def seed_of(path: Path) -> bytes:
    """The seed in a key's file, a new one where there is none: who enrols again under the same name
    stays who they were.  Raises as `read_key`."""
    return read_key(path) if path.exists() else secrets.token_bytes(SEED)


def keep_seed(path: Path, seed: bytes) -> None:
    """Into a key's file that only its owner can read, once there is something to sign for."""
    if not path.exists():
        private_file(path, pem(seed))


def pem(seed: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = Ed25519PrivateKey.from_private_bytes(seed)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def seed_for(avatar: Avatar, path: Path) -> bytes:
    """The seed that signs calls of the avatar in the file `path`; empty where it names no signer.

    Raises InputError where the key is not beside it, MismatchError where it is another's.
    """
    if not avatar.signer:
        return b""
    key = key_of(path)
    if not key.exists():
        raise InputError(f"{key} is not there: calls of {path.name} cannot be signed", _LOST)
    seed = read_key(key)
    if public_key(seed) != avatar.signer:
        raise MismatchError(f"{key} is not the key that {path.name} was enrolled with", _LOST)
    return seed

"""Sealed files in whatever fsspec reaches: S3, another cloud's store, a mounted folder.

What arrives there is sealed already; the store never sees a key or a plain byte.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterable
from typing import Any

from avatar.errors import InputError, MissingError, StorageError
from service.store.blobs import place_of
from service.store.keys import SALT_BYTES
from service.store.sealed import SealedFile, sealed

_BLOCK = 1 << 18  # bytes that are read ahead: four chunks


class ObjectStore:
    """url: such as s3://bucket/folder; credentials come from where the library of that store
    looks for them.  Raises InputError for a URL that is none, MissingError."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec
        except ImportError:
            raise MissingError(
                "fsspec, which reaches object stores, is not installed.",
                "pip install 'facewire[service]'",
            ) from None
        try:
            files, path = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise MissingError(f"{error}", "Install it beside Facewire.") from None
        except ValueError:
            raise InputError(
                "the URL of the sealed files' store cannot be read",
                "Give one such as s3://bucket/folder.",
            ) from None
        self._files: Any = files
        self._root = str(path).rstrip("/")

    def put(self, data: Iterable[bytes], key: bytes) -> str:
        """As `BlobFolder.put`; the object appears whole or not at all."""
        name = secrets.token_hex(16)
        target = self._path(name)
        with tempfile.NamedTemporaryFile(prefix="facewire-", suffix=".sealed") as file:
            for piece in sealed(data, key, secrets.token_bytes(SALT_BYTES)):
                file.write(piece)
            file.flush()
            try:
                self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
                self._files.put_file(file.name, target)
            except OSError as error:
                raise _unreachable(error) from error
        return name

    def open(self, name: str, key: bytes) -> SealedFile:
        """As `BlobFolder.open`.  Only what is read is fetched."""
        try:
            file = self._files.open(self._path(name), "rb", block_size=_BLOCK)
        except OSError as error:
            raise _unreachable(error) from error
        return SealedFile.of(file, key)

    def remove(self, name: str) -> None:
        """Also where it is gone already."""
        try:
            self._files.rm_file(self._path(name))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise _unreachable(error) from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{place_of(name)}"


def _unreachable(error: OSError) -> StorageError:
    # Neither the bucket nor what the store said: it may hold a name or a signature.
    return StorageError(
        f"the store of sealed files does not serve ({type(error).__name__})",
        "Look whether FACEWIRE_BLOBS and its credentials hold.",
    )

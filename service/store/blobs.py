"""Sealed files in a folder, by random names."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from avatar.errors import InputError, StorageError
from avatar.storage import whole_file
from service.store.keys import SALT_BYTES
from service.store.sealed import SealedFile, sealed

_NAME = re.compile(r"[0-9a-f]{32}")


class Blobs(Protocol):
    """A place for sealed files; `BlobFolder` says what each method does."""

    def put(self, data: Iterable[bytes], key: bytes) -> str: ...

    def open(self, name: str, key: bytes) -> SealedFile: ...

    def remove(self, name: str) -> None: ...


class BlobFolder:
    """path: made if it is not there, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"the folder {path} cannot be made ({error.strerror or error})",
                "Choose a folder that the server may write to.",
            ) from error

    def put(self, data: Iterable[bytes], key: bytes) -> str:
        """Seals `data` under a key of 32 bytes; returns the name.  Raises StorageError."""
        name = secrets.token_hex(16)
        path = self._file(name)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with whole_file(path) as file:
            for piece in sealed(data, key, secrets.token_bytes(SALT_BYTES)):
                file.write(piece)
        return name

    def open(self, name: str, key: bytes) -> SealedFile:
        """To be closed by the caller.  Raises StorageError where there is none, ArchiveError."""
        try:
            file = self._file(name).open("rb")
        except OSError as error:
            raise StorageError(
                f"a stored file cannot be read ({error.strerror or error})",
                "Restore the service's folder from a backup.",
            ) from error
        return SealedFile.of(file, key)

    def remove(self, name: str) -> None:
        """Also where it is gone already.  Raises StorageError."""
        try:
            self._file(name).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"a stored file cannot be removed ({error.strerror or error})",
                "Look whether the server may write to its folder.",
            ) from error

    def _file(self, name: str) -> Path:
        return self._path / place_of(name)


def place_of(name: str) -> str:
    """Where a blob lies under its store's root.  Raises InputError for what is no blob's name."""
    if not _NAME.fullmatch(name):
        raise InputError("no stored file has such a name")
    return f"{name[:2]}/{name}"

"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from avatar.errors import StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_whole(path: str | Path, data: bytes) -> None:
    """Puts `data` at `path` in one step: a reader sees the old file or the new one, never a part.

    Raises StorageError when the disk is full or the folder cannot be written; nothing is left
    behind then, and a file that was there before stays as it was.
    """
    with whole_file(path) as file:
        file.write(data)


def private_file(path: str | Path, data: bytes) -> None:
    """As `write_whole`, for the eyes of its owner alone."""
    with whole_file(path, private=True) as file:
        file.write(data)


@contextmanager
def whole_file(path: str | Path, private: bool = False) -> Iterator[IO[bytes]]:
    """A file to write to that appears at `path` when the block ends without an error, and not
    at all otherwise.  Raises StorageError as `write_whole` does, whatever inside writes to it.
    """
    target = Path(path)
    temporary = None
    try:
        # Beside the target: os.replace is atomic only within one file system.
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o600 if private else 0o666 & ~_umask())
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        raise _storage_error(target, error) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _storage_error(target: Path, error: OSError) -> StorageError:
    if error.errno in _FULL:
        return StorageError(
            f"{target}: the disk is full",
            "Free some space or choose another folder, then run the command again.",
        )
    return StorageError(
        f"{target}: cannot be written ({error.strerror or error})",
        "Choose a folder that exists and that you may write to.",
    )


def _umask() -> int:
    # The only way to read it is to set it; mkstemp's own 0600 would surprise who shares files.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask

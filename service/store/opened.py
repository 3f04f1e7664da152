"""The store of one installation, as the server and its workers open it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from avatar.errors import StorageError
from service.store.blobs import BlobFolder
from service.store.database import Database, sqlite_url
from service.store.keys import master_key_file, parse_master_key
from service.store.library import Library


@dataclass(frozen=True)
class Store:
    database: Database
    library: Library


def open_store(folder: Path, url: str = "", key: str = "", key_file: str = "") -> Store:
    """Makes what is missing and brings the tables up to date.  Empty: SQLite and the key's file
    in the folder.  Raises InputError, StorageError, VersionError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {folder} cannot be made ({error.strerror or error})",
            "Set FACEWIRE_DATA to a folder that may be written.",
        ) from error
    master = (
        parse_master_key(key) if key else master_key_file(Path(key_file or folder / "master.key"))
    )
    database = Database(url or sqlite_url(folder / "facewire.db"))
    database.migrate()
    return Store(database, Library(master, BlobFolder(folder / "sealed")))

"""The store of one installation, as the server and its workers open it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from avatar.errors import StorageError
from service.store.blobs import BlobFolder
from service.store.database import Database, sqlite_url
from service.store.keys import master_key_file, parse_master_key
from service.store.library import Library
from service.store.objects import ObjectStore


@dataclass(frozen=True)
class Store:
    database: Database
    library: Library


def open_store(
    folder: Path, url: str = "", key: str = "", key_file: str = "", blobs: str = ""
) -> Store:
    """Makes what is missing and brings the tables up to date.  Empty: SQLite, the key's file and
    the sealed files in the folder.  Raises InputError, MissingError, StorageError, VersionError."""
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
    place = ObjectStore(blobs) if blobs else BlobFolder(folder / "sealed")
    return Store(database, Library(master, place))

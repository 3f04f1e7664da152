"""A store in a fresh folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from service.store.database import Database
    from service.store.library import Library


@dataclass
class Store:
    folder: Path
    database: Database
    library: Library

    def user(self, name: str) -> str:
        with self.database.write() as session:
            return self.library.new_user(session, name, "no hash", 0.0).id


@pytest.fixture
def store(tmp_path):
    from service.store.blobs import BlobFolder
    from service.store.database import Database, sqlite_url
    from service.store.keys import MasterKey
    from service.store.library import Library

    database = Database(sqlite_url(tmp_path / "facewire.db"))
    database.migrate()
    yield Store(tmp_path, database, Library(MasterKey(b"m" * 32), BlobFolder(tmp_path / "blobs")))
    database.close()

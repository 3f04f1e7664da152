"""A store with a user."""

from __future__ import annotations

import pytest


@pytest.fixture
def store(tmp_path):
    for package in ("sqlalchemy", "alembic", "cryptography"):
        pytest.importorskip(package)
    from service.store.opened import open_store

    opened = open_store(tmp_path / "data")
    yield opened
    opened.database.close()


@pytest.fixture
def ada(store) -> str:
    with store.database.write() as session:
        return store.library.new_user(session, "ada", "hash", 1.0).id

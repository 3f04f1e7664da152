"""A store with a user and a queue, and a short clip of the sample person."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """Two seconds of the made-up person, with sound."""
    pytest.importorskip("av")
    pytest.importorskip("skimage")
    from enroll.sample import SampleSettings, write_sample

    path = tmp_path_factory.mktemp("clip") / "sample.mkv"
    write_sample(path, SampleSettings(size=256, seconds=2.0))
    return path


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

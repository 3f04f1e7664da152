"""A backup as docs/service.md has it, taken while the server runs, and put back."""

from __future__ import annotations

import shutil
import sqlite3

from tests.service.live import LiveServer, settings


def sealed(server, backup):
    shutil.copytree(server.data / "sealed", backup / "sealed", dirs_exist_ok=True)


def database(server, backup):
    """As `sqlite3 facewire.db ".backup COPY"` does."""
    with (
        sqlite3.connect(server.data / "facewire.db") as source,
        sqlite3.connect(backup / "facewire.db") as copy,
    ):
        source.backup(copy)


def test_what_was_backed_up_comes_back_and_opens_with_its_key_alone(live, archive, tmp_path):
    server, backup = live(workers=0), tmp_path / "backup"
    backup.mkdir()
    token = server.user("ada")
    kept = server.call("POST", "/v1/avatars", token, content=archive).json()["id"]
    sealed(server, backup)
    between = server.call("POST", "/v1/avatars", token, content=archive).json()["id"]
    database(server, backup)
    sealed(server, backup)
    later = server.call("POST", "/v1/avatars", token, content=archive).json()["id"]
    key = (server.data / "master.key").read_bytes()
    server.kill()
    shutil.rmtree(server.data)

    without = tmp_path / "without-key"
    shutil.copytree(backup, without)
    (backup / "master.key").write_bytes(key)

    def fetched(server, id):
        return server.call("GET", f"/v1/avatars/{id}/archive", token)

    restored = LiveServer(backup, settings(workers=0))
    try:
        assert fetched(restored, kept).content == fetched(restored, between).content == archive
        assert fetched(restored, later).status_code == 404
    finally:
        restored.stop()
    closed = LiveServer(without, settings(workers=0))
    try:
        answer = fetched(closed, kept)
        assert answer.status_code >= 500 and archive[:64] not in answer.content
    finally:
        closed.stop()

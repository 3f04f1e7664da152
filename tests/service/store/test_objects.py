"""Sealed files in a store that fsspec reaches."""

from __future__ import annotations

import secrets

import pytest

fsspec = pytest.importorskip("fsspec")

from avatar.errors import ArchiveError, InputError, StorageError  # noqa: E402
from service.store.objects import ObjectStore  # noqa: E402
from service.store.sealed import CHUNK  # noqa: E402
from tests.service.objects_server import BUCKET, s3  # noqa: E402

KEY = b"k" * 32


@pytest.fixture(scope="module")
def s3_server():
    with s3() as reach:
        yield reach


@pytest.fixture(params=["memory", "file", "s3"])
def objects(request, tmp_path, monkeypatch):
    if request.param == "s3":
        for name, value in request.getfixturevalue("s3_server").items():
            monkeypatch.setenv(name, value)
        return ObjectStore(f"s3://{BUCKET}/{secrets.token_hex(4)}")
    where = f"/{secrets.token_hex(4)}" if request.param == "memory" else tmp_path / "objects"
    return ObjectStore(f"{request.param}://{where}")


def test_what_is_put_is_sealed_and_comes_back_in_any_part(objects):
    data = bytes(range(256)) * (CHUNK // 128)
    name = objects.put([data[:1000], data[1000:]], KEY)
    file = objects.open(name, KEY)
    assert file.size == len(data)
    assert b"".join(file.read(CHUNK - 5, CHUNK + 5)) == data[CHUNK - 5 : CHUNK + 5]
    assert b"".join(file.read(0, file.size)) == data
    file.close()
    with pytest.raises(ArchiveError):
        b"".join(objects.open(name, b"x" * 32).read(0, 1))


def test_what_is_removed_is_gone_and_again_is_no_fault(objects):
    name = objects.put([b"a"], KEY)
    objects.remove(name)
    objects.remove(name)
    with pytest.raises(StorageError):
        objects.open(name, KEY)
    with pytest.raises(InputError):
        objects.open("../master.key", KEY)


def test_a_write_that_breaks_off_leaves_nothing(objects):
    def pieces():
        yield b"a" * (3 * CHUNK)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        objects.put(pieces(), KEY)
    files = objects._files.find(objects._root)
    assert files == []


def test_a_url_that_is_none_is_refused_without_showing_it():
    with pytest.raises(InputError) as refused:
        ObjectStore("nonsense-of-grace://secret@bucket")
    assert "grace" not in str(refused.value) and "secret" not in str(refused.value)


def test_a_server_keeps_its_sealed_files_there(live, archive, tmp_path):
    place = tmp_path / "objects"
    server = live(workers=0, blobs=f"file://{place}")
    token = server.user("ada")
    id = server.call("POST", "/v1/avatars", token, content=archive).json()["id"]
    (file,) = [path for path in place.rglob("*") if path.is_file()]
    assert archive[:64] not in file.read_bytes()
    assert server.call("GET", f"/v1/avatars/{id}/archive", token).content == archive
    assert not list((server.data / "sealed").rglob("*"))
    assert server.call("DELETE", f"/v1/avatars/{id}", token).status_code == 204
    assert not file.exists()

"""Avatars at rest, grants and leases, erasure, and the tables themselves."""

from __future__ import annotations

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("cryptography")
pytest.importorskip("alembic")

import io

from sqlalchemy import func, select, text

from avatar.errors import ArchiveError, InputError, StorageError, VersionError
from service.store import audit, grants
from service.store.blobs import BlobFolder
from service.store.database import Database, sqlite_url
from service.store.models import Base, Event, Grant, Lease, StoredAvatar, User
from service.store.sealed import SealedFile


def all_bytes(folder) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_migrations_make_the_models_tables(store):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    store.database.migrate()  # a second time changes nothing
    with store.database.read() as session:
        migrated = MigrationContext.configure(session.connection())
        assert compare_metadata(migrated, Base.metadata) == []


def test_tables_of_a_newer_version_are_refused(store):
    with store.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(VersionError, match="newer"):
        store.database.migrate()


def test_bad_databases_are_said_without_the_url(tmp_path):
    with pytest.raises(InputError) as caught:
        Database("my secret")
    assert "secret" not in str(caught.value)
    with pytest.raises(StorageError):
        Database(sqlite_url(tmp_path / "no" / "such.db")).migrate()


def test_a_write_that_fails_leaves_nothing(store):
    with pytest.raises(ZeroDivisionError):
        with store.database.write() as session:
            store.library.new_user(session, "ada", "", 0.0)
            raise ZeroDivisionError
    with store.database.read() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 0


def test_an_avatar_at_rest_is_sealed(store, archive):
    ada, bob = store.user("ada"), store.user("bob")
    with store.database.write() as session:
        avatar = store.library.add_avatar(session, ada, archive, 1.0)
        assert (avatar.name, avatar.size) == ("Ada", len(archive))
    at_rest = all_bytes(store.folder)
    assert archive[:8] not in at_rest and archive[5000:5064] not in at_rest
    with store.database.read() as session:
        file = store.library.open(session, ada, avatar.blob)
        assert b"".join(file.read(0, file.size)) == archive
        file.close()
        with pytest.raises(ArchiveError):  # another user's key
            other = store.library.open(session, bob, avatar.blob)
            b"".join(other.read(0, 1))


def test_no_avatar_that_cannot_be_read_is_taken(store, archive):
    ada = store.user("ada")
    for bad in (b"", b"PK\x03\x04", archive[:-1], archive[:200] + b"!" + archive[201:]):
        with pytest.raises(ArchiveError), store.database.write() as session:
            store.library.add_avatar(session, ada, bad, 1.0)
    assert not list((store.folder / "blobs").rglob("*"))


def test_erasing_a_user_makes_the_file_useless(store, archive):
    ada, bob = store.user("ada"), store.user("bob")
    with store.database.write() as session:
        avatar = store.library.add_avatar(session, ada, archive, 1.0)
        given = grants.grant(session, avatar, bob, 100.0, 1.0)
        lent = grants.lend(session, store.library, avatar, given, 10.0, 2.0)
        audit.note(session, bob, "avatar.leased", avatar.id, ada, 2.0)
        wrapped = session.scalar(select(User.wrapped_key).where(User.id == ada))
    (blob,) = [p for p in (store.folder / "blobs").rglob("*") if p.is_file()]
    stolen = blob.read_bytes()
    assert wrapped in all_bytes(store.folder)

    with store.database.write() as session:
        assert store.library.erase_user(session, ada) == [avatar.blob]
    store.database.scrub()

    assert wrapped not in all_bytes(store.folder)  # neither in the database nor in its journal
    with store.database.read() as session:
        for table in (StoredAvatar, Grant, Lease, Event):
            assert session.scalar(select(func.count()).select_from(table)) == 0
        with pytest.raises(InputError):
            store.library.key_of(session, ada)
        # Every key that is left, and the one that was lent for a download, fail on the copy.
        for key in (store.library.key_of(session, bob), b"m" * 32, lent.key):
            with pytest.raises(ArchiveError):
                b"".join(SealedFile(io.BytesIO(stolen), key).read(0, 1))


def test_what_a_reader_keeps_in_the_journal_goes_when_it_has_gone(store, archive, monkeypatch):
    ada = store.user("ada")
    with store.database.write() as session:
        wrapped = session.scalar(select(User.wrapped_key).where(User.id == ada))
    store.database.scrub()
    with store.database.read() as session:
        session.connection().exec_driver_sql("PRAGMA busy_timeout=50")  # nobody waits for it here
        session.scalar(select(func.count()).select_from(User))  # from here on it sees what is
        with store.database.write() as erasing:
            store.library.erase_user(erasing, ada)
        with store.database.read() as other:
            other.connection().exec_driver_sql("PRAGMA busy_timeout=50")
        store.database.scrub()
        assert wrapped in all_bytes(store.folder)
    store.database.scrub_again()
    assert wrapped not in all_bytes(store.folder)


def test_a_sign_is_sealed_apart_for_its_owner_and_goes_with_the_avatar(store, archive):
    ada, bob = store.user("ada"), store.user("bob")
    with store.database.write() as session:
        avatar = store.library.add_avatar(session, ada, archive, 1.0, b"sign")
        assert b"".join(store.library.open(session, ada, avatar.sign).read(0, 4)) == b"sign"
        with pytest.raises(ArchiveError):
            b"".join(store.library.open(session, bob, avatar.sign).read(0, 4))
        both = {avatar.blob, avatar.sign}
        assert set(store.library.remove_avatar(session, avatar)) == both and None not in both
        again = store.library.add_avatar(session, ada, archive, 1.0, b"sign")
        assert set(store.library.erase_user(session, ada)) == {again.blob, again.sign}


def test_a_lease_opens_one_download_until_the_grant_is_revoked(store, archive):
    ada, bob = store.user("ada"), store.user("bob")
    library = store.library
    with store.database.write() as session:
        avatar = library.add_avatar(session, ada, archive, 0.0)
        given = grants.grant(session, avatar, bob, 50.0, 0.0)
        assert grants.standing(session, avatar.id, bob, 49.0) is given
        assert grants.standing(session, avatar.id, bob, 50.0) is None
        assert grants.standing(session, avatar.id, ada, 1.0) is None
        first = grants.lend(session, library, avatar, given, 10.0, 1.0)
        second = grants.lend(session, library, avatar, given, 10.0, 45.0)
        assert (first.expires, second.expires) == (11.0, 50.0)
        assert first.key != second.key
        lease = session.get(Lease, first.lease)
        sent = grants.open_leased(session, library, avatar, lease, 10.9)
        data = b"".join(sent.read(0, sent.size))
        sent.close()
        received = SealedFile(io.BytesIO(data), first.key)
        assert b"".join(received.read(0, received.size)) == archive
        with pytest.raises(ArchiveError):
            b"".join(SealedFile(io.BytesIO(data), second.key).read(0, 1))
        with pytest.raises(InputError, match="lease is over"):
            grants.open_leased(session, library, avatar, lease, 11.0)

        grants.revoke(given, 5.0)
        grants.revoke(given, 6.0)
        assert given.revoked == 5.0
        assert grants.standing(session, avatar.id, bob, 7.0) is None
        with pytest.raises(InputError, match="grant is over"):
            grants.lend(session, library, avatar, given, 10.0, 7.0)
        with pytest.raises(InputError, match="grant is over"):
            grants.open_leased(session, library, avatar, lease, 7.0)


def test_a_grant_must_make_sense(store, archive):
    ada, bob = store.user("ada"), store.user("bob")
    with store.database.write() as session:
        avatar = store.library.add_avatar(session, ada, archive, 0.0)
        for holder, expires in ((ada, 9.0), (bob, 5.0), (bob, float("nan"))):
            with pytest.raises(InputError):
                grants.grant(session, avatar, holder, expires, 5.0)


def test_the_log_is_for_those_it_concerns(store):
    ada, bob, eve = (store.user(name) for name in ("ada", "bob", "eve"))
    with store.database.write() as session:
        for moment in range(5):
            audit.note(session, bob, "avatar.fetched", "a" * 32, ada, moment)
        assert [e.time for e in audit.entries(session, ada)] == [4, 3, 2, 1, 0]
        assert {e.actor for e in audit.entries(session, bob)} == {"bob"}
        assert audit.entries(session, eve) == []
        newest = audit.entries(session, ada, most=2)
        assert [e.time for e in audit.entries(session, ada, newest[-1].number)] == [2, 1, 0]
        store.library.erase_user(session, bob)
        assert {e.actor for e in audit.entries(session, ada)} == {""}


@pytest.mark.parametrize("name", ["", "..", "../master.key", "A" * 32, "a" * 31, "a" * 32 + "\n"])
def test_blobs_have_no_other_names(tmp_path, name):
    with pytest.raises(InputError):
        BlobFolder(tmp_path / "blobs").open(name, b"k" * 32)


def test_blobs_are_private_and_may_be_gone(tmp_path):
    folder = BlobFolder(tmp_path / "deep" / "blobs")
    assert (tmp_path / "deep" / "blobs").stat().st_mode & 0o077 == 0
    name = folder.put([b"a", b"b"], b"k" * 32)
    folder.remove(name)
    folder.remove(name)
    with pytest.raises(StorageError):
        folder.open(name, b"k" * 32)

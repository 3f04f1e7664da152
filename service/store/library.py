"""Users' keys and avatars: what is sealed, opened and destroyed."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from avatar.archive import parse_avatar
from avatar.errors import InputError
from service.store import bounds
from service.store.blobs import Blobs
from service.store.keys import KEY_BYTES, SALT_BYTES, MasterKey, derived
from service.store.models import Event, Grant, Job, Lease, StoredAvatar, Token, User
from service.store.sealed import SealedFile

_SIGNING = b"facewire signing key 1"


@dataclass(frozen=True)
class Library:
    """The sealed files of all users.  Sessions are the caller's, who commits."""

    master: MasterKey
    blobs: Blobs

    def new_user(self, session: Session, name: str, password: str, now: float) -> User:
        """A user with a fresh key.  password: its hash."""
        user = User(name=name, password=password, wrapped_key=b"", created=now)
        session.add(user)
        user.id = secrets.token_hex(16)
        user.wrapped_key = self.master.wrapped(secrets.token_bytes(KEY_BYTES), user.id)
        session.flush()
        return user

    def key_of(self, session: Session, user: str) -> bytes:
        """Raises InputError where there is no such user any more, MismatchError."""
        stored = session.scalar(select(User.wrapped_key).where(User.id == user))
        if stored is None:
            raise InputError("there is no such user", "Register first.")
        return self.master.unwrapped(stored, user)

    def signing_seed(self, session: Session, user: str) -> bytes:
        """The private key that signs the user's calls (`codec.signature`).  It is made of theirs
        and stored nowhere: who is erased takes it along.  Raises as `key_of`."""
        return derived(self.key_of(session, user), bytes(SALT_BYTES), _SIGNING)

    def put(self, session: Session, user: str, data: Iterable[bytes]) -> str:
        """Seals bytes under the user's key; returns the blob's name."""
        return self.blobs.put(data, self.key_of(session, user))

    @contextmanager
    def sealing(self, data: Iterable[bytes], key: bytes) -> Iterator[str]:
        """Seals bytes under a user's key before a transaction, which they may outlast; gives the
        blob's name, for the block to write down.  When that fails the blob goes again."""
        blob = self.blobs.put(data, key)
        try:
            yield blob
        except BaseException:
            self.blobs.remove(blob)
            raise

    def open(self, session: Session, user: str, blob: str) -> SealedFile:
        """What `put` sealed.  Raises StorageError, ArchiveError."""
        return self.blobs.open(blob, self.key_of(session, user))

    def add_avatar(
        self, session: Session, owner: str, data: bytes, now: float, sign: bytes | None = None
    ) -> StoredAvatar:
        """An archive's bytes, checked and sealed.  sign: of the owner's face, sealed apart, as
        others receive the archive.  Raises ArchiveError, VersionError."""
        avatar = parse_avatar(data)
        stored = StoredAvatar(
            owner_id=owner,
            name=avatar.name,
            digest=avatar.digest,
            size=len(data),
            blob=self.put(session, owner, [data]),
            sign=None if sign is None else self.put(session, owner, [sign]),
            created=now,
        )
        session.add(stored)
        session.flush()
        return stored

    def remove_avatar(self, session: Session, avatar: StoredAvatar) -> list[str]:
        """Takes the avatar and its grants out, and the pictures of its enrolment.  Returns the
        blobs of all, to be removed after commit."""
        grants = select(Grant.id).where(Grant.avatar_id == avatar.id)
        session.execute(delete(Lease).where(Lease.grant_id.in_(grants)))
        session.execute(delete(Grant).where(Grant.avatar_id == avatar.id))
        blobs = [avatar.blob, avatar.sign]
        made = select(Job).where(Job.owner_id == avatar.owner_id, Job.result == avatar.id)
        for job in session.scalars(made):
            blobs.append(job.preview)
            job.preview = None
        session.delete(avatar)
        session.flush()
        return [blob for blob in blobs if blob]

    def erase_user(self, session: Session, user: str) -> list[str]:
        """Destroys the user's key and every row of theirs; from the commit on, nothing that was
        sealed for them can be opened.  Returns their blobs, to be removed after it.

        What they did to others' avatars stays in the others' log, under an id without a name.
        `Database.scrub` afterwards takes the key out of the database's journal.
        """
        avatars = select(StoredAvatar.id).where(StoredAvatar.owner_id == user)
        grants = select(Grant.id).where(Grant.avatar_id.in_(avatars) | (Grant.holder_id == user))
        bounds.hold(session, user)
        blobs: set[str] = set()
        for one in session.scalars(select(StoredAvatar).where(StoredAvatar.owner_id == user)):
            blobs |= {blob for blob in (one.blob, one.sign) if blob}
        for job in session.scalars(select(Job).where(Job.owner_id == user).with_for_update()):
            blobs |= set(job.blobs)
        session.execute(delete(Lease).where(Lease.grant_id.in_(grants)))
        session.execute(
            delete(Grant).where(Grant.avatar_id.in_(avatars) | (Grant.holder_id == user))
        )
        session.execute(delete(StoredAvatar).where(StoredAvatar.owner_id == user))
        session.execute(delete(Job).where(Job.owner_id == user))
        session.execute(delete(Token).where(Token.user_id == user))
        session.execute(delete(Event).where(Event.owner_id == user))
        session.execute(delete(User).where(User.id == user))
        return sorted(blobs)

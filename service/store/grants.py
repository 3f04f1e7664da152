"""Who may receive an avatar, for how long, and the keys lent for it.

A grant allows leases; a lease lends a key that opens one download.  Revoking a grant stops new
leases and every download under the old ones.  A copy that was fetched before cannot be recalled.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from avatar.errors import InputError
from service.store import bounds
from service.store.keys import SALT_BYTES, derived
from service.store.library import Library
from service.store.models import Grant, Lease, StoredAvatar
from service.store.sealed import Resealed

_PURPOSE = b"facewire lease 1:"


@dataclass(frozen=True)
class Lent:
    """lease: its id.  key: 32 bytes, which open what `open_leased` gives."""

    lease: str
    key: bytes
    expires: float


def grant(session: Session, avatar: StoredAvatar, holder: str, expires: float, now: float) -> Grant:
    """Raises InputError for a grant to oneself or one that is over already."""
    if holder == avatar.owner_id:
        raise InputError("an avatar's owner needs no grant", "Name somebody else.")
    if not expires > now:
        raise InputError("a grant must end later than now", "Give a later time.")
    given = Grant(avatar_id=avatar.id, holder_id=holder, created=now, expires=expires, revoked=None)
    session.add(given)
    session.flush()
    return given


def make_room(session: Session, owner: str, most: int, now: float) -> None:
    """For one more grant of the owner's: lets go of those that have ended.  Raises TakenError."""
    bounds.hold(session, owner)
    mine = Grant.avatar_id.in_(select(StoredAvatar.id).where(StoredAvatar.owner_id == owner))
    ended = (Grant.expires <= now) | Grant.revoked.is_not(None)
    for given in bounds.spare(session, Grant, mine, ended, most, Grant.created):
        session.execute(delete(Lease).where(Lease.grant_id == given.id))
        session.delete(given)
    session.flush()
    bounds.check(session, select(Grant.id).where(mine), most, "grants", "Revoke one first.")


def check_leases(session: Session, holder: str, most: int, now: float) -> None:
    """Raises TakenError where the holder has as many as they may."""
    bounds.hold(session, holder)
    held = select(Lease.id).join(Grant, Grant.id == Lease.grant_id)
    open_now = held.where(Grant.holder_id == holder, Lease.expires > now)
    bounds.check(session, open_now, most, "leases", "Wait until one is over.")


def revoke(given: Grant, now: float) -> None:
    """Stops it from now on; again is no fault."""
    if given.revoked is None:
        given.revoked = now


def holds(given: Grant, now: float) -> bool:
    return given.revoked is None and now < given.expires


def received(user: str, now: float) -> ColumnElement[bool]:
    """Of stored avatars those that are the user's, or that they hold a grant for."""
    held = select(Grant.avatar_id).where(
        Grant.holder_id == user, Grant.expires > now, Grant.revoked.is_(None)
    )
    return (StoredAvatar.owner_id == user) | StoredAvatar.id.in_(held)


def standing(session: Session, avatar: str, holder: str, now: float) -> Grant | None:
    """The grant that lets `holder` have `avatar` for longest, if there is one."""
    query = select(Grant).where(
        Grant.avatar_id == avatar,
        Grant.holder_id == holder,
        Grant.expires > now,
        Grant.revoked.is_(None),
    )
    return session.scalar(query.order_by(Grant.expires.desc()).limit(1))


def visible(session: Session, avatar: str, user: str, now: float) -> StoredAvatar | None:
    """The avatar if it is the user's, or if they hold a grant for it now."""
    found = session.get(StoredAvatar, avatar)
    if found is not None and found.owner_id != user and not standing(session, avatar, user, now):
        return None
    return found


def lend(
    session: Session, library: Library, avatar: StoredAvatar, given: Grant, span: float, now: float
) -> Lent:
    """A lease of `span` seconds, less where the grant ends sooner.  Raises InputError."""
    if not holds(given, now):
        raise InputError("this grant is over", "Ask the avatar's owner for another.")
    lease = Lease(
        grant_id=given.id,
        salt=secrets.token_bytes(SALT_BYTES),
        created=now,
        expires=min(now + span, given.expires),
    )
    session.add(lease)
    session.flush()
    return Lent(lease.id, _key(session, library, avatar, lease), lease.expires)


def open_leased(
    session: Session, library: Library, avatar: StoredAvatar, lease: Lease, now: float
) -> Resealed:
    """The avatar sealed under the lease's key; to be closed.  Raises InputError when it is over."""
    given = session.get(Grant, lease.grant_id)
    if given is None or given.avatar_id != avatar.id or not holds(given, now):
        raise InputError("this grant is over", "Ask the avatar's owner for another.")
    if now >= lease.expires:
        raise InputError("this lease is over", "Ask for a new one.")
    source = library.open(session, avatar.owner_id, avatar.blob)
    return Resealed(source, _key(session, library, avatar, lease), lease.salt)


def _key(session: Session, library: Library, avatar: StoredAvatar, lease: Lease) -> bytes:
    owner = library.key_of(session, avatar.owner_id)
    return derived(owner, lease.salt, _PURPOSE + lease.id.encode())

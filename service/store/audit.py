"""The audit log: who fetched what, kept for the one whose it is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from service.store.models import Event, User


@dataclass(frozen=True)
class Entry:
    number: int
    time: float
    actor: str  # a user's name; "" for one who was erased
    action: str
    subject: str  # id of the avatar, grant, token or job


def note(session: Session, actor: str, action: str, subject: str, owner: str, now: float) -> None:
    """Writes one line.  actor, owner: users' ids; the owner may read it."""
    session.add(Event(time=now, actor_id=actor, owner_id=owner, action=action, subject=subject))


def entries(session: Session, user: str, before: int | None = None, most: int = 100) -> list[Entry]:
    """What `user` did and what was done to what is theirs, newest first, below number `before`."""
    mine = or_(Event.actor_id == user, Event.owner_id == user)
    query = select(Event, User.name).join(User, User.id == Event.actor_id, isouter=True).where(mine)
    if before is not None:
        query = query.where(Event.id < before)
    rows = session.execute(query.order_by(Event.id.desc()).limit(most))
    return [Entry(e.id, e.time, name or "", e.action, e.subject) for e, name in rows]

"""What has ended long ago goes for good."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import delete, select

from avatar.errors import StorageError
from service.jobs.queue import ENDED
from service.store.models import Event, Grant, Job, Lease, Token
from service.store.opened import Store

_log = logging.getLogger("facewire.api")
_LEASE = 86_400.0  # seconds for which one that is over is told from one that never was


@dataclass(frozen=True)
class Kept:
    """Seconds.  ended: tokens, grants and jobs after their end.  events: lines of the log."""

    ended: float
    events: float


def purge(store: Store, kept: Kept, now: float) -> None:
    """Raises what the database raises, and StorageError."""
    before = now - kept.ended
    with store.database.write() as session:
        old = (Grant.expires <= before) | (Grant.revoked <= before)
        under = Lease.grant_id.in_(select(Grant.id).where(old))
        session.execute(delete(Lease).where((Lease.expires <= now - _LEASE) | under))
        session.execute(delete(Grant).where(old))
        session.execute(delete(Token).where((Token.expires <= before) | (Token.revoked <= before)))
        session.execute(delete(Event).where(Event.time <= now - kept.events))
        jobs = list(session.scalars(select(Job).where(Job.state.in_(ENDED), Job.updated <= before)))
        for job in jobs:
            session.delete(job)
    for blob in [blob for job in jobs for blob in job.blobs]:
        try:
            store.library.blobs.remove(blob)
        except StorageError as error:  # nothing names it any more; it must not keep the others
            _log.error("a sealed file stays: %s", error.message)

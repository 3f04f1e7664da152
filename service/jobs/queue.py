"""The queue of long work, in the database: claimed under a lease, kept by a beat, fenced.

A worker holds a job while its lease lasts and it beats.  One that vanishes loses the job to
another, which goes on from the checkpoint; should the first come back, its fence is old and
nothing of it is taken.  So a job ends once, whatever is killed when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from avatar.errors import MismatchError, TakenError
from service.store import audit
from service.store.models import Job
from service.store.opened import Store
from service.store.sealed import SealedFile

EMPTY, WAITING, RUNNING = "empty", "waiting", "running"
DONE, FAILED, CANCELLED = "done", "failed", "cancelled"
ENDED = frozenset({DONE, FAILED, CANCELLED})
MOST_LOSSES = 5  # workers that vanish in a row over one job, before it is given up
_GIVEN_UP = "The work was lost several times over what was sent. Try another recording."


class LostError(Exception):
    """The job is no longer this worker's: cancelled, erased, or taken over by another."""


@dataclass(frozen=True)
class Claim:
    """A job as a worker holds it."""

    id: str
    owner: str
    kind: str
    fence: int
    settings: dict[str, Any]
    inputs: str
    checkpoint: str | None


# What a task leaves behind, in the transaction that ends its job.
Add = Callable[[Session, Job], None]


def submit(session: Session, owner: str, kind: str, settings: dict[str, Any], now: float) -> Job:
    """A job without inputs, which nobody works on yet."""
    job = Job(
        owner_id=owner,
        kind=kind,
        settings=settings,
        state=EMPTY,
        fence=0,
        lease_until=0.0,
        progress=0.0,
        note="",
        error="",
        created=now,
        updated=now,
    )
    session.add(job)
    session.flush()
    audit.note(session, owner, f"{kind}.asked", job.id, owner, now)
    return job


def supply(session: Session, job: str, inputs: str, now: float) -> None:
    """Gives a job its inputs, once; from then on it waits for a worker.  Raises TakenError."""
    given = session.execute(
        update(Job)
        .where(Job.id == job, Job.state == EMPTY)
        .values(inputs=inputs, state=WAITING, updated=now)
    )
    if given.rowcount != 1:  # type: ignore[attr-defined]
        raise TakenError("this job has its inputs already, or has ended", "Ask for a new one.")


def cancel(session: Session, job: Job, now: float) -> list[str]:
    """Ends it, whoever works on it; of one that has ended, lets what it made go.  Returns the
    sealed files to remove after the commit."""
    # Whoever works on it may have ended it since it was read, and its owner may be gone.
    if session.get(Job, job.id, with_for_update=True, populate_existing=True) is None:
        return []
    if job.state not in ENDED:
        audit.note(session, job.owner_id, f"{job.kind}.cancelled", job.id, job.owner_id, now)
        return _end(job, CANCELLED, "", now)
    left = _let_go(job)
    if left:
        audit.note(session, job.owner_id, f"{job.kind}.deleted", job.id, job.owner_id, now)
    return left


def let_go(session: Session, which: ColumnElement[bool]) -> list[str]:
    """Lets go what those jobs made.  Returns as `cancel`."""
    query = select(Job).where(Job.output.is_not(None), which)
    rows = session.scalars(query.with_for_update(skip_locked=True))
    return [blob for job in rows for blob in _let_go(job)]


def _let_go(job: Job) -> list[str]:
    made = [blob for blob in (job.output, job.preview) if blob]
    job.output = job.preview = None
    return made


def _free(now: float) -> ColumnElement[bool]:
    return Job.state.in_((WAITING, RUNNING)) & (Job.lease_until <= now)


def _end(job: Job, state: str, error: str, now: float) -> list[str]:
    left = [blob for blob in (job.inputs, job.checkpoint) if blob]
    if state != DONE and job.preview:
        left.append(job.preview)
        job.preview = None
    job.inputs = job.checkpoint = None
    job.state, job.error, job.updated, job.report = state, error, now, {}
    return left


def ahead(session: Session, job: Job) -> int:
    """How many jobs wait that are worked on before it."""
    older = (Job.created < job.created) | ((Job.created == job.created) & (Job.id < job.id))
    query = select(func.count()).where(Job.state == WAITING, older)
    return session.scalar(query) or 0


class Queue:
    """What workers do with jobs.  lease: seconds that a claim lasts without a beat."""

    def __init__(self, store: Store, lease: float = 30.0) -> None:
        self.store = store
        self.lease = lease

    def free(self, now: float, most: int) -> list[str]:
        """Ids of jobs that wait or were lost, the oldest first."""
        query = select(Job.id).where(_free(now)).order_by(Job.created, Job.id).limit(most)
        with self.store.database.read() as session:
            return list(session.scalars(query))

    def try_inputs(self, job: str) -> None:
        """Whether the job can be worked on from here at all: that this is its database, that the
        keys open and that the sealed files are in reach.  Raises MismatchError, StorageError,
        ArchiveError.  One that has ended meanwhile is no fault."""
        with self.store.database.read() as session:
            row = session.get(Job, job)
            if row is None:
                raise MismatchError(
                    "this machine's database does not know the job",
                    "Give every machine the same FACEWIRE_DATABASE.",
                )
            if row.inputs is not None:
                self.store.library.open(session, row.owner_id, row.inputs).close()

    def claim(self, now: float, job_id: str | None = None) -> Claim | None:
        """The oldest job that waits or was lost, now held by the caller; with an id that job, if
        it is one of these."""
        left: list[str] = []
        with self.store.database.write() as session:
            query = select(Job).where(_free(now)).order_by(Job.created, Job.id).limit(1)
            if job_id is not None:
                query = query.where(Job.id == job_id)
            job = session.scalar(query.with_for_update(skip_locked=True))
            if job is None:
                return None
            job.losses += job.state == RUNNING
            if job.losses >= MOST_LOSSES:
                left = _end(job, FAILED, _GIVEN_UP, now)
                claim = None
            else:
                job.state, job.fence, job.updated = RUNNING, job.fence + 1, now
                job.report = {}  # what a worker said that was lost holds no more
                job.lease_until = now + self.lease
                assert job.inputs is not None
                claim = Claim(
                    id=job.id,
                    owner=job.owner_id,
                    kind=job.kind,
                    fence=job.fence,
                    settings=dict(job.settings),
                    inputs=job.inputs,
                    checkpoint=job.checkpoint,
                )
        self._remove(left)
        return claim

    def beat(
        self,
        claim: Claim,
        now: float,
        progress: float | None = None,
        note: str = "",
        left: float | None = None,
    ) -> None:
        """Keeps the job for another lease, and says how far it is.  left: seconds until its end,
        None where not known; a beat that says nothing counts them down.  Raises LostError."""
        with self.store.database.write() as session:
            job = self._held(session, claim)
            job.lease_until = now + self.lease
            if progress is not None:
                job.progress, job.note, job.updated = min(1.0, max(0.0, progress)), note[:255], now
                job.report = {} if left is None else {"seconds_left": round(left, 1)}
            elif left := job.report.get("seconds_left"):
                passed, job.updated = now - job.updated, now
                job.report = {"seconds_left": round(max(0.0, left - passed), 1)}

    def keep(self, claim: Claim, now: float, field: str, data: bytes) -> None:
        """Seals a checkpoint or a preview in the place of the one before.  Raises LostError."""
        assert field in ("checkpoint", "preview")
        with self.sealing(claim, [data]) as blob, self.store.database.write() as session:
            job = self._held(session, claim)
            old: str | None = getattr(job, field)
            setattr(job, field, blob)
            if field == "checkpoint":
                job.losses = 0
            job.updated = now
        self._remove([old] if old else [])

    def release(self, claim: Claim, now: float) -> None:
        """Gives the job back unfinished, for a worker that has to stop.  Raises LostError."""
        with self.store.database.write() as session:
            job = self._held(session, claim)
            job.state, job.lease_until, job.updated, job.report = WAITING, 0.0, now, {}

    def put_off(self, claim: Claim, error: str, now: float) -> None:
        """Gives the job back for a while, twice as long each time, where what keeps it from getting
        on is not its own.  Too many times in a row without a checkpoint between end it with
        `error`.  Raises LostError."""
        with self.store.database.write() as session:
            job = self._held(session, claim)
            job.losses += 1
            if job.losses < MOST_LOSSES:
                job.state, job.updated, job.report = WAITING, now, {}
                job.lease_until = now + self.lease * 2**job.losses
                left = []
            else:
                audit.note(session, claim.owner, f"{job.kind}.failed", job.id, claim.owner, now)
                left = _end(job, FAILED, error, now)
        self._remove(left)

    def fail(self, claim: Claim, error: str, now: float) -> None:
        """Raises LostError."""
        with self.store.database.write() as session:
            job = self._held(session, claim)
            audit.note(session, claim.owner, f"{job.kind}.failed", job.id, claim.owner, now)
            left = _end(job, FAILED, error, now)
        self._remove(left)

    def finish(self, claim: Claim, report: dict[str, Any], now: float, add: Add) -> None:
        """Ends the job with what the task adds, both or neither.  Raises LostError, and what `add`
        raises; the job is the caller's still then."""
        with self.store.database.write() as session:
            job = self._held(session, claim)
            add(session, job)
            left = _end(job, DONE, "", now)
            job.progress, job.note, job.report = 1.0, "", report
        self._remove(left)

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[Session]:
        """A look into the database, as one who holds the job.  Raises LostError."""
        with self.store.database.read() as session:
            self._held(session, claim)
            yield session

    @contextmanager
    def sealing(self, claim: Claim, data: Iterable[bytes]) -> Iterator[str]:
        """As `Library.sealing`, under the owner's key.  Raises LostError, StorageError."""
        library = self.store.library
        with self.holding(claim) as session:
            key = library.key_of(session, claim.owner)
        with library.sealing(data, key) as blob:
            yield blob

    def open(self, claim: Claim, blob: str) -> SealedFile:
        """A sealed file of the job, to be closed.  Raises LostError, StorageError."""
        with self.holding(claim) as session:
            return self.store.library.open(session, claim.owner, blob)

    def runs(self, job: str) -> bool:
        """Whether somebody works on it."""
        with self.store.database.read() as session:
            return session.scalar(select(Job.state).where(Job.id == job)) == RUNNING

    def _held(self, session: Session, claim: Claim) -> Job:
        job = session.get(Job, claim.id, with_for_update=True)
        if job is None or job.state != RUNNING or job.fence != claim.fence:
            raise LostError
        return job

    def _remove(self, blobs: list[str]) -> None:
        for blob in blobs:
            self.store.library.blobs.remove(blob)

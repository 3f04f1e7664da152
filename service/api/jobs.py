"""Long work as the one sees it who asked for it: given its input, followed live, cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from avatar.errors import AccessError
from service.accounts.tokens import Bearer
from service.api.context import Context, check_still
from service.api.problems import refuse
from service.api.settings import ServiceSettings
from service.api.shapes import JobShown
from service.api.upload import pieces_of
from service.jobs import queue
from service.store import bounds
from service.store.models import Job

_DRAFT = 86_400.0  # seconds for which a job waits for its input
_DRAFTS = 10  # of a user; the oldest makes room for a new one
_LISTED = 100
_LOOK = 0.5  # seconds between two looks at a job that is followed
_QUIET = 15.0  # seconds after which a stream says that it is still there
_LONGEST = 3600.0  # seconds that one stream is open; a client comes again

Shown = TypeVar("Shown", bound=JobShown)


@dataclass(frozen=True)
class Jobs(Generic[Shown]):
    """All jobs of one kind.  kind: what one is called, too.  input: what it works on.  most: of a
    user that wait or run.  shown: one as it goes over the wire."""

    kind: str
    input: str
    most: Callable[[ServiceSettings], int]
    shown: Callable[[Job, ServiceSettings], Shown]

    def ask(self, session: Session, context: Context, user: str, settings: dict[str, Any]) -> Shown:
        """A new one, which waits for its input."""
        now = context.clock()
        self._make_room(session, context, user, now)
        return self._shown(session, context, queue.submit(session, user, self.kind, settings, now))

    async def take(self, request: Request, context: Context, user: str, id: str) -> Shown:
        """The request's body is the input.  It is sealed while it comes, and the job then waits in
        line."""
        with context.uploads.place(user):
            return await run_in_threadpool(self._take, context, user, id, pieces_of(request))

    def all(self, context: Context, user: str) -> list[Shown]:
        """The newest first."""
        with context.database.read() as session:
            mine = select(Job).where(self._mine(user)).order_by(Job.created.desc())
            return [
                self._shown(session, context, job) for job in session.scalars(mine.limit(_LISTED))
            ]

    def show(self, context: Context, user: str, id: str) -> Shown:
        with context.database.read() as session:
            return self._shown(session, context, self.own(session, id, user))

    def cancel(self, context: Context, user: str, id: str) -> Shown:
        """Stops it, and destroys what it was given and what it made."""
        with context.database.write() as session:
            job = self.own(session, id, user)
            left = queue.cancel(session, job, context.clock())
            shown = self._shown(session, context, job)
        for blob in left:
            context.library.blobs.remove(blob)
        return shown

    async def follow(self, context: Context, me: Bearer, id: str) -> Response:
        """Server-sent events named progress, each a job as `show` has it, until it or the token
        has ended."""
        context.streams.check(me.user)
        await run_in_threadpool(self.show, context, me.user, id)  # 404 before the stream begins

        def look() -> Shown:
            check_still(context, me)
            return self.show(context, me.user, id)

        return StreamingResponse(
            _events(context, me.user, look),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    def own(self, session: Session, id: str, user: str) -> Job:
        """The job if it is the user's and of this kind; 404 else."""
        job = session.get(Job, id)
        if job is None or job.owner_id != user or job.kind != self.kind:
            raise refuse(404, f"There is no such {self.kind} of yours.")
        return job

    def _shown(self, session: Session, context: Context, job: Job) -> Shown:
        shown = self.shown(job, context.settings)
        if job.state == queue.WAITING:
            shown.ahead = queue.ahead(session, job)
        return shown

    def _mine(self, user: str) -> ColumnElement[bool]:
        return (Job.owner_id == user) & (Job.kind == self.kind)

    def _make_room(self, session: Session, context: Context, user: str, now: float) -> None:
        """Refuses where enough of the user's are under way; lets drafts go that got no input, and
        the oldest that came to nothing."""
        bounds.hold(session, user)
        self._not_too_many(session, context, user)
        drafts = select(Job).where(self._mine(user), Job.state == queue.EMPTY)
        # Locked, so that one whose input comes at this moment is no draft any more.
        drafts = drafts.order_by(Job.created.desc()).with_for_update()
        for place, job in enumerate(session.scalars(drafts)):
            if place + 1 >= _DRAFTS or job.created < now - _DRAFT:
                queue.cancel(session, job, now)
        vain = Job.state.in_((queue.FAILED, queue.CANCELLED))  # nothing sealed is left of them
        for job in bounds.spare(session, Job, self._mine(user), vain, _LISTED, Job.updated):
            session.delete(job)

    def busy(self, session: Session, user: str) -> int:
        """How many of the user's wait or run."""
        busy = self._mine(user) & Job.state.in_((queue.WAITING, queue.RUNNING))
        return bounds.count(session, select(Job.id).where(busy))

    def _not_too_many(self, session: Session, context: Context, user: str) -> None:
        if self.busy(session, user) >= self.most(context.settings):
            raise refuse(409, f"Your other {self.kind}s have to end first; cancel one or wait.")

    def _take(self, context: Context, user: str, id: str, pieces: Iterator[bytes]) -> Shown:
        with context.database.read() as session:
            job = self.own(session, id, user)
            if job.state != queue.EMPTY:
                raise refuse(409, f"This {self.kind} has its {self.input} already.")
            self._not_too_many(session, context, user)
            key = context.library.key_of(session, user)
        with context.library.sealing(pieces, key) as blob, context.database.write() as session:
            bounds.hold(session, user)
            self._not_too_many(session, context, user)  # others may have come as slowly as this
            queue.supply(session, id, blob, context.clock())
            return self._shown(session, context, self.own(session, id, user))


async def _events(context: Context, user: str, look: Callable[[], JobShown]) -> AsyncIterator[str]:
    try:
        with context.streams.place(user):
            said, quiet, left = "", 0.0, _LONGEST
            while left > 0:
                shown = await run_in_threadpool(look)
                text = shown.model_dump_json()
                if text != said:
                    yield f"event: progress\ndata: {text}\n\n"
                    said, quiet = text, 0.0
                elif quiet >= _QUIET:
                    yield ": still there\n\n"
                    quiet = 0.0
                if shown.state in queue.ENDED:
                    return
                await asyncio.sleep(_LOOK)
                quiet, left = quiet + _LOOK, left - _LOOK
    except (HTTPException, AccessError):  # erased since, or the token is
        return

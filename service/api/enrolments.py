"""Enrolments: asked for with consent, given a video, worked off as jobs, followed live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from avatar.errors import ConsentError
from service import consent
from service.accounts.tokens import Bearer
from service.api.context import Context, Shared, asking
from service.api.problems import refuse
from service.api.shapes import ConsentWording, EnrolmentShown, EnrolmentWanted, Id
from service.api.upload import pieces_of
from service.enrolment import check_name
from service.guide.script import drawn_script
from service.jobs import queue
from service.jobs.enrolment import KIND
from service.store.models import Job

router = APIRouter(prefix="/v1", tags=["enrolments"])
Reader = Annotated[Bearer, asking("avatars:read")]
Writer = Annotated[Bearer, asking("avatars:write")]

_DRAFT = 86_400.0  # seconds for which an enrolment waits for its video
_DRAFTS = 10  # of a user; the oldest makes room for a new one
_SECONDS = 300.0  # of fitting, where nothing is said
_LOOK = 0.5  # seconds between two looks at a job that is followed
_QUIET = 15.0  # seconds after which a stream says that it is still there
_LONGEST = 3600.0  # seconds that one stream is open; a client comes again


@router.get("/consent")
def wording() -> ConsentWording:
    """What a person agrees to before an enrolment."""
    text = " ".join(consent.WORDING.split())
    return ConsentWording(version=consent.VERSION, wording=text, purpose=consent.PURPOSE)


@router.post("/enrolments", status_code=201)
def ask(asked: EnrolmentWanted, me: Writer, context: Shared) -> EnrolmentShown:
    """A new enrolment, which waits for its video: PUT /v1/enrolments/{id}/video."""
    check_name(asked.name)
    limits, now = context.settings, context.clock()
    if asked.seconds is not None and asked.steps is not None:
        raise refuse(422, "Give seconds or steps, not both.")
    if asked.size > limits.fit_size or (asked.seconds or 0.0) > limits.fit_seconds:
        raise refuse(
            422,
            f"This server learns up to {limits.fit_size} pixels, for up to "
            f"{limits.fit_seconds:g} seconds.",
        )
    if asked.consent.version != consent.VERSION:
        raise ConsentError("the wording of the consent has changed", "Read GET /v1/consent again.")
    given = consent.record(
        asked.consent.subject, asked.consent.purpose, "page", datetime.fromtimestamp(now, UTC)
    )
    budget = None if asked.steps is not None else asked.seconds or min(_SECONDS, limits.fit_seconds)
    settings = {
        "name": asked.name,
        "size": asked.size,
        "budget": budget,
        "steps": asked.steps,
        "consent": vars(given),
        "script": drawn_script() if asked.guided else None,
    }
    with context.database.write() as session:
        _make_room(session, context, me.user, now)
        return EnrolmentShown.of(queue.submit(session, me.user, KIND, settings, now))


def _make_room(session: Session, context: Context, user: str, now: float) -> None:
    """Refuses where enough of the user's are under way; lets drafts go that got no video."""
    _not_too_many(session, context, user)
    drafts = select(Job).where(_mine(user), Job.state == queue.EMPTY).order_by(Job.created.desc())
    for place, job in enumerate(session.scalars(drafts)):
        if place + 1 >= _DRAFTS or job.created < now - _DRAFT:
            queue.cancel(session, job, now)


def _not_too_many(session: Session, context: Context, user: str) -> None:
    busy = _mine(user) & Job.state.in_((queue.WAITING, queue.RUNNING))
    if (session.scalar(select(func.count()).where(busy)) or 0) >= context.settings.enrolments:
        raise refuse(409, "Your other enrolments have to end first; cancel one or wait.")


def _mine(user: str) -> Any:
    return (Job.owner_id == user) & (Job.kind == KIND)


@router.put("/enrolments/{id}/video", status_code=202)
async def send_video(id: Id, request: Request, me: Writer, context: Shared) -> EnrolmentShown:
    """The body is a video file as it is.  It is sealed while it comes, and then waits in line."""
    if context.uploads.locked():
        raise refuse(503, "Others are sending videos; try again.", {"Retry-After": "10"})
    async with context.uploads:
        return await run_in_threadpool(_take_video, context, me.user, id, pieces_of(request))


def _take_video(context: Context, user: str, id: str, pieces: Any) -> EnrolmentShown:
    with context.database.read() as session:
        job = _own(session, id, user)
        if job.state != queue.EMPTY:
            raise refuse(409, "This enrolment has its video already.")
        _not_too_many(session, context, user)
        key = context.library.key_of(session, user)
    blob = context.library.blobs.put(pieces, key)
    try:
        with context.database.write() as session:
            queue.supply(session, id, blob, context.clock())
            return EnrolmentShown.of(_own(session, id, user))
    except BaseException:
        context.library.blobs.remove(blob)
        raise


@router.get("/enrolments")
def list_enrolments(me: Reader, context: Shared) -> list[EnrolmentShown]:
    with context.database.read() as session:
        mine = select(Job).where(_mine(me.user)).order_by(Job.created.desc())
        rows = session.scalars(mine.limit(100))
        return [EnrolmentShown.of(job) for job in rows]


@router.get("/enrolments/{id}")
def show(id: Id, me: Reader, context: Shared) -> EnrolmentShown:
    return _shown(context, id, me.user)


@router.delete("/enrolments/{id}")
def cancel(id: Id, me: Writer, context: Shared) -> EnrolmentShown:
    """Stops it and destroys its video; what has ended stays as it is."""
    with context.database.write() as session:
        job = _own(session, id, me.user)
        left = queue.cancel(session, job, context.clock())
        shown = EnrolmentShown.of(job)
    for blob in left:
        context.library.blobs.remove(blob)
    return shown


@router.get("/enrolments/{id}/preview", response_class=Response)
def preview(id: Id, me: Reader, context: Shared) -> Response:
    """A PNG: a filmed frame that is not learned from on the left, the avatar's on the right."""
    with context.database.read() as session:
        job = _own(session, id, me.user)
        if job.preview is None:
            raise refuse(404, "There is no preview yet.")
        source = context.library.open(session, me.user, job.preview)
    try:
        data = b"".join(source.read(0, source.size))
    finally:
        source.close()
    return Response(data, media_type="image/png", headers={"Cache-Control": "no-store"})


@router.get("/enrolments/{id}/events", response_class=Response)
async def follow(id: Id, me: Reader, context: Shared) -> Response:
    """Server-sent events named progress, each an enrolment as GET shows it, until it has ended."""
    if context.streams.locked():
        raise refuse(503, "Too many follow their enrolments; try again.", {"Retry-After": "30"})
    await run_in_threadpool(_shown, context, id, me.user)  # 404 before the stream begins
    return StreamingResponse(
        _events(context, lambda: _shown(context, id, me.user)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(context: Context, look: Callable[[], EnrolmentShown]) -> AsyncIterator[str]:
    async with context.streams:
        said, quiet, left = "", 0.0, _LONGEST
        while left > 0:
            try:
                shown = await run_in_threadpool(look)
            except HTTPException:  # erased since
                return
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


def _shown(context: Context, id: str, user: str) -> EnrolmentShown:
    with context.database.read() as session:
        return EnrolmentShown.of(_own(session, id, user))


def _own(session: Session, id: str, user: str) -> Job:
    job = session.get(Job, id)
    if job is None or job.owner_id != user or job.kind != KIND:
        raise refuse(404, "There is no such enrolment of yours.")
    return job

"""Enrolments: asked for with consent, given a video, worked off as jobs, followed live."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response

from avatar.errors import ConsentError
from service import consent
from service.accounts.tokens import Bearer
from service.api.context import Shared, asking
from service.api.documented import FILE, refused, sent
from service.api.jobs import Jobs
from service.api.problems import refuse
from service.api.shapes import ConsentWording, EnrolmentShown, EnrolmentWanted, Id
from service.enrolment import check_name
from service.guide.script import drawn_script
from service.jobs.enrolment import KIND
from service.store import bounds

router = APIRouter(prefix="/v1", tags=["enrolments"])
Reader = Annotated[Bearer, asking("avatars:read")]
Writer = Annotated[Bearer, asking("avatars:write")]

_SECONDS = 300.0  # of fitting, where nothing is said
_jobs = Jobs(KIND, "video", lambda limits: limits.enrolments, EnrolmentShown.of)


@router.get("/consent")
def wording() -> ConsentWording:
    """What a person agrees to before an enrolment."""
    text = " ".join(consent.WORDING.split())
    return ConsentWording(version=consent.VERSION, wording=text, purpose=consent.PURPOSE)


@router.post("/enrolments", status_code=201, responses=refused(409))
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
    if limits.liveness and not asked.guided:
        raise refuse(
            422, "This server enrols from its guided capture alone: ask for it, and film the "
            "gestures in the order that it gives.",
        )  # fmt: skip
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
        "live_only": limits.liveness,
    }
    with context.database.write() as session:
        bounds.hold(session, me.user)
        # Before the work, not after it: those under way will be avatars, too.
        bounds.check_avatars(session, me.user, limits.avatars - _jobs.busy(session, me.user))
        return _jobs.ask(session, context, me.user, settings)


@router.put(
    "/enrolments/{id}/video", status_code=202, responses=refused(409, 503, 507), openapi_extra=FILE
)
async def send_video(id: Id, request: Request, me: Writer, context: Shared) -> EnrolmentShown:
    """The body is a video file as it is.  It is sealed while it comes, and then waits in line."""
    return await _jobs.take(request, context, me.user, id)


@router.get("/enrolments")
def list_enrolments(me: Reader, context: Shared) -> list[EnrolmentShown]:
    return _jobs.all(context, me.user)


@router.get("/enrolments/{id}")
def show(id: Id, me: Reader, context: Shared) -> EnrolmentShown:
    return _jobs.show(context, me.user, id)


@router.delete("/enrolments/{id}")
def cancel(id: Id, me: Writer, context: Shared) -> EnrolmentShown:
    """Stops it and destroys its video; of one that has ended, its preview."""
    return _jobs.cancel(context, me.user, id)


@router.get(
    "/enrolments/{id}/preview", response_class=Response, responses=sent("image/png") | refused(507)
)
def preview(id: Id, me: Reader, context: Shared) -> Response:
    """A PNG: a filmed frame that is not learned from on the left, the avatar's on the right."""
    with context.database.read() as session:
        job = _jobs.own(session, id, me.user)
        if job.preview is None:
            raise refuse(404, "There is no preview yet.")
        source = context.library.open(session, me.user, job.preview)
    return Response(source.whole(), media_type="image/png", headers={"Cache-Control": "no-store"})


@router.get(
    "/enrolments/{id}/events",
    response_class=Response,
    responses=sent("text/event-stream") | refused(503),
)
async def follow(id: Id, me: Reader, context: Shared) -> Response:
    """Server-sent events named progress, each an enrolment as GET shows it, until it has ended."""
    return await _jobs.follow(context, me, id)

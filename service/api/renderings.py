"""Renderings: an avatar and a call's stream become a video, worked off as a job."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from service.accounts.tokens import Bearer
from service.api.context import NO_AVATAR, Context, Shared, asking
from service.api.documented import FILE, refused, sent
from service.api.download import download, parts
from service.api.jobs import Jobs
from service.api.problems import refuse
from service.api.shapes import Id, RenderingShown, RenderingWanted
from service.jobs import queue
from service.jobs.rendering import KIND, outlived
from service.store import grants
from service.view import COLOURS, DEFAULT_SIZE, background_of

router = APIRouter(prefix="/v1/renderings", tags=["renderings"])
Reader = Annotated[Bearer, asking("avatars:read")]

_jobs = Jobs(KIND, "stream", lambda limits: limits.renderings, RenderingShown.of)


@router.post("", status_code=201, responses=refused(404, 409))
def ask(asked: RenderingWanted, me: Reader, context: Shared) -> RenderingShown:
    """A new rendering of your avatar, or of one that you hold a grant for.  It waits for its
    stream: PUT /v1/renderings/{id}/stream."""
    width, height = _size(asked)
    most = context.settings.rendering_side
    if max(width or 0, height) > most:
        raise refuse(422, f"This server renders up to {most} pixels a side.")
    if background_of(asked.background) is None:
        raise refuse(
            422, f"A background is learned, blur, or a colour: {', '.join(COLOURS)}, #rrggbb."
        )
    settings = {
        "avatar": asked.avatar,
        "width": width,
        "height": height,
        "fit": asked.fit,
        "background": asked.background,
    }
    with context.database.write() as session:
        if grants.visible(session, asked.avatar, me.user, context.clock()) is None:
            raise refuse(404, NO_AVATAR)
        return _jobs.ask(session, context, me.user, settings)


def _size(asked: RenderingWanted) -> tuple[int | None, int]:
    """Width, None for what the avatar's own shape gives, and height."""
    if asked.size is not None and (asked.width or asked.height):
        raise refuse(422, "Give a size, or a height and perhaps a width.")
    if asked.width is not None and asked.height is None:
        raise refuse(422, "Give a height with the width.")
    if asked.height is not None:
        return asked.width, asked.height
    side = asked.size or DEFAULT_SIZE
    return side, side


@router.put("/{id}/stream", status_code=202, responses=refused(409, 503, 507), openapi_extra=FILE)
async def send_stream(id: Id, request: Request, me: Reader, context: Shared) -> RenderingShown:
    """The body is a .fw stream as `facewire encode` writes it, for this avatar, with its sound.
    It is sealed while it comes, and then waits in line."""
    return await _jobs.take(request, context, me.user, id)


@router.get("")
def list_renderings(me: Reader, context: Shared) -> list[RenderingShown]:
    return _jobs.all(context, me.user)


@router.get("/{id}")
def show(id: Id, me: Reader, context: Shared) -> RenderingShown:
    return _jobs.show(context, me.user, id)


@router.delete("/{id}")
def cancel(id: Id, me: Reader, context: Shared) -> RenderingShown:
    """Stops it, and destroys its stream and its video."""
    return _jobs.cancel(context, me.user, id)


@router.get(
    "/{id}/events",
    response_class=Response,
    responses=sent("text/event-stream") | refused(503),
)
async def follow(id: Id, me: Reader, context: Shared) -> Response:
    """Server-sent events named progress, each a rendering as GET shows it, until it has ended."""
    return await _jobs.follow(context, me, id)


@router.head("/{id}/video", response_class=Response, responses=parts("video/mp4"))
@router.get("/{id}/video", response_class=Response, responses=parts("video/mp4"))
def fetch(id: Id, request: Request, me: Reader, context: Shared) -> Response:
    """The video, an MP4 with badge and watermark, until it expires; while the avatar is there, and
    yours or granted to you."""
    now = context.clock()
    with context.database.read() as session:
        job = _jobs.own(session, id, me.user)
        if job.output is None or job.updated <= _oldest(context, now):
            raise refuse(404, "There is no video yet, or none any more.")
        if grants.visible(session, job.settings["avatar"], me.user, now) is None:
            raise refuse(403, "The avatar is not there any more, or not for you any more.")
        source = context.library.open(session, me.user, job.output)
    # A job ends once, so its id says which video this is.
    return download(request, source, f'"{id}"', f"{id}.mp4", "video/mp4")


def tidy(context: Context) -> None:
    """Destroys videos that have outlived their time."""
    with context.database.write() as session:
        left = queue.let_go(session, outlived(_oldest(context, context.clock())))
    for blob in left:
        context.library.blobs.remove(blob)


def _oldest(context: Context, now: float) -> float:
    """When a job has to have ended, or later, for its video to be here."""
    return now - context.settings.rendering_hours * 3600

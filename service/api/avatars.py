"""Avatars: added by their owner, fetched by the owner and by whom the owner lets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import select
from sqlalchemy.orm import Session

from avatar.archive import first_bytes
from avatar.errors import InputError
from service.accounts.tokens import Bearer
from service.api.context import NO_AVATAR, Context, Shared, asking, own_avatar
from service.api.documented import FILE, refused
from service.api.download import download, parts
from service.api.problems import refuse
from service.api.shapes import AvatarShown, Id
from service.store import audit, bounds, grants
from service.store.models import Grant, Lease, StoredAvatar, User
from service.store.sealed import CHUNK, Resealed, SealedFile

router = APIRouter(prefix="/v1/avatars", tags=["avatars"])
Reader = Annotated[Bearer, asking("avatars:read")]
Writer = Annotated[Bearer, asking("avatars:write")]
_PARTS = parts("application/octet-stream")


@router.post("", status_code=201, responses=refused(409, 503, 507), openapi_extra=FILE)
async def add(request: Request, me: Writer, context: Shared) -> AvatarShown:
    """The body is an .avatar archive as it is.  It is checked, then sealed under your key."""
    if context.settings.liveness:  # nobody knows who was before the camera that it was made from
        raise refuse(403, "This server keeps only avatars that were enrolled here, by its guided "
                     "capture.")  # fmt: skip
    with context.uploads.place(me.user):
        data = await request.body()
        return await run_in_threadpool(_add, context, me.user, data)


def _add(context: Context, user: str, data: bytes) -> AvatarShown:
    with context.database.write() as session:
        bounds.hold(session, user)
        bounds.check_avatars(session, user, context.settings.avatars)
        avatar = context.library.add_avatar(session, user, data, context.clock())
        audit.note(session, user, "avatar.added", avatar.id, user, context.clock())
        return AvatarShown.of(avatar, session.get_one(User, user).name)


@router.get("")
def list_avatars(me: Reader, context: Shared) -> list[AvatarShown]:
    """Yours, and those that you may fetch now."""
    now = context.clock()
    mine = grants.received(me.user, now)
    query = select(StoredAvatar, User.name).join(User, User.id == StoredAvatar.owner_id)
    with context.database.read() as session:
        rows = session.execute(query.where(mine).order_by(StoredAvatar.created.desc()).limit(500))
        return [AvatarShown.of(avatar, owner) for avatar, owner in rows]


@router.get("/{id}")
def show(id: Id, me: Reader, context: Shared) -> AvatarShown:
    with context.database.read() as session:
        avatar = _visible(session, id, me.user, context.clock())
        return AvatarShown.of(avatar, session.get_one(User, avatar.owner_id).name)


@router.delete("/{id}", status_code=204)
def delete(id: Id, me: Writer, context: Shared) -> None:
    with context.database.write() as session:
        blobs = context.library.remove_avatar(session, own_avatar(session, id, me.user))
        audit.note(session, me.user, "avatar.deleted", id, me.user, context.clock())
    for blob in blobs:
        context.library.blobs.remove(blob)


@router.head("/{id}/archive", response_class=Response, responses=_PARTS)
@router.get("/{id}/archive", response_class=Response, responses=_PARTS)
def fetch(
    id: Id,
    request: Request,
    me: Reader,
    context: Shared,
    lease: Annotated[str | None, Query(pattern="^[0-9a-f]{32}$")] = None,
) -> Response:
    """The archive: plain for its owner, sealed under the lease's key for who holds a grant.

    X-First-Bytes: so many from the start open as an avatar of lower quality (docs/archive.md,
    section 6).  Ask for them as a range, then for the rest with If-Range."""
    now = context.clock()
    with context.database.write() as session:
        avatar = _visible(session, id, me.user, now)
        source, tag = _source(session, context, avatar, me.user, lease, now)
        more = {}
        if (first := _first_bytes(source)) is not None:
            more["X-First-Bytes"] = str(first)
        answer = download(request, source, tag, f"{id}.avatar", more=more)
        if request.method == "GET" and answer.status_code in (200, 206):
            audit.note(session, me.user, "avatar.fetched", avatar.id, avatar.owner_id, now)
    return answer


def _first_bytes(source: SealedFile | Resealed) -> int | None:
    """None where the archive opens whole only, or its header is longer than a chunk.  A source
    that cannot be read is closed."""
    try:
        plain = source.source if isinstance(source, Resealed) else source
        first = first_bytes(b"".join(plain.read(0, min(plain.size, CHUNK))))
        if first is not None and isinstance(source, Resealed):
            return source.reach(first)
        return first
    except BaseException:
        source.close()
        raise


def _source(
    session: Session,
    context: Context,
    avatar: StoredAvatar,
    user: str,
    lease: str | None,
    now: float,
) -> tuple[SealedFile | Resealed, str]:
    """What is sent, and its entity tag."""
    if lease is None:
        if avatar.owner_id != user:
            raise refuse(403, f"Ask for a lease first: POST /v1/avatars/{avatar.id}/leases.")
        return context.library.open(session, user, avatar.blob), f'"{avatar.digest}"'
    lent = session.get(Lease, lease)
    given = session.get(Grant, lent.grant_id) if lent else None
    if lent is None or given is None or given.holder_id != user or given.avatar_id != avatar.id:
        raise refuse(404, "There is no such lease of yours.")
    try:
        source = grants.open_leased(session, context.library, avatar, lent, now)
    except InputError as error:
        raise refuse(403, error.sentences) from None
    return source, f'"{avatar.digest[:32]}-{lease}"'


def _visible(session: Session, id: str, user: str, now: float) -> StoredAvatar:
    """The avatar if the user may see it; 404 else."""
    avatar = grants.visible(session, id, user, now)
    if avatar is None:
        raise refuse(404, NO_AVATAR)
    return avatar

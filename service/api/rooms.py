"""Rooms and who is in them: the signalling of calls."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session

from avatar.archive import parse_avatar
from avatar.avatar import Avatar
from codec.signature import public_key
from enroll.identity import IdentityWatch
from service.accounts import tokens
from service.accounts.tokens import Bearer
from service.api.context import Context, Shared, asking
from service.api.documented import refused
from service.api.mirror import own, sign_of
from service.api.problems import refuse
from service.api.shapes import Asked, Id
from service.calls.face_end import get_ready
from service.calls.fallback_end import fallback_at_hand
from service.calls.gateway import Gateway
from service.calls.peer import Peer
from service.calls.rooms import Room
from service.store import audit, grants
from service.store.models import StoredAvatar, User
from service.surroundings_watch import WatchSettings
from service.view import View

router = APIRouter(prefix="/v1/rooms", tags=["calls"])
Caller = Annotated[Bearer, asking("calls")]

_ELSEWHERE = (
    "This avatar was enrolled elsewhere, and its signing key is there: nobody would be shown it. "
    "Call with facewire call, or enrol here."
)
Sdp = Annotated[str, StringConstraints(min_length=1, max_length=50_000)]


class RoomShown(BaseModel):
    id: str
    link: str
    members: list[str] = Field(description="names of who is in it")


class JoinWanted(Asked):
    """mode: packets for a client that renders itself, video for a plain browser."""

    sdp: Sdp = Field(description="a WebRTC offer with all its candidates")
    mode: Literal["packets", "video"]
    avatar: str | None = Field(None, pattern="^[0-9a-f]{32}$", description="of yours, for video")
    width: int = Field(256, ge=64, le=1280)
    height: int = Field(256, ge=64, le=1280)
    fit: Literal["contain", "cover", "extend"] = "contain"
    background: Literal["learned", "blur"] = "learned"
    room: bool = Field(True, description="send the room you are in, where it is not the enrolled")
    light: bool = Field(True, description="send its light, likewise")


class Joined(BaseModel):
    member: str
    sdp: str = Field(description="the answer")


@router.post("", status_code=201, responses=refused(409))
async def make(me: Caller, context: Shared) -> RoomShown:
    """A room for two.  Whoever has its link and an account may join."""
    return _shown(context.rooms.make(me.user, context.clock()))


@router.get("/{id}", responses=refused(421))
async def show(id: Id, me: Caller, context: Shared) -> RoomShown:
    return _shown(_room(context, id))


@router.post("/{id}/members", status_code=201, responses=refused(409, 421, 507))
async def join(id: Id, asked: JoinWanted, me: Caller, context: Shared) -> Joined:
    """Joins a call.  With video this server renders for you: the call is then not protected from
    end to end."""
    room = _room(context, id)
    room.check(me.user, asked.mode)  # before an avatar is unsealed
    name, mine, watch, seed = await run_in_threadpool(_who, context, me.user, asked.avatar)
    who = (room, me.user, name, context.clock, partial(_stands, context, me, asked.avatar))
    member: Peer
    if asked.mode == "packets":
        member = Peer(*who)
    else:
        member = Gateway(
            *who,
            mine=mine,
            fetch=partial(_granted, context, me.user),
            may=partial(_may_see, context, me.user),
            view=View(asked.width, asked.height, asked.fit, asked.background),
            device=context.settings.device,
            watch=watch,
            seed=seed,
            fallback=await run_in_threadpool(fallback_at_hand),
            surroundings=WatchSettings(asked.room, asked.light),
        )
    try:
        if _room(context, id) is not room:  # it made way for another meanwhile
            raise refuse(404, "There is no such room any more.")
        answer = await member.answer(asked.sdp)
    except BaseException:
        await member.close()
        raise
    return Joined(member=member.id, sdp=answer)


@router.delete("/{id}/members/{member}", status_code=204, responses=refused(421))
async def leave(id: Id, member: Id, me: Caller, context: Shared) -> None:
    found: Any = _room(context, id).members.get(member)
    if found is None or found.user != me.user:
        raise refuse(404, "There is no such member of yours in the room.")
    await found.close()


def _room(context: Context, id: str) -> Room:
    room = context.rooms.find(id)
    if room is None and context.rooms.is_elsewhere(id):
        raise refuse(421, "This room is at another process; route by the id's first two digits.")
    if room is None:
        raise refuse(404, "There is no such room; ask for a new link.")
    return room


def _shown(room: Room) -> RoomShown:
    names = [member.name for member in room.members.values()]
    return RoomShown(id=room.id, link=f"/call?room={room.id}", members=names)


def _who(
    context: Context, user: str, avatar: str | None
) -> tuple[str, Avatar | None, IdentityWatch | None, bytes]:
    with context.database.read() as session:
        name = session.get_one(User, user).name
        seed = context.library.signing_seed(session, user)
    if avatar is None:
        return name, None, None, b""
    mine = own(context, user, avatar)
    get_ready(mine)
    sign = sign_of(context, user, avatar)
    watch = None if sign is None else IdentityWatch(sign)
    if not mine.signer:
        return name, mine, watch, b""
    if mine.signer != public_key(seed):
        raise refuse(409, _ELSEWHERE)
    return name, mine, watch, seed


def _stands(context: Context, me: Bearer, avatar: str | None) -> bool:
    """Whether who joined would still be let in, with the avatar that they joined with."""
    with context.database.read() as session:
        mine = session.get(StoredAvatar, avatar) if avatar else None
        there = avatar is None or (mine is not None and mine.owner_id == me.user)
        return there and tokens.stands(session, me, context.clock())


def _may_see(context: Context, user: str, digest: bytes) -> bool:
    with context.database.read() as session:
        return _named(session, user, digest, context.clock()) is not None


def _named(session: Session, user: str, digest: bytes, now: float) -> StoredAvatar | None:
    """The avatar of a digest's first bytes, if it is the user's or they hold a grant for it."""
    named = StoredAvatar.digest.startswith(digest.hex()) & grants.received(user, now)
    return session.scalar(select(StoredAvatar).where(named).limit(1))


def _granted(context: Context, user: str, digest: bytes) -> Avatar | None:
    """As `_named`, opened, and written down."""
    now = context.clock()
    with context.database.write() as session:
        stored = _named(session, user, digest, now)
        if stored is None:
            return None
        audit.note(session, user, "avatar.shown", stored.id, stored.owner_id, now)
        source = context.library.open(session, stored.owner_id, stored.blob)
    return parse_avatar(source.whole())

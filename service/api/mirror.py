"""The mirror, live: your camera in, what a receiver of your avatar would see out."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, WebSocket
from numpy.typing import NDArray

from avatar.archive import parse_avatar
from avatar.avatar import Avatar
from avatar.errors import InputError
from enroll.identity import can_describe, parse_sign
from service.apart import Apart
from service.api.context import NO_AVATAR, Context
from service.api.sockets import Visit, welcome
from service.glass import Glass
from service.store.models import StoredAvatar, is_id

router = APIRouter(prefix="/v1")
_SIZES = (64, 1024)  # pixels a side that are rendered here


@router.websocket("/mirror")
async def mirror(socket: WebSocket) -> None:
    """First {"token", "avatar", "size"}, then one JPEG for each answer: JSON, and a JPEG."""
    context: Context = socket.app.state.context

    async def talk(visit: Visit) -> None:
        glass = await visit.work(_glass, context, visit.bearer.user, visit.hello)
        try:
            while True:
                data = await visit.picture()
                said, picture = await visit.work(glass.call, "step", data)
                await socket.send_json(said)
                await socket.send_bytes(picture)
        finally:
            glass.close()

    await welcome(socket, context, "avatars:read", talk)


def _glass(context: Context, user: str, hello: dict[str, Any]) -> Apart:
    size = _size(hello.get("size"))
    avatar = own(context, user, hello.get("avatar"))
    sign = sign_of(context, user, hello["avatar"])
    return Apart(Glass, avatar, size, context.settings.device, sign)


def own(context: Context, user: str, id: Any) -> Avatar:
    """A user's own avatar, unsealed.  Raises InputError."""
    with context.database.read() as session:
        stored = session.get(StoredAvatar, id) if is_id(id) else None
        if stored is None or stored.owner_id != user:
            raise InputError(NO_AVATAR.rstrip("."), "Choose one of yours.")
        source = context.library.open(session, user, stored.blob)
    return parse_avatar(source.whole())


def sign_of(context: Context, user: str, avatar: str) -> NDArray[Any] | None:
    """Of a user's own avatar's face; None where none was made at the enrolment, or nothing here can
    compare with it."""
    with context.database.read() as session:
        sealed = session.get_one(StoredAvatar, avatar).sign
        if sealed is None or not can_describe():
            return None
        source = context.library.open(session, user, sealed)
    return parse_sign(source.whole())


def _size(asked: Any) -> int:
    least, most = _SIZES
    if not isinstance(asked, int) or not least <= asked <= most:
        raise InputError(f"a mirror is {least} to {most} pixels a side", "Choose another size.")
    return asked

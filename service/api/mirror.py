"""The mirror, live: your camera in, what a receiver of your avatar would see out."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, WebSocket

from avatar.archive import parse_avatar
from avatar.avatar import Avatar
from avatar.errors import InputError
from enroll.identity import IdentityWatch, can_describe, parse_sign
from service.api.context import NO_AVATAR, Context
from service.api.sockets import Visit, jpeg, picture_of, welcome
from service.calls.badge import badged
from service.store.models import StoredAvatar, is_id
from service.watermark.mark import Watermark

router = APIRouter(prefix="/v1")
_SIZES = (64, 1024)  # pixels a side that are rendered here
_DEADLINE = 0.1  # seconds that a picture may take


@router.websocket("/mirror")
async def mirror(socket: WebSocket) -> None:
    """First {"token", "avatar", "size"}, then one JPEG for each answer: JSON, and a JPEG."""
    context: Context = socket.app.state.context

    async def talk(visit: Visit) -> None:
        glass = await visit.work(_glass, context, visit.bearer.user, visit.hello)
        try:
            while True:
                data = await visit.picture()
                said, picture = await visit.work(glass.step, data)
                await socket.send_json(said)
                await socket.send_bytes(picture)
        finally:
            visit.work(glass.close)

    await welcome(socket, context, "avatars:read", talk)


def _glass(context: Context, user: str, hello: dict[str, Any]) -> _Glass:
    size = _size(hello.get("size"))
    avatar = own(context, user, hello.get("avatar"))
    return _Glass(avatar, size, context.settings.device, watch_of(context, user, hello["avatar"]))


def own(context: Context, user: str, id: Any) -> Avatar:
    """A user's own avatar, unsealed.  Raises InputError."""
    with context.database.read() as session:
        stored = session.get(StoredAvatar, id) if is_id(id) else None
        if stored is None or stored.owner_id != user:
            raise InputError(NO_AVATAR.rstrip("."), "Choose one of yours.")
        source = context.library.open(session, user, stored.blob)
    return parse_avatar(source.whole())


def watch_of(context: Context, user: str, avatar: str) -> IdentityWatch | None:
    """Of a user's own avatar; None where no sign was made at the enrolment, or nothing here can
    compare with it."""
    with context.database.read() as session:
        sealed = session.get_one(StoredAvatar, avatar).sign
        if sealed is None or not can_describe():
            return None
        source = context.library.open(session, user, sealed)
    return IdentityWatch(parse_sign(source.whole()))


def _size(asked: Any) -> int:
    least, most = _SIZES
    if not isinstance(asked, int) or not least <= asked <= most:
        raise InputError(f"a mirror is {least} to {most} pixels a side", "Choose another size.")
    return asked


class _Glass:
    """One person before one avatar."""

    def __init__(self, avatar: Avatar, size: int, device: str, watch: IdentityWatch | None) -> None:
        from service.mirror import Mirror, MirrorSettings

        self._mirror = Mirror(avatar, MirrorSettings(size=size, device=device), watch, _DEADLINE)
        self._mark = Watermark(avatar.digest)
        self._begun = time.monotonic()

    def step(self, data: bytes) -> tuple[dict[str, Any], bytes]:
        from enroll.capture import Frame

        arrived = time.monotonic()
        seen = self._mirror.step(Frame(picture_of(data), int((arrived - self._begun) * 1e6)))
        picture = jpeg(self._mark.on(badged(seen.shown), seen.time))
        took = round((time.monotonic() - arrived) * 1000)
        said = {
            "kbps": round(seen.kbps, 2),
            "visible": seen.visible,
            "owner": seen.owner,
            "left_out": seen.left_out,
        }
        return {**said, "milliseconds": took}, picture

    def close(self) -> None:
        self._mirror.close()

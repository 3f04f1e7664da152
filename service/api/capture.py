"""The guided capture, live: pictures in; the tracked mesh, advice and the script's place out."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, WebSocket

from avatar.errors import InputError
from service.apart import Apart
from service.api.context import Context
from service.api.sockets import Visit, welcome
from service.guide.guide import Guide
from service.store.models import Job, is_id

router = APIRouter(prefix="/v1")


@router.websocket("/capture")
async def capture(socket: WebSocket) -> None:
    """First {"token", "enrolment"}, then one JPEG for each answer.  Nothing of it is kept."""
    context: Context = socket.app.state.context

    async def talk(visit: Visit) -> None:
        asked = visit.hello.get("enrolment")
        order = await visit.work(_order, context, visit.bearer.user, asked)
        guide = Apart(Guide, order)
        try:
            while True:
                data = await visit.picture()
                await socket.send_json(await visit.work(guide.call, "step", data))
        finally:
            guide.close()

    await welcome(socket, context, "avatars:write", talk)


def _order(context: Context, user: str, enrolment: Any) -> list[str]:
    with context.database.read() as session:
        job = session.get(Job, enrolment) if is_id(enrolment) else None
        order = job.settings.get("script") if job is not None and job.owner_id == user else None
    if not order:
        raise InputError("there is no guided enrolment of yours by this id", "Ask for one first.")
    return list(order)

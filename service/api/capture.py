"""The guided capture, live: pictures in; the tracked mesh, advice and the script's place out."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np
from fastapi import APIRouter, WebSocket

from avatar.errors import InputError
from service.api.context import Context
from service.api.sockets import Visit, picture_of, welcome
from service.guide.advice import advise, mesh_points
from service.guide.measures import measures_of
from service.guide.script import PROMPTS, Script
from service.store.models import Job, is_id

router = APIRouter(prefix="/v1")


@router.websocket("/capture")
async def capture(socket: WebSocket) -> None:
    """First {"token", "enrolment"}, then one JPEG for each answer.  Nothing of it is kept."""
    context: Context = socket.app.state.context

    async def talk(visit: Visit) -> None:
        order = _order(context, visit.bearer.user, visit.hello.get("enrolment"))
        guide = await visit.work(_Guide, order)
        try:
            while True:
                data = await visit.picture()
                said = await visit.work(guide.step, data)
                await socket.send_json(said)
        finally:
            visit.work(guide.close)

    await welcome(socket, context, "avatars:write", talk)


def _order(context: Context, user: str, enrolment: Any) -> list[str]:
    with context.database.read() as session:
        job = session.get(Job, enrolment) if is_id(enrolment) else None
        order = job.settings.get("script") if job is not None and job.owner_id == user else None
    if not order:
        raise InputError("there is no guided enrolment of yours by this id", "Ask for one first.")
    return list(order)


class _Guide:
    """One person before the camera."""

    def __init__(self, order: list[str]) -> None:
        from enroll.track_live import CausalTracker

        self._tracker = CausalTracker()
        self._script = Script(order)
        self._begun = time.monotonic()
        self._size: tuple[int, ...] | None = None

    def step(self, data: bytes) -> dict[str, Any]:
        from enroll.capture import Frame

        image = picture_of(data)
        if self._size not in (None, image.shape):
            raise InputError("the pictures change their size", "Start the camera again.")
        self._size = image.shape
        now = int((time.monotonic() - self._begun) * 1e6)
        row = self._tracker.step(Frame(image, now)).row
        points = mesh_points(row)
        advice = advise(image, row, points)
        self._script.step(measures_of(row))
        current = self._script.current
        return {
            **asdict(advice),
            "mesh": np.rint(points[::2] * 1000).astype(int).ravel().tolist() if advice.seen else [],
            "gesture": current,
            "prompt": PROMPTS[current],
            "at": max(0, self._script.at),
            "of": len(self._script.order),
            "faults": self._script.faults,
        }

    def close(self) -> None:
        self._tracker.close()

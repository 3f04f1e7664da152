"""A call whose pictures go into a video file."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.archive import read_avatar
from avatar.avatar import Avatar
from enroll.identity import IdentityWatch, can_describe, face_of, parse_sign
from service.calls.badge import badged
from service.calls.client import Line, take_part
from service.calls.face_end import FaceEnd
from service.receiver import Renderer
from service.video_out import video_file
from service.view import View
from service.watermark.mark import Watermark

_LEAVE = (signal.SIGINT, signal.SIGTERM)
_PERIOD = 40_000  # us that the last picture is shown for


@dataclass(frozen=True)
class Recorded:
    """sent, received: kbit/s over the whole call."""

    pictures: int
    sent: float
    received: float
    loss: float


def _watch(face: Path) -> IdentityWatch | None:
    """None where there is no sign beside the avatar, or no network to compare with it."""
    if not (face.exists() and can_describe()):
        return None
    return IdentityWatch(parse_sign(face.read_bytes()))


async def record_call(
    base: str,
    room: str,
    token: str,
    source: str | Path,
    mine: Path,
    theirs: Sequence[Path],
    out: Path,
    size: int,
    seconds: float,
) -> Recorded:
    """Takes part and writes what was seen; SIGINT and SIGTERM end the call, not the file.

    Raises InputError, AccessError, VideoError, and ArchiveError for an avatar that is damaged.
    """
    from enroll.capture import open_video

    avatar = read_avatar(mine)
    end = FaceEnd(avatar, [read_avatar(path) for path in theirs], _watch(face_of(mine)))
    video = open_video(source)
    renderers: dict[str, tuple[Renderer, Watermark]] = {}
    count, first = 0, -1
    leave, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in _LEAVE:
        loop.add_signal_handler(number, leave.set)
    with video_file(out, size, size, 25.0) as file:

        def seen(values: NDArray[np.float32], shown: Avatar, time: int) -> None:
            nonlocal count, first
            if shown.digest not in renderers:
                made = Renderer(shown, View(size, size)), Watermark(shown.digest)
                renderers[shown.digest] = made
            renderer, mark = renderers[shown.digest]
            first = time if first < 0 else first
            at = time - first
            file.picture(mark.on(badged(renderer.picture(values)), at), at, _PERIOD)
            count += 1

        try:
            async with Line(base, room, token, end) as line:
                await take_part(line, video, avatar, seen, seconds, leave)
        finally:
            video.close()
            for number in _LEAVE:
                loop.remove_signal_handler(number)
    traffic = end.traffic
    return Recorded(count, traffic.sent.overall, traffic.received.overall, end.loss)

"""A call whose pictures go into a video file."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avatar.archive import read_avatar
from avatar.errors import MissingError
from enroll.identity import IdentityWatch, can_describe, face_of, parse_sign
from service.calls.client import Line, take_part
from service.calls.face_end import FaceEnd
from service.calls.fallback_end import fallback_at_hand
from service.calls.screen import Scene, Screen
from service.video_out import video_file
from service.view import View

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
    mine: Path | None,
    theirs: Sequence[Path],
    out: Path,
    size: int,
    seconds: float,
) -> Recorded:
    """Takes part and writes what was seen; SIGINT and SIGTERM end the call, not the file.

    mine: None sends by the fallback alone.  Raises InputError, AccessError, VideoError,
    ArchiveError for an avatar that is damaged, MissingError where there is neither avatar nor
    fallback.
    """
    from enroll.capture import open_video

    fallback = fallback_at_hand()
    if mine is None and fallback is None:
        raise MissingError(
            "there is no avatar, and no weights of the fallback that does without one",
            "Name one: --avatar FILE.  Or train: facewire train-mttf CLIPS -o WEIGHTS",
        )
    avatar = None if mine is None else read_avatar(mine)
    watch = None if mine is None else _watch(face_of(mine))
    end = FaceEnd(avatar, [read_avatar(path) for path in theirs], watch, fallback)
    video = open_video(source)
    screen = Screen(View(size, size))
    count, first = 0, -1
    leave, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in _LEAVE:
        loop.add_signal_handler(number, leave.set)
    with video_file(out, size, size, 25.0) as file:

        def seen(scene: Scene, time: int) -> None:
            nonlocal count, first
            first = time if first < 0 else first
            file.picture(screen.picture(scene), time - first, _PERIOD)
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

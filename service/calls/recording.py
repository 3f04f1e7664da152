"""A call whose pictures go into a video file."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from avatar.archive import read_avatar
from avatar.errors import MissingError
from enroll.identity import watch_beside
from service.calls.client import Line, take_part
from service.calls.face_end import FaceEnd
from service.calls.fallback_end import fallback_at_hand
from service.calls.screen import Scene, Screen
from service.signing import seed_for
from service.video_out import video_file
from service.view import View

_LEAVE = (signal.SIGINT, signal.SIGTERM)
_LOOK = 0.25  # seconds between two looks at what is to be told
_PERIOD = 40_000  # us that the last picture is shown for


@dataclass(frozen=True)
class Recorded:
    """sent, received: kbit/s over the whole call.  identity: of the other, as `FaceEnd` has it."""

    pictures: int
    sent: float
    received: float
    loss: float
    identity: str


async def _tell(line: Line, tell: Callable[[str], None]) -> None:
    end = line.end
    told: set[str] = set()
    while True:
        now = set()
        if line.lost:
            now.add("The line is lost; joining again.")
        if end.owner is False:
            now.add("The face before the camera is not the enrolled one: your avatar stands still.")
        if end.stopped:
            now.add("Somebody else is before the other's camera: their avatar is not shown.")
        if end.identity == "mismatch":
            now.add("What moves the other's avatar is not signed by its owner: it is not shown.")
        for words in now - told:
            tell(words)
        told = now
        await asyncio.sleep(_LOOK)


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
    tell: Callable[[str], None],
) -> Recorded:
    """Takes part and writes what was seen; SIGINT and SIGTERM end the call, not the file.

    mine: None sends by the fallback alone.  tell: is given, in plain words, what stops an avatar
    or the call while it does.

    Raises InputError, AccessError, VideoError, ArchiveError for an avatar that is damaged,
    MissingError where there is neither avatar nor fallback, and what `seed_for` raises.
    """
    from enroll.capture import open_video

    fallback = fallback_at_hand()
    if mine is None and fallback is None:
        raise MissingError(
            "there is no avatar, and no weights of the fallback that does without one",
            "Name one: --avatar FILE.  Or train: facewire train-mttf CLIPS -o WEIGHTS",
        )
    avatar = watch = None
    seed = b""
    if mine is not None:
        avatar = read_avatar(mine)
        seed, watch = seed_for(avatar, mine), watch_beside(mine)
    held = [read_avatar(path) for path in theirs]
    end = FaceEnd(avatar, held, watch, room, seed, fallback)
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
            at = time - first
            file.picture(screen.picture(scene, at), at, _PERIOD)
            count += 1

        try:
            async with Line(base, room, token, end) as line:
                telling = asyncio.create_task(_tell(line, tell))
                try:
                    await take_part(line, video, avatar, seen, seconds, leave)
                finally:
                    telling.cancel()
        finally:
            video.close()
            for number in _LEAVE:
                loop.remove_signal_handler(number)
    traffic = end.traffic
    return Recorded(count, traffic.sent.overall, traffic.received.overall, end.loss, end.identity)

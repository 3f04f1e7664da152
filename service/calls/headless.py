"""A call without a browser, whole: avatars, keys and fallback found, filmed, and shown."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from avatar.archive import read_avatar
from avatar.errors import InputError, MissingError
from enroll.capture import VideoInfo
from enroll.identity import watch_beside
from service.calls.client import Line, take_part
from service.calls.drawing import Drawing
from service.calls.face_end import FaceEnd, get_ready
from service.calls.fallback_end import fallback_at_hand
from service.calls.leased import Leases, Lent
from service.calls.outputs import Hearing, Output
from service.calls.screen import Scene, Screen
from service.calls.spoken import FilmSound, MicrophoneSound, Spoken
from service.calls.threads import finder
from service.signing import seed_for
from service.view import View

_LEAVE = (signal.SIGINT, signal.SIGTERM)
_LOOK = 0.25  # seconds between two looks at what is to be told
_RATE = 25.0  # pictures a second
_SHARE = 0.9  # of a picture's time that may go into rendering it


@dataclass(frozen=True)
class AttendSettings:
    """size: pixels a side of what is shown.  seconds: then leave.  sound: of the source is sent, a
    video's own or what the microphone beside a camera hears.  known: public signing keys of those
    who are called.  effort: 1 looks at what the avatar will show, as often as there is time, and
    corrects what was tracked; 0 does not.  background, light: the room and its light are sent where
    they are not the enrolled ones."""

    size: int = 256
    seconds: float = 60.0
    sound: bool = True
    known: Collection[str] = ()
    effort: int = 1
    background: bool = True
    light: bool = True


@dataclass(frozen=True)
class Attended:
    """sent, received: kbit/s over the whole call.  identity: of the other, as `FaceEnd` has it,
    or "stranger"."""

    pictures: int
    sent: float
    received: float
    loss: float
    identity: str


def screen_of(size: int) -> Screen:
    """What draws such a call: in time, for a late picture is worse than a coarse one."""
    view = View(size, size)
    return Screen(view, Drawing(view, deadline=_SHARE / _RATE))


async def _tell(line: Line, tell: Callable[[str], None], leave: asyncio.Event) -> None:
    end = line.end
    told: set[str] = set()
    while True:
        now = set()
        if line.refused is not None:
            tell(f"The call is over: {line.refused.message}")
            leave.set()
            return
        if line.lost:
            now.add("The line is lost; joining again.")
        if end.owner is False:
            now.add("The face before the camera is not the enrolled one: your avatar stands still.")
        if end.stopped:
            now.add("Somebody else is before the other's camera: their avatar is not shown.")
        if end.stranger:
            now.add("The other end is not whom you call: nothing goes to it, and it is not shown.")
        if end.identity == "mismatch":
            now.add("What moves the other's avatar is not signed by its owner: it is not shown.")
        for words in now - told:
            tell(words)
        told = now
        await asyncio.sleep(_LOOK)


def _spoken(source: str | Path, info: VideoInfo, tell: Callable[[str], None]) -> Spoken | None:
    if not info.live:
        return FilmSound(Path(source), info.start, info.duration) if info.has_audio else None
    try:
        return MicrophoneSound()
    except InputError as error:
        tell(f"{error.message}.  {error.cure}")
        return None


async def attend(
    base: str,
    room: str,
    token: str,
    source: str | Path,
    mine: Path | None,
    theirs: Sequence[Path],
    outputs: Sequence[Output],
    tell: Callable[[str], None],
    settings: AttendSettings = AttendSettings(),
) -> Attended:
    """Takes part and shows what is seen on all outputs; SIGINT and SIGTERM end the call, and so
    does whoever closes one of them.

    mine: None sends by the fallback alone.  theirs: avatars at hand; others come by grant.  Where
    all of them name a signer, or there are known signing keys, the call is with these people
    alone.  tell: is given, in plain words, what stops an avatar or the call while it does.

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
    avatar = watch = refiner = surroundings = None
    seed = b""
    finding = finder()
    if mine is not None:
        from service.surroundings_watch import SurroundingsWatch, WatchSettings

        avatar = read_avatar(mine)
        looks = bool(settings.effort)
        sent = WatchSettings(settings.background, settings.light, posture=looks)
        surroundings = SurroundingsWatch(avatar, sent, finding)
        seed, watch = seed_for(avatar, mine), watch_beside(mine)
        if settings.effort:
            from service.live_refiner import LiveRefiner

            refiner = LiveRefiner(avatar)
    held = [read_avatar(path) for path in theirs]
    for one in held:
        get_ready(one)
    signers = {one.signer for one in held}
    people = {*settings.known, *(signers if all(signers) else ())}
    end = FaceEnd(
        avatar,
        held,
        watch,
        room,
        seed,
        fallback,
        known=people,
        refiner=refiner,
        surroundings=surroundings,
    )
    video = open_video(source)
    spoken = _spoken(source, video.info, tell) if settings.sound else None
    screen, count = screen_of(settings.size), 0
    listening = [cast(Hearing, output) for output in outputs if output.hears]
    live = [output for output in outputs if output.live]
    leave, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in _LEAVE:
        loop.add_signal_handler(number, leave.set)

    def draw(scene: Scene | None, now: int) -> Any:
        if scene is not None:
            return screen.picture(scene, now), True
        return (screen.blank(), False) if live else None

    async def show(drawn: Any, now: int) -> bool:
        nonlocal count
        picture, somebody = drawn
        count += somebody
        asked = outputs if somebody else live
        return all([await output.show(picture, now) for output in asked])

    line = Line(base, room, token, end, spoken)

    def hear(frame: Any) -> None:
        for output in listening:
            output.hear(frame, line.now)

    line.heard = hear if listening else None
    try:
        async with line:
            lent = Lent(end, Leases(base, token), tell)
            loop.run_in_executor(None, screen.start)
            beside = [asyncio.create_task(work) for work in (_tell(line, tell, leave), lent.keep())]
            try:
                await take_part(line, video, avatar, draw, show, settings.seconds, leave, _RATE)
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
    finally:
        finding.shutdown(wait=False)
        video.close()
        if spoken is not None:
            spoken.close()
        for number in _LEAVE:
            loop.remove_signal_handler(number)
    traffic, identity = end.traffic, "stranger" if end.stranger else end.identity
    return Attended(count, traffic.sent.overall, traffic.received.overall, end.loss, identity)

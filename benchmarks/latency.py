"""From a frame's capture to the picture at the other end: milliseconds, on this machine alone.

    python -m benchmarks.latency AVATAR CLIP [--both] [--browser [looks]] [--seconds 20]

A real `facewire serve`, two members in a process each, WebRTC between them.  A member films as
`facewire call` does, effort 0, from a camera that plays the clip forth and back; a frame's time is
that of its capture on the machine's monotonic clock, and goes with it over the line.  What is
shown lies between two frames, so its capture time does, too; where a frame stands since the next
has not come, it is that frame's.  latency: from that time until the picture is drawn, badge and
watermark on it.  --both: either films and is shown, as in a call of two; both ends and the server
then share this machine.  --browser: both ends are the call page in Chromium, or the one that looks
(`benchmarks/browser_latency.py`).  Where the time goes: filmed is from capture until the datagrams
are on the channel, waits is what playout holds a frame back, drawn is rendering, and worked is the
CPU's time of it, which holds where the machine has other work, too.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import demo  # noqa: F401  threads as `facewire` has them, for the processes to come
from benchmarks.serving import Busy, machine, served
from enroll.capture import Frame, VideoInfo, open_video

_FRAMES = 250  # of the clip; forth and back, so that nothing jumps
_WARM = 5.0  # seconds of pictures that are not counted: compiling, loading and learning happen once


class Camera:
    """A clip as a camera: a frame every 1/fps s of the monotonic clock, from `epoch` on; its time
    is that of its capture, in microseconds from there."""

    damaged = False

    def __init__(self, clip: Path, fps: float, epoch: float) -> None:
        video = open_video(clip)
        self.warnings: list[str] = []
        self.info: VideoInfo = replace(video.info, live=True, fps=fps)
        there = [frame.image for frame, _ in zip(video, range(_FRAMES))]
        self.images = there + there[-2:0:-1]
        self._epoch, self._fps = epoch, fps

    def __iter__(self) -> Iterator[Frame]:
        number = int((time.monotonic() - self._epoch) * self._fps) + 1
        while True:
            due = number / self._fps
            time.sleep(max(0.0, self._epoch + due - time.monotonic()))
            yield Frame(self.images[number % len(self.images)], round(1e6 * due))
            number += 1

    def close(self) -> None:
        pass


@dataclass
class Noted:
    """What one member saw; seconds."""

    latency: list[float] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    filmed: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    hows: list[str] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Member:
    """One end.  films, sees: what it does in the call."""

    base: str
    room: str
    token: str
    avatar: Path
    clip: Path
    fps: float
    size: int
    seconds: float
    epoch: float
    films: bool
    sees: bool


async def take(member: Member) -> Noted:
    from avatar.archive import read_avatar
    from enroll.identity import watch_beside
    from service.calls.client import Line, take_part
    from service.calls.face_end import FaceEnd
    from service.calls.headless import screen_of
    from service.signing import seed_for

    avatar = read_avatar(member.avatar)
    noted = Noted()

    class Timed(FaceEnd):
        def film(self, now: int, frame: Frame, *how: Any) -> list[bytes]:
            out = super().film(now, frame, *how)
            noted.filmed.append(time.monotonic() - member.epoch - frame.time / 1e6)
            return out

    mine = avatar if member.films else None
    seed = seed_for(avatar, member.avatar) if member.films else b""
    watch = watch_beside(member.avatar) if member.films else None
    end = Timed(mine, [avatar] if member.sees else [], watch, member.room, seed)
    screen = screen_of(member.size)

    def draw(scene: Any, now: int) -> Any:
        if scene is None or scene.avatar is None:
            return None
        begun, worked = time.monotonic(), time.thread_time()
        picture = screen.picture(scene, now)
        done = time.monotonic()
        noted.worked.append(time.thread_time() - worked)
        noted.at.append(done)
        noted.drawn.append(done - begun)
        noted.latency.append(done - member.epoch - scene.avatar[1].since / 1e6)
        noted.waits.append(end.delay / 1e6)
        noted.hows.append(scene.avatar[1].how)
        noted.left_out.append(screen.left_out)
        return picture

    async def show(picture: Any, now: int) -> bool:
        return True

    camera = Camera(member.clip, member.fps, member.epoch) if member.films else None
    async with Line(member.base, member.room, member.token, end) as line:
        await take_part(line, camera, mine, draw, show, member.seconds, asyncio.Event())
    return noted


def _run(member: Member, given: Any) -> None:
    given.put((member.sees, asyncio.run(take(member))))


def film_in(member: Member) -> None:
    asyncio.run(take(member))


def signed_in(base: str, count: int) -> tuple[str, list[str]]:
    """A room, and a token for each of those who call."""
    import httpx

    tokens = []
    with httpx.Client(base_url=base, timeout=60) as client:
        for _ in range(count):
            who = {"name": f"late{secrets.token_hex(4)}", "password": "correct horse battery"}
            client.post("/v1/accounts", json=who).raise_for_status()
            tokens.append(client.post("/v1/sessions", json=who).json()["token"])
        headers = {"Authorization": f"Bearer {tokens[0]}"}
        return client.post("/v1/rooms", headers=headers).json()["id"], tokens


def headless(asked: argparse.Namespace) -> None:
    apart = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, served(folder) as (base, _):
        room, tokens = signed_in(base, 2)
        epoch, given = time.monotonic(), apart.Queue()
        made = Member(
            base, room, "", asked.avatar, asked.clip, asked.fps, asked.size,
            asked.seconds + 2 * _WARM, epoch, films=True, sees=asked.both,
        )  # fmt: skip
        other = replace(made, films=asked.both, sees=True)
        ends = [replace(made, token=tokens[0]), replace(other, token=tokens[1])]
        running = [apart.Process(target=_run, args=(end, given)) for end in ends]
        for process in running:
            process.start()
        time.sleep(2 * _WARM)
        busy = Busy()
        all_noted = [given.get(timeout=asked.seconds + 120) for _ in running]
        used, stolen = busy.cores()
        for process in running:
            process.join()
    _tell([noted for sees, noted in all_noted if sees], [noted for _, noted in all_noted])
    print(f"cores busy: {used:.2f}, stolen {stolen:.2f}; {machine()}")


def _tell(seen: list[Noted], filmed: list[Noted]) -> None:
    if not all(noted.at and noted.at[-1] - noted.at[0] > 2 * _WARM for noted in seen):
        raise SystemExit("too little was seen: is the clip of the avatar's person, the key beside?")

    def counted(noted: Noted, values: list[Any]) -> Any:
        return np.array([v for v, at in zip(values, noted.at) if at >= noted.at[0] + _WARM])

    print(f"{'ms':12} {'p50':>7} {'p95':>7}")
    for name in ("latency", "waits", "drawn", "worked"):
        values = np.concatenate([counted(noted, getattr(noted, name)) for noted in seen])
        row(name, values)
    row("filmed", np.concatenate([n.filmed[len(n.filmed) // 3 :] for n in filmed if n.filmed]))
    at, hows, rungs = seen[0].at, counted(seen[0], seen[0].hows), counted(
        seen[0], seen[0].left_out
    )  # fmt: skip
    print(
        f"{len(hows)} pictures, {(len(at) - 1) / (at[-1] - at[0]):.1f} a second; "
        f"{100 * np.mean(hows == 'exact'):.1f} % exact; steps left out, mean {rungs.mean():.1f}"
    )


def row(name: str, values: Any) -> None:
    """values: seconds."""
    p50, p95 = np.percentile(np.asarray(values) * 1000, [50, 95])
    print(f"{name:12} {p50:7.1f} {p95:7.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("avatar", type=Path, metavar="AVATAR")
    parser.add_argument("clip", type=Path, metavar="CLIP", help="of the avatar's person")
    parser.add_argument("--both", action="store_true", help="both film and are shown")
    parser.add_argument(
        "--browser", nargs="?", const="both", choices=("both", "looks"),
        help="Chromium on the call page, at which ends",
    )  # fmt: skip
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--fps", type=float, default=25.0, help="of the camera")
    parser.add_argument("--size", type=int, default=256)
    asked = parser.parse_args()
    if asked.browser:
        from benchmarks.browser_latency import in_browsers

        in_browsers(asked)
    else:
        headless(asked)


if __name__ == "__main__":
    main()

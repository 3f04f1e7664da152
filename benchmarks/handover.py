"""From the fallback to the avatar in a call over a real network: what is missing, what jumps.

    python -m benchmarks.handover AVATAR CLIP --weights WEIGHTS [--calls 3]

A real `facewire serve`, two members in a process each, WebRTC between them.  One films, as in
`benchmarks/latency.py`; the other has the fallback's weights and no avatar, and is given it after
some seconds of the call.  What there is to show is taken 25 times a second, as it is; it is drawn
afterwards, so that a busy machine changes nothing of the pictures.  missing: of those moments, with
nothing to show.  jump: how much farther the face moves from one picture to the next, while the two
cross-fade, than it does in the film at the times shown, in pixels of 256, both ways together; the
face's place is the mean of MediaPipe's landmarks.  Beside it the same before and after, where
nothing is handed over: what landmarks, network and avatar make of a face that moves.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty
from typing import Any

import numpy as np

from benchmarks.latency import Camera, Member, signed_in
from benchmarks.serving import machine, served

_BEFORE, _AFTER = 2.0, 2.0  # seconds that are looked at around the cross-fade
_SETTLE = 4.0  # seconds of the fallback before
_PATIENCE = 150.0  # seconds for each of the two to be shown
_PERIOD = 0.04
_SIDE = 256


class Place:
    """Where a face is: the mean of its landmarks, in pixels."""

    def __init__(self) -> None:
        from enroll.mesh import MediaPipeMesh

        self._mesh = MediaPipeMesh()

    def of(self, picture: Any) -> Any:
        found = self._mesh.find(picture)
        return np.full(2, np.nan) if found is None else found.points[:468, :2].mean(axis=0)


def end_of(member: Member, weights: Path) -> tuple[Any, Any]:
    """The avatar and this member's end."""
    from avatar.archive import read_avatar
    from codec.mttf.weights import load_weights
    from service.calls.face_end import FaceEnd, get_ready
    from service.calls.fallback_end import FallbackEnd
    from service.signing import seed_for

    avatar = read_avatar(member.avatar)
    get_ready(avatar)
    fallback = FallbackEnd(load_weights(weights))
    if not member.films:
        return avatar, FaceEnd(None, [], None, member.room, b"", fallback)
    seed = seed_for(avatar, member.avatar)
    return avatar, FaceEnd(avatar, [], None, member.room, seed, fallback)


async def film(member: Member, weights: Path, done: Any) -> None:
    from service.calls.client import Line, take_part

    avatar, end = end_of(member, weights)
    leave = asyncio.Event()

    async def show(picture: Any, now: int) -> bool:
        return True

    async def watch() -> None:
        while not done.is_set():
            await asyncio.sleep(0.1)
        leave.set()

    camera = Camera(member.clip, member.fps, member.epoch)
    async with Line(member.base, member.room, member.token, end) as line:
        watching = asyncio.create_task(watch())
        await take_part(line, camera, avatar, lambda *_: None, show, member.seconds, leave)
        watching.cancel()


async def look(member: Member, weights: Path, done: Any) -> dict[str, Any]:
    from service.calls.client import Line

    avatar, end = end_of(member, weights)
    moments: list[tuple[float, int, Any]] = []
    given = begun = whole = None  # when the avatar was; the first of either was shown
    async with Line(member.base, member.room, member.token, end) as line:
        due = limit = time.monotonic()
        while due < limit + _PATIENCE:
            now = line.now
            scene = end.scene(now)
            if scene is not None or moments:
                moments.append((time.monotonic(), now, scene))
            if scene is not None and begun is None:
                begun = time.monotonic()
            if begun is not None and given is None and time.monotonic() - begun > _SETTLE:
                given = limit = time.monotonic()
                end.hold(avatar)  # which is ready, as a member of the server has it
            if scene is not None and scene.share == 1 and whole is None and given is not None:
                whole = time.monotonic()
            if whole is not None and time.monotonic() - whole > _AFTER:
                break
            due = max(due + _PERIOD, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
        done.set()
    if given is None or whole is None:
        raise SystemExit("the fallback or the avatar was not shown; are weights and key there?")
    kept = [moment for moment in moments if given - _BEFORE < moment[0]]
    with ThreadPoolExecutor(1) as drawing:
        return await asyncio.get_running_loop().run_in_executor(
            drawing, _drawn, kept, whole - given
        )


def _drawn(moments: list[tuple[float, int, Any]], took: float) -> dict[str, Any]:
    """What was seen at each moment: share of the avatar, the film's time, the face's place."""
    from service.calls.screen import Screen
    from service.view import View

    screen, place = Screen(View(_SIDE, _SIDE)), Place()
    rows = []
    for at, now, scene in moments:
        if scene is None:
            rows.append((at, np.nan, np.nan, np.nan, np.nan))
            continue
        times = [each[1].time if each else None for each in (scene.fallback, scene.avatar)]
        first, second = (t if t is not None else next(u for u in times if u) for t in times)
        shown = first + scene.share * (second - first)
        rows.append((at, scene.share, shown, *place.of(screen.picture(scene, now))))
    return {"rows": np.array(rows, np.float64), "took": took}


def _film(member: Member, weights: Path, done: Any) -> None:
    asyncio.run(film(member, weights, done))


def _look(member: Member, weights: Path, done: Any, given: Any) -> None:
    given.put(asyncio.run(look(member, weights, done)))


def one(asked: argparse.Namespace) -> dict[str, Any]:
    apart = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, served(folder) as (base, _):
        room, tokens = signed_in(base, 2)
        done, given = apart.Event(), apart.Queue()
        films = Member(
            base, room, tokens[0], asked.avatar, asked.clip, asked.fps, _SIDE, 3 * _PATIENCE,
            time.monotonic(), films=True, sees=False,
        )  # fmt: skip
        looks = replace(films, token=tokens[1], films=False, sees=True)
        running = [
            apart.Process(target=_film, args=(films, asked.weights, done)),
            apart.Process(target=_look, args=(looks, asked.weights, done, given)),
        ]
        for process in running:
            process.start()
        try:
            while running[1].is_alive() or not given.empty():
                with suppress(Empty):
                    return given.get(timeout=1.0)
            raise SystemExit("the one who looks ended early")
        finally:
            done.set()
            for process in running:
                process.join()


def filmed(asked: argparse.Namespace) -> tuple[Any, Any]:
    """Times in a turn of the camera, microseconds, and the face's place in the avatar's window."""
    from avatar.archive import read_avatar
    from enroll.crops import cut_window

    window, place = read_avatar(asked.avatar).window, Place()
    images = Camera(asked.clip, asked.fps, 0.0).images
    half = images[: len(images) // 2 + 1]
    places = [place.of(cut_window(image, window, _SIDE)) for image in half]
    places += places[-2:0:-1]
    return np.arange(len(places)) * 1e6 / asked.fps, np.array(places)


def jumps(rows: Any, film_times: Any, film_places: Any) -> Any:
    """Pixels, of each picture but the first: how far the face came from its place in the film since
    the picture before."""
    turn = len(film_times) * 1e6 * (film_times[1] - film_times[0]) / 1e6
    should = np.stack(
        [np.interp(rows[:, 2] % turn, film_times, film_places[:, i], period=turn) for i in (0, 1)],
        axis=1,
    )
    off = rows[:, 3:5] - should
    return np.hypot(*np.diff(off, axis=0).T)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("avatar", type=Path, metavar="AVATAR")
    parser.add_argument("clip", type=Path, metavar="CLIP", help="of the avatar's person")
    parser.add_argument("--weights", type=Path, required=True, help="of the fallback")
    parser.add_argument("--calls", type=int, default=3)
    parser.add_argument("--save", type=Path, metavar="NPY", help="the last call's moments")
    parser.add_argument("--fps", type=float, default=25.0, help="of the camera")
    asked = parser.parse_args()
    film_times, film_places = filmed(asked)
    print("call  avatar after  moments  missing  longest gap  jump, px: fade  before  after (p95)")
    for number in range(asked.calls):
        seen = one(asked)
        rows = seen["rows"]
        step = jumps(rows, film_times, film_places)
        if asked.save:
            np.save(asked.save, np.column_stack([rows, np.concatenate([[np.nan], step])]))
        share = rows[1:, 1]
        fade = ((share > 0) & (share < 1)) | ((rows[:-1, 1] < 1) & (share == 1))
        before, after = (share == 0), (share == 1) & ~fade
        figures = [np.nanmax(step[fade], initial=0.0)]
        figures += [np.nanpercentile(step[part], 95) for part in (before, after)]
        gap = 1000 * np.diff(rows[:, 0]).max()
        print(
            f"{number + 1:4d}  {seen['took']:9.2f} s  {len(rows):8d}  "
            f"{np.isnan(rows[:, 1]).sum():7d}  {gap:8.0f} ms  {figures[0]:14.2f}  "
            f"{figures[1]:6.2f}  {figures[2]:6.2f}",
            flush=True,
        )
    print(machine())


if __name__ == "__main__":
    main()

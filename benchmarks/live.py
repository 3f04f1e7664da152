"""What a live call sends: the clip at its own pace before the live tracker, as before a camera."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import demo  # noqa: F401  threads as `facewire` has them, for the processes to come
from avatar.archive import read_avatar
from avatar.avatar import Avatar
from avatar.face import FaceStates, Window
from bench.figure import Figure
from benchmarks.lab import Lab, number
from codec.header import DIGEST, StreamHeader
from enroll.capture import open_video
from enroll.scene import TrackPrior
from enroll.track_live import CausalTracker
from service.calls.threads import filmer
from service.latest import Latest
from service.live_refiner import LiveRefiner
from service.sender import write_stream
from service.states import states_of


@dataclass(frozen=True)
class Filmed:
    """tracking, looking: seconds of each frame.  looked: at so many of them.  late: frames that
    the next one overtook."""

    states: FaceStates
    window: Window
    tracking: list[float]
    looking: list[float]
    looked: int
    late: int


def filmed(avatar: Path, clip: Path, looks: bool) -> Filmed:
    """The clip before a camera, tracked and, with `looks`, corrected while it is filmed: in a
    process and on a thread as a call has them."""
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        return apart.submit(_threaded, avatar, clip, looks).result()


def _threaded(path: Path, clip: Path, looks: bool) -> Filmed:
    avatar = read_avatar(path)
    with filmer() as filming:
        return filming.submit(_filmed, avatar, clip, looks).result()


def _filmed(avatar: Avatar, clip: Path, looks: bool) -> Filmed:
    tracker = CausalTracker(prior=TrackPrior.of(avatar))
    refiner = LiveRefiner(avatar) if looks else None
    video = open_video(clip)
    rows, tracking, looking = [], [], []
    try:
        for frame in Latest(video):
            begun = time.monotonic()
            tracked = tracker.step(frame)
            states = states_of(tracked.row, avatar)
            between = time.monotonic()
            if refiner is not None:
                states = refiner.step(frame, tracked.row, states)
            tracking.append(between - begun)
            looking.append(time.monotonic() - between)
            rows.append(states)
    finally:
        tracker.close()
        video.close()
    states = FaceStates(
        np.concatenate([row.time for row in rows]),
        np.concatenate([row.values for row in rows]),
        np.concatenate([row.visible for row in rows]),
        avatar.layout,
    )
    late = sum(1 for _ in open_video(clip)) - len(states)
    looked = 0 if refiner is None else refiner.looked
    return Filmed(states, tracked.row.window, tracking, looking, looked, late)


def live(lab: Lab, clip: str, protocol: str) -> Iterator[Figure]:
    """PSNR, MS-SSIM and rate of held-out frames filmed live, at efforts 0 and 1, and what a
    frame's tracking and a look take.  In the enrolment's light and room."""
    who = lab.enrolled(clip, protocol)
    avatar = read_avatar(who.avatar)
    for effort in (0, 1):
        name = f"live, effort {effort}, {who.name}"
        seen = filmed(who.avatar, who.cut.judge, looks=bool(effort))
        stream = who.avatar.with_suffix(f".live{effort}.fw")
        digest = bytes.fromhex(avatar.digest)[:DIGEST]
        header = StreamHeader(digest=digest, layout=avatar.layout, window=seen.window)
        write_stream(stream, seen.states, avatar, header)
        found = lab.compared(who, stream, lab.video(who, stream, 256))
        for key in ("psnr", "psnr_face", "ms_ssim_face"):
            unit = "dB" if "psnr" in key else ""
            yield Figure(name, key, number(found[key]), unit, note=who.cost)
        yield Figure(name, "payload", number(lab.info(stream)["payload_kbps"]), "kbit/s")
        frames = len(seen.states)
        note = f"{frames} frames, {seen.late} overtaken"
        yield Figure(name, "tracking a frame", 1e3 * float(np.mean(seen.tracking)), "ms", note=note)
        if seen.looked:
            looks = 1e3 * sum(seen.looking) / seen.looked
            yield Figure(name, "a look", looks, "ms", note=f"{seen.looked} of {frames} frames")


def _row(clip: str, protocol: str) -> Callable[[Lab], Iterator[Figure]]:
    return lambda lab: live(lab, clip, protocol)


LIVE: dict[str, Callable[[Lab], Iterator[Figure]]] = {
    "live-podium": _row("podium.mp4", "tail"),
    "live-turning": _row("turning.mp4", "fifths"),
}

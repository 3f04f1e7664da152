"""What a live call sends: the clip at its own pace before the live tracker, as before a camera."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import demo  # noqa: F401  threads as `facewire` has them, for the processes to come
from avatar.archive import read_avatar
from avatar.avatar import Avatar
from avatar.face import FaceStates, Window
from bench.ffmpeg import run_ffmpeg
from bench.figure import Figure
from benchmarks.lab import Enrolled, Lab, number
from codec.header import DIGEST, StreamHeader
from enroll.capture import open_video
from enroll.scene import TrackPrior
from enroll.track_live import CausalTracker
from service.calls.threads import filmer, finder
from service.latest import Latest
from service.live_refiner import LiveRefiner
from service.live_states import LiveStates
from service.sender import write_stream
from service.surroundings import Surroundings
from service.surroundings_watch import SurroundingsWatch, WatchSettings

DUSK = "lutrgb=r=val*0.75+6:g=val*0.8+2:b=val*0.95"  # of ffmpeg


@dataclass(frozen=True)
class Filmed:
    """tracking, finding: seconds of each frame.  looked: at so many of them.  late: frames that
    the next one overtook.  found: where the camera is; told: so many frames after the first."""

    states: FaceStates
    window: Window
    tracking: list[float]
    finding: list[float]
    looked: int
    late: int
    found: Surroundings
    told: int | None


def filmed(avatar: Path, clip: Path, looks: bool, around: bool = True) -> Filmed:
    """The clip before a camera, tracked and, with `looks`, corrected while it is filmed; `around`:
    room and light are found, too.  In a process and on threads as a call has them."""
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        return apart.submit(_threaded, avatar, clip, looks, around).result()


def _threaded(path: Path, clip: Path, looks: bool, around: bool) -> Filmed:
    avatar = read_avatar(path)
    with filmer() as filming, finder() as finding:
        watch = SurroundingsWatch(
            avatar, WatchSettings(around, around, posture=around and looks), finding
        )
        return filming.submit(_filmed, avatar, clip, looks, watch).result()


def _filmed(avatar: Avatar, clip: Path, looks: bool, watch: SurroundingsWatch) -> Filmed:
    tracker = CausalTracker(prior=TrackPrior.of(avatar))
    refiner = LiveRefiner(avatar) if looks else None
    live = LiveStates(avatar, refiner)
    told: int | None = None
    video = open_video(clip)
    rows, tracking, finding = [], [], []
    try:
        for frame in Latest(video):
            begun = time.monotonic()
            tracked = tracker.step(frame)
            between = time.monotonic()
            states = live.step(frame, tracked.row)
            found = watch.step(frame, tracked.row, states)
            if found is not None:
                told = len(rows) if told is None else told
                live.take(found)
            tracking.append(between - begun)
            finding.append(time.monotonic() - between)
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
    window = tracked.row.window
    return Filmed(states, window, tracking, finding, looked, late, watch.found, told)


def live(lab: Lab, clip: str, protocol: str) -> Iterator[Figure]:
    """PSNR, MS-SSIM and rate of held-out frames filmed live, at efforts 0 and 1, and what a
    frame's tracking takes, and finding its states."""
    who = lab.enrolled(clip, protocol)
    for effort in (0, 1):
        name = f"live, effort {effort}, {who.name}"
        seen = filmed(who.avatar, who.cut.judge, looks=bool(effort))
        yield from _judged(lab, who, name, seen, f".live{effort}.fw")
        frames = len(seen.states)
        note = f"{frames} frames, {seen.late} overtaken"
        yield Figure(name, "tracking a frame", 1e3 * float(np.mean(seen.tracking)), "ms", note=note)
        finding = 1e3 * float(np.mean(seen.finding))
        looked = f"{seen.looked} of {frames} frames looked at"
        yield Figure(name, "finding states a frame", finding, "ms", note=looked)


def live_elsewhere(lab: Lab, clip: str, protocol: str) -> Iterator[Figure]:
    """The same film in an evening's light, at effort 1: with and without what a call finds of it.
    All of the film is drawn as it is once that is told."""
    who = lab.enrolled(clip, protocol)
    judge = who.avatar.with_name("dusk.mkv")
    if not judge.exists():
        run_ffmpeg(["-i", str(who.cut.judge), "-vf", DUSK, "-c:v", "ffv1", str(judge)])
    who = replace(who, cut=replace(who.cut, judge=judge))
    for around in (False, True):
        name = f"live, dusk{'' if around else ', as enrolled'}, {who.name}"
        seen = filmed(who.avatar, judge, looks=True, around=around)
        yield from _judged(lab, who, name, seen, f".dusk{int(around)}.fw")
        if seen.told is not None:
            size = sum(len(bytes(packet)) for packet in seen.found)
            yield Figure(name, "surroundings", size, "bytes", note=f"told at frame {seen.told}")


def _judged(lab: Lab, who: Enrolled, name: str, seen: Filmed, suffix: str) -> Iterator[Figure]:
    avatar = read_avatar(who.avatar)
    stream = who.avatar.with_suffix(suffix)
    digest = bytes.fromhex(avatar.digest)[:DIGEST]
    header = StreamHeader(digest=digest, layout=avatar.layout, window=seen.window)
    write_stream(stream, seen.states, avatar, header, surroundings=seen.found)
    found = lab.compared(who, stream, lab.video(who, stream, 256))
    for key in ("psnr", "psnr_face", "ms_ssim_face"):
        unit = "dB" if "psnr" in key else ""
        yield Figure(name, key, number(found[key]), unit, note=who.cost)
    yield Figure(name, "payload", number(lab.info(stream)["payload_kbps"]), "kbit/s")


def _row(clip: str, protocol: str) -> Callable[[Lab], Iterator[Figure]]:
    return lambda lab: live(lab, clip, protocol)


LIVE: dict[str, Callable[[Lab], Iterator[Figure]]] = {
    "live-podium": _row("podium.mp4", "tail"),
    "live-turning": _row("turning.mp4", "fifths"),
    "live-newsdesk": _row("newsdesk.mp4", "10s"),
    "live-webcam": _row("webcam.mp4", "tail"),
    "live-dusk": lambda lab: live_elsewhere(lab, "podium.mp4", "tail"),
}

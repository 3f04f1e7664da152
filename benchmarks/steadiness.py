"""Whether anything shakes: a still photograph, a moving head, the seam, the wall behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.archive import read_avatar
from bench.figure import Figure
from bench.metrics.registry import metric
from bench.metrics.tracked import tracked
from benchmarks.lab import Enrolled, Lab
from benchmarks.live import filmed
from benchmarks.seam import border, steps
from enroll.capture import open_video
from render.portrait import Portrait
from render.tensors import fields_of
from service.compare import aligned
from service.receiver import open_stream
from service.video_out import video_file

NOISE = 3.0  # levels of 255, a webcam's in a room
FRAMES, RATE = 100, 25
_PERIOD = 1_000_000 // RATE
_EVERY = 5  # frames, of those whose border is looked at


def steadiness(lab: Lab, clip: str, protocol: str) -> Iterator[Figure]:
    """Of one avatar, by the default effort: all lengths in pixels at 256."""
    name = f"steady {Path(clip).stem}"
    who = lab.enrolled(clip, protocol)
    for what, pictures in (("", _recorded(lab, who)), (", in a call", _called(who))):
        yield Figure(name, f"still photograph{what}", _moving(pictures), "px", 0.1, "at most")
    stream = lab.stream(who, "--effort=1")
    pairs = list(aligned(who.cut.judge, lab.video(who, stream, 256), stream))
    filmed, shown = (np.stack(side) for side in zip(*pairs, strict=True))
    mine, theirs = tracked(filmed, shown)
    own, ours = (_acceleration(one.points) for one in (mine, theirs))
    note = f"{ours:.3f} px against {own:.3f} filmed"
    yield Figure(name, "excess acceleration", 100 * (ours / own - 1), "%", 10, "at most", note)
    for what, drawn, source in _seam(who, stream, filmed, shown):
        note = f"{drawn:.2f} against {source:.2f} filmed"
        yield Figure(name, f"{what} at the seam", drawn - source, "levels", 0, "at most", note)
    for which, bound in (("SEAM", 0.5), ("FLICKER", 0.1)):
        figures = metric(which).measure(filmed, shown)
        yield Figure(name, which, float(np.nanmean(figures)), "levels", bound, "at most")


def _seam(
    who: Enrolled, stream: Path, filmed: NDArray[np.uint8], shown: NDArray[np.uint8]
) -> Iterator[tuple[str, float, float]]:
    """What steps across the avatar's border of head and torso: its name, as drawn, as filmed."""
    avatar = read_avatar(who.avatar)
    person, states = fields_of(avatar), open_stream(stream, avatar).states.values
    found = []
    for values, mine, theirs in list(zip(states, shown, filmed, strict=True))[::_EVERY]:
        along = border(person, values, len(mine))
        if len(along.at):
            found.append([steps(mine, along), steps(theirs, along)])
    drawn, source = np.mean(found, axis=0)
    yield from zip(("colour", "gradient"), drawn.tolist(), source.tolist(), strict=True)


def _acceleration(points: NDArray[np.floating]) -> float:
    """Mean length of the landmarks' [F, P, 2] second difference over time."""
    return float(np.nanmean(np.linalg.norm(np.diff(points, 2, axis=0), axis=2)))


def _photograph(who: Enrolled) -> Path:
    """A film of one photograph with a camera's noise."""
    film = who.avatar.with_name("still.mkv")
    if not film.exists():
        first = next(iter(open_video(who.cut.judge))).image
        rng = np.random.default_rng(0)
        height, width = first.shape[:2]
        with video_file(film, width, height, RATE) as video:
            for index in range(FRAMES):
                noisy = first + rng.normal(0.0, NOISE, first.shape)
                picture = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
                video.picture(picture, index * _PERIOD, _PERIOD)
    return film


def _recorded(lab: Lab, who: Enrolled) -> NDArray[np.uint8]:
    """The photograph as a recording shows it."""
    film = _photograph(who)
    stream, shown = film.with_suffix(".fw"), film.with_suffix(".shown.mkv")
    lab.run("encode", film, "--avatar", who.avatar, "-o", stream, "--effort", "1")
    lab.run("decode", stream, "--avatar", who.avatar, "-o", shown, "--size", "256")
    return np.stack([frame.image for frame in open_video(shown)])


def _called(who: Enrolled) -> NDArray[np.uint8]:
    """The photograph as a call shows it, before its numbers are coded."""
    seen = filmed(who.avatar, _photograph(who), looks=True, around=False)
    portrait = Portrait(read_avatar(who.avatar), "cpu")
    return np.stack([portrait.render(values, 256, 256) for values in seen.states.values])


def _moving(pictures: NDArray[np.uint8]) -> float:
    """Root mean square motion of the landmarks of what does not move about their mean."""
    points = tracked(pictures, pictures)[1].points[FRAMES // 10 :]  # once the filters have settled
    off = points - np.nanmean(points, axis=0)
    return float(np.sqrt(np.nanmean(np.square(off).sum(axis=2))))


def _row(clip: str, protocol: str) -> Callable[[Lab], Iterator[Figure]]:
    return lambda lab: steadiness(lab, clip, protocol)


STEADINESS: dict[str, Callable[[Lab], Iterator[Figure]]] = {
    "steady-podium": _row("podium.mp4", "tail"),
    "steady-webcam": _row("webcam.mp4", "tail"),
    "steady-newsdesk": _row("newsdesk.mp4", "10s"),
}

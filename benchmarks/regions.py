"""What is seen where people look: mouth and teeth, lids and irises, hair; at effort 1.

Each place is the filmed picture's, so that what is drawn elsewhere counts as wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.figure import Figure
from bench.metrics.tracked import tracked
from benchmarks import features
from benchmarks.lab import Lab
from benchmarks.places import Masks, places
from render.metrics import gradient_map, psnr, ssim_map
from service.compare import aligned

_RADIUS = 5  # of SSIM's window: the map begins so many pixels from the picture's border

Frames = NDArray[np.uint8]  # [F, H, W, 3]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Alike:
    """One place, means over the frames that have it.  sharpness: gradient energy as drawn, of that
    as filmed; below 1 it is softer, or has less of a camera's noise.  pixels: of a frame's."""

    psnr: float  # dB
    ssim: float
    sharpness: float
    frames: int
    pixels: float


@dataclass(frozen=True)
class Apart:
    """Means over frames, pixels.  off: from drawn to filmed.  still: from the filmed mean to
    filmed, what a face that never moves would be off by.  moves: by how much of a motion that is
    filmed the drawn one moves along with it (the slope of a line), 1 = all."""

    off: float
    still: float
    moves: float


def regions(lab: Lab, clip: str, protocol: str) -> Iterator[Figure]:
    """Of one avatar's held-out frames at 256x256: every place as drawn beside as filmed, then by
    how much gaze, lids and lips are off, in pixels."""
    name = f"regions {Path(clip).stem}"
    who = lab.enrolled(clip, protocol)
    stream = lab.stream(who, "--effort=1")
    pairs = list(aligned(who.cut.judge, lab.video(who, stream, 256), stream))
    filmed, shown = (np.stack(side) for side in zip(*pairs, strict=True))
    mine, theirs = tracked(filmed, shown)
    for place, one in alike(filmed, shown, places(filmed, mine)).items():
        note = f"{one.frames} frames, {one.pixels:.0f} pixels"
        yield Figure(name, f"{place}, psnr", one.psnr, "dB", note=note)
        yield Figure(name, f"{place}, ssim", one.ssim, "")
        yield Figure(name, f"{place}, gradient energy", one.sharpness, "of filmed")
    for what, of in (("gaze", features.gaze), ("lids", features.lids), ("lips", features.lips)):
        found = apart(of(mine.points), of(theirs.points))
        note = f"{found.still:.2f} px of a face that never moves"
        yield Figure(name, f"{what}, off", found.off, "px", note=note)
        yield Figure(name, f"{what}, motion drawn", found.moves, "of filmed")


def alike(filmed: Frames, shown: Frames, masks: Mapping[str, Masks]) -> dict[str, Alike]:
    """Of every place, over its own pixels; NaN of one that no frame has."""
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in masks}
    inner, next_to = slice(_RADIUS, -_RADIUS), slice(-1)
    for f, (a, b) in enumerate(zip(filmed, shown, strict=True)):
        similar, source, drawn = ssim_map(a, b), gradient_map(a), gradient_map(b)
        for name, rows in found.items():
            mask = masks[name][f]
            if mask[inner, inner].any():
                edge = mask[next_to, next_to]
                energies = (float(one[edge].sum()) for one in (drawn, source))
                middle = similar[mask[inner, inner]].mean()
                rows.append((psnr(a[mask], b[mask]), middle, *energies, mask.sum()))
    return {name: _mean(rows) for name, rows in found.items()}


def _mean(rows: list[tuple[float, ...]]) -> Alike:
    if not rows:
        return Alike(math.nan, math.nan, math.nan, 0, 0)
    likeness, similar, drawn, source, pixels = np.mean(rows, axis=0).tolist()
    return Alike(likeness, similar, drawn / source if source else math.nan, len(rows), pixels)


def apart(filmed: Array, shown: Array) -> Apart:
    """What landmarks tell of several things, [F, N, 1 or 2] numbers or vectors, NaN where it
    cannot be told."""
    both = filmed + shown
    a, b = (np.where(np.isfinite(both), side, np.nan) for side in (filmed, shown))
    if not np.isfinite(both).any():
        return Apart(math.nan, math.nan, math.nan)
    moved, drawn = a - np.nanmean(a, axis=0), b - np.nanmean(b, axis=0)
    off, still = (float(np.nanmean(np.linalg.norm(v, axis=-1))) for v in (b - a, moved))
    along = np.nansum(moved * drawn) / np.nansum(moved * moved)
    return Apart(off, still, float(along))


def _row(clip: str, protocol: str) -> Callable[[Lab], Iterator[Figure]]:
    return lambda lab: regions(lab, clip, protocol)


REGIONS: dict[str, Callable[[Lab], Iterator[Figure]]] = {
    "regions-podium": _row("podium.mp4", "tail"),
    "regions-newsdesk": _row("newsdesk.mp4", "10s"),
    "regions-webcam": _row("webcam.mp4", "tail"),
    "regions-turning": _row("turning.mp4", "fifths"),
    "regions-talk": _row("talk_a.mp4", "talk_b.mp4"),
}

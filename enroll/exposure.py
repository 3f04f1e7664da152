"""The light of every frame: what a webcam's exposure does is not the person's.

A camera that brightens when a hand comes near shows another face in those frames; an avatar that
learns all of them as one is a little grey.  What is behind a person does not change, so that it
tells of each frame by which gain and offset of each colour it is apart from most; frames are
levelled by that before anything is learned from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_CELLS = 64  # of a matte's side
_ROUNDS, _TUKEY = 5, 4.0


@dataclass(frozen=True)
class ExposureSettings:
    """Colours in 0..1.  gain, offset: what exposures are commonly apart by, their prior.  noise: of
    a cell's colour.  least: cells of background below which a frame tells nothing.  explained: of
    what a background is apart by, what exposures must explain to be believed; a wall on which
    something moves is not lit otherwise.  frames: that the common background is the median of.
    matte: of a background cell at most, of 255."""

    gain: float = 0.1
    offset: float = 0.04
    noise: float = 0.03
    least: int = 200
    explained: float = 0.25
    frames: int = 60
    matte: int = 20


@dataclass(frozen=True)
class Exposures:
    """light: [F, 2, 3] gain - 1 and offset of each colour against the common background; zero
    where too little of it is seen.  before, after: mean |difference| of backgrounds to the common
    one as they are and as that explains them."""

    light: Array
    before: float
    after: float


def exposures(
    images: Array, masks: Array, settings: ExposureSettings = ExposureSettings()
) -> Exposures:
    """images: [F, S, S, 3] uint8 of a still camera.  masks: [F, 64, 64] uint8 mattes, 255 = person.

    By least squares with a prior and Tukey's weights, from the median on, so that somebody who
    walks by does not count."""
    small = np.stack([_cells(image) for image in images])
    free = masks < settings.matte
    some = np.linspace(0, len(images) - 1, min(settings.frames, len(images))).astype(int)
    known = np.where(free[some][..., None], small[some], np.nan)
    seen = np.isfinite(known[..., 0]).sum(axis=0) >= max(2, len(some) // 4)
    common = np.zeros(small.shape[1:], np.float32)
    common[seen] = np.nanmedian(known[:, seen], axis=0)
    light = np.zeros((len(images), 2, 3), np.float32)
    before, after = [0.0], [0.0]
    for row, picture in enumerate(small):
        where = free[row] & seen
        if where.sum() < settings.least:
            continue
        apart = picture[where] - common[where]
        light[row] = np.stack(
            [_fitted(common[where, c], apart[:, c], settings) for c in range(3)], axis=1
        )
        before.append(float(np.abs(apart).mean()))
        explained = common[where] * light[row, 0] + light[row, 1]
        after.append(float(np.abs(apart - explained).mean()))
    return Exposures(light, float(np.mean(before)), float(np.mean(after)))


def levelled(images: Array, masks: Array, settings: ExposureSettings = ExposureSettings()) -> Array:
    """The images as they are in the common light; the very same array where light explains little
    of what they differ by."""
    found = exposures(images, masks, settings)
    if found.after >= (1 - settings.explained) * found.before:
        return images
    out = np.empty_like(images)
    levels = np.arange(256, dtype=np.float32) / 255
    for row, (gain, offset) in enumerate(found.light):
        table = (levels[:, None] - offset) / (1 + gain)
        table = np.rint(255 * table.clip(0, 1)).astype(np.uint8)
        for c in range(3):
            out[row, ..., c] = table[images[row, ..., c], c]
    return out


def _fitted(common: Array, apart: Array, settings: ExposureSettings) -> Array:
    """[2] g and o of apart = common * g + o."""
    rows = np.stack([common, np.ones_like(common)], axis=1)
    prior = np.diag([settings.noise / settings.gain, settings.noise / settings.offset]) ** 2
    solution = np.array([0.0, float(np.median(apart))])
    for _ in range(_ROUNDS):
        away = apart - rows @ solution
        # A frame that tells nothing of the spread has a spread of at least its noise.
        spread = max(1.4826 * float(np.median(np.abs(away))), settings.noise / 3)
        weight = np.clip(1 - (away / (_TUKEY * spread)) ** 2, 0, None) ** 2
        weighted = rows * weight[:, None]
        solution = np.linalg.solve(weighted.T @ rows + prior, weighted.T @ apart)
    return solution


def _cells(image: Array) -> Array:
    """[S, S, 3] uint8 -> [64, 64, 3] means in 0..1."""
    import cv2

    small = cv2.resize(image, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255

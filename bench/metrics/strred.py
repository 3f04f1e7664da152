"""ST-RRED: Soundararajan and Bovik, IEEE TCSVT 23(4), 2013.

Entropies of a steerable pyramid's coefficients under a Gaussian scale mixture, of pictures and of
differences between pictures that follow one another, weighted by the local variance; what is left
is how far the two clips' entropies lie apart in space, times the same in time.  The pyramid's
taps are those of pyrtools (the authors' own tool box); letters and constants are the authors'
program's, which adds log2 and log.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics.metric import Frames

LEVEL = 4  # of the pyramid, the first oriented one being 1: an eighth of the picture's side
BLOCK = 3  # coefficients a side of a block
NOISE = 0.1  # variance of the neural noise
_LUMA = np.array([0.2989, 0.5870, 0.1140])  # BT.601

Array = NDArray[Any]


def strred(reference: Frames, pictures: Frames) -> NDArray[np.float64]:
    """[F], the figure of the whole clip again and again: 0 for equal clips, more is worse.
    Frames are taken in pairs; a clip of one frame has no figure."""
    space, motion = [], []
    for f in range(0, len(reference) - 1, 2):
        mine, theirs = (_entropies(clip[f], clip[f + 1]) for clip in (reference, pictures))
        space.append(np.abs(mine[0] - theirs[0]).mean())
        motion.append(np.abs(mine[1] - theirs[1]).mean())
    whole = float(np.mean(space) * np.mean(motion)) if space else np.nan
    return np.full(len(reference), whole)


def missing() -> str:
    """What it needs, "" where it is here."""
    lacking = [name for name in ("pyrtools", "scipy") if find_spec(name) is None]
    return f"needs pip install {' '.join(lacking)}" if lacking else ""


def _entropies(first: Array, second: Array) -> tuple[Array, Array]:
    """Of a pair of pictures [H, W, 3]: weighted entropies of each block, in space and in time."""
    here, after = _band(first @ _LUMA), _band(second @ _LUMA)
    variance, entropy = _mixture(here)
    moved, change = _mixture(here - after)
    seen = np.log2(1 + variance)
    return entropy * seen, change * seen * np.log2(1 + moved)


def _band(luma: Array) -> Array:
    """One orientation of the pyramid's level."""
    from scipy.ndimage import correlate

    low, lower, oriented = _taps()
    picture = correlate(luma, low, mode="mirror")
    for _ in range(LEVEL - 1):
        picture = correlate(picture, lower, mode="mirror")[::2, ::2]
    return np.asarray(correlate(picture, oriented, mode="mirror"))


def _mixture(band: Array) -> tuple[Array, Array]:
    """(s^2 of each block, its entropy), [h, w] each."""
    height, width = (size // BLOCK for size in band.shape)
    band = band[: height * BLOCK, : width * BLOCK]
    windows = np.lib.stride_tricks.sliding_window_view(band, (BLOCK, BLOCK))
    covariance = np.cov(windows.reshape(-1, BLOCK**2).T, bias=True)
    spread, axes = np.linalg.eigh(covariance)
    spread = np.maximum(spread, 0)
    blocks = band.reshape(height, BLOCK, width, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK**2)
    there = spread > spread.max() * 1e-12
    if not there.any():  # nothing moves, or nothing is seen
        return np.zeros(height * width), np.zeros(height * width)
    along = blocks @ axes[:, there]
    variance = (along**2 / spread[there]).sum(axis=1) / BLOCK**2
    entropy = np.log2(variance[:, None] * spread[there] + NOISE) + np.log(2 * np.pi * np.e)
    return variance, entropy.sum(axis=1)


@lru_cache(maxsize=1)
def _taps() -> tuple[Array, Array, Array]:
    """Low-pass before the pyramid, low-pass of each level, and one orientation's band-pass:
    Simoncelli's steerable pyramid of six orientations."""
    from pyrtools.pyramids.filters import parse_filter

    found = parse_filter("sp5_filters", normalize=False)
    oriented = found["bfilts"]
    side = round(np.sqrt(len(oriented)))
    return found["lo0filt"], found["lofilt"], oriented[:, 0].reshape(side, side)

"""How strongly each place of a picture may be marked: texture hides what a plain wall shows.

Contrast masking (Legge, Foley, J. Opt. Soc. Am. 70(12), 1980), as a line: strength rises with the
luma's standard deviation nearby.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

_CELLS = 32  # along each side of the picture, over which contrast is measured

Array = NDArray[np.float32]


@dataclass(frozen=True)
class MaskingSettings:
    """In levels of 255, root mean square.  plain, most: where there is no contrast, and where
    there is much (42 dB).  rise: for each level of the luma's standard deviation."""

    plain: float = 1.2
    most: float = 1.95
    rise: float = 0.2


def strength(luma: Array, settings: MaskingSettings) -> Array:
    """[H, W] -> [H, W], of a watermark of mean square 1."""
    down, across = _means(luma.shape[0]), _means(luma.shape[1])
    mean = down @ luma @ across.T
    spread = np.sqrt(np.maximum(down @ (luma * luma) @ across.T - mean * mean, 0))
    cells = np.clip(settings.plain + settings.rise * spread, settings.plain, settings.most)
    return _between(luma.shape[0]) @ cells @ _between(luma.shape[1]).T


@cache
def _means(size: int) -> Array:
    """[_CELLS, size]: the mean of each cell's pixels, parts of pixels too."""
    edges, at = np.linspace(0, size, _CELLS + 1), np.arange(size)
    shared = np.minimum(at + 1, edges[1:, None]) - np.maximum(at, edges[:-1, None])
    return (np.clip(shared, 0, 1) * (_CELLS / size)).astype(np.float32)


@cache
def _between(size: int) -> Array:
    """[size, _CELLS]: linear between the cells' middles."""
    place = np.clip((np.arange(size) + 0.5) * _CELLS / size - 0.5, 0, _CELLS - 1)
    return np.clip(1 - np.abs(place[:, None] - np.arange(_CELLS)), 0, 1).astype(np.float32)

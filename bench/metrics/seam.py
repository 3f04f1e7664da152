"""Whether the head sits on the shoulders: a step in colour that the filmed neck does not have.

The jaw line is moved down in the direction of the face, step by step, over chin, neck and collar.
Along each such curve the difference between what lies just below and just above is averaged with
its sign, so that only what runs along with the curve counts, as the border between two fields
does.  SEAM is by how much the worst curve of the picture steps more than the reference does there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.metrics.metric import Frames, Metric
from bench.metrics.tracked import missing, tracked
from bench.regions import WHOLE

# Of the face mesh: the jaw from corner to corner, the top of the forehead and the chin.
_JAW = (58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288)
_TOP, _CHIN = 10, 152
SHIFTS = np.arange(0.0, 0.81, 0.05)  # of the face's height
REACH = 1.5  # 1/256 of the picture, to either side of the curve
SAMPLES = 64  # along a curve
LEAST = 0.5  # share of a curve that must lie in the picture

Array = NDArray[np.float64]


def seam(reference: Frames, pictures: Frames) -> Array:
    """[F] levels of 255, 0 where no curve steps more than it does in the reference; NaN without a
    face."""
    mine, _ = tracked(reference, pictures)
    scale = max(reference.shape[1:3]) / 256
    found = np.full(len(reference), np.nan)
    for f in np.flatnonzero(mine.found):
        points = mine.points[f] * scale
        steps = [_steps(image, points, scale) for image in (pictures[f], reference[f])]
        excess = steps[0] - steps[1]
        if np.isfinite(excess).any():
            found[f] = max(0.0, float(np.nanmax(excess)))
    return found


def _steps(image: NDArray[np.uint8], points: Array, scale: float) -> Array:
    """[len(SHIFTS)] mean step across each curve, over the channels; NaN outside the picture."""
    axis = points[_CHIN] - points[_TOP]
    height = float(np.hypot(*axis))
    down = axis / max(height, 1e-9)
    jaw = points[list(_JAW)]
    at = np.linspace(0, len(jaw) - 1, SAMPLES)
    curve = np.stack([np.interp(at, np.arange(len(jaw)), jaw[:, k]) for k in range(2)], axis=1)
    steps = np.full(len(SHIFTS), np.nan)
    for i, shift in enumerate(SHIFTS):
        moved = curve + shift * height * down
        below, above = moved + REACH * scale * down, moved - REACH * scale * down
        inside = _inside(below, image) & _inside(above, image)
        if inside.mean() >= LEAST:
            difference = _colours(image, below[inside]) - _colours(image, above[inside])
            steps[i] = np.abs(difference.mean(axis=0)).mean()
    return steps


def _inside(points: Array, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    height, width = image.shape[:2]
    return np.asarray(((points >= 0) & (points <= [width - 1, height - 1])).all(axis=1))


def _colours(image: NDArray[np.uint8], points: Array) -> Array:
    """[N, 3] at [N, 2] x, y, bilinear."""
    x, y = points.T
    left = np.minimum(x.astype(int), image.shape[1] - 2)
    top = np.minimum(y.astype(int), image.shape[0] - 2)
    u, v = (x - left)[:, None], (y - top)[:, None]
    upper = image[top, left] * (1 - u) + image[top, left + 1] * u
    lower = image[top + 1, left] * (1 - u) + image[top + 1, left + 1] * u
    return np.asarray(upper * (1 - v) + lower * v)


SEAM = Metric(
    "SEAM", "of 255", False, "step along the jaw's line, below it", seam, missing, (WHOLE,)
)

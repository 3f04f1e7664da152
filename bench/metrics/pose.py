"""Whether a picture shows the same face doing the same: landmarks, head pose, expression, jitter.

AKD: Siarohin et al., NeurIPS 2019, here over MediaPipe's 478 points.  PRMSE: the root mean square
of the angle between the head's rotations (003 has its pose error in degrees, too).  AUCON: the
share of the 79 expression coefficients in the same state, of below -1, between, and above +1
standard deviation; action units of our own face model, not those of 003's detector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.camera import rotation_matrix
from bench.metrics.metric import Frames, Metric
from bench.metrics.tracked import Tracked, missing, tracked
from bench.regions import WHOLE

ACTIVE = 1.0  # standard deviations of an expression coefficient

Figures = NDArray[np.float64]


def akd(reference: Frames, pictures: Frames) -> Figures:
    """[F] mean distance of the landmarks, 1/256 of the picture; NaN without a face in both."""
    mine, theirs = tracked(reference, pictures)
    return _mean_length(theirs.points - mine.points)


def jitter(reference: Frames, pictures: Frames) -> Figures:
    """[F] mean length of the second difference over time of the landmarks' error, 1/256 of the
    picture: 0 for an error that stands still or drifts evenly, NaN for first and last frame."""
    mine, theirs = tracked(reference, pictures)
    error = theirs.points - mine.points
    figures = np.full(len(error), np.nan)
    if len(error) > 2:
        figures[1:-1] = _mean_length(error[2:] - 2 * error[1:-1] + error[:-2])
    return figures


def acceleration(reference: Frames, pictures: Frames) -> Figures:
    """[F] by how much the landmarks' second difference over time is longer than the reference's,
    1/256 of the picture: above 0 the picture shakes more than the person moved."""
    mine, theirs = tracked(reference, pictures)
    figures = np.full(len(mine.points), np.nan)
    if len(figures) > 2:
        bent = [_mean_length(np.diff(one.points, 2, axis=0)) for one in (theirs, mine)]
        figures[1:-1] = bent[0] - bent[1]
    return figures


def lost(reference: Frames, pictures: Frames) -> Figures:
    """[F] 1 where the reference's face is not found in the picture, else 0; NaN where the
    reference has none."""
    mine, theirs = tracked(reference, pictures)
    return np.where(mine.found, (~theirs.found).astype(np.float64), np.nan)


def pose_angle(reference: Frames, pictures: Frames) -> Figures:
    """[F] degrees between the two head rotations."""
    mine, theirs = tracked(reference, pictures)
    a, b = (_column(one, "rotation", 3) for one in (mine, theirs))
    turn = np.swapaxes(rotation_matrix(a), 1, 2) @ rotation_matrix(b)
    cosine = (np.trace(turn, axis1=1, axis2=2) - 1) / 2
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def expression_agreement(reference: Frames, pictures: Frames) -> Figures:
    """[F] 0..1."""
    mine, theirs = tracked(reference, pictures)
    a, b = (_column(one, "expression", 79) for one in (mine, theirs))
    same = np.trunc(np.clip(a, -1.5, 1.5) / ACTIVE) == np.trunc(np.clip(b, -1.5, 1.5) / ACTIVE)
    known = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
    return np.where(known, same.mean(axis=1), np.nan)


def _mean_length(vectors: NDArray[np.floating]) -> Figures:
    """[F, 478, 2] -> [F]; NaN where a frame has none."""
    return np.asarray(np.linalg.norm(vectors, axis=2).mean(axis=1), np.float64)


def _column(one: Tracked, name: str, width: int) -> NDArray[np.float64]:
    """[F, width], NaN where no face was found."""
    if one.track is None:
        return np.full((len(one.points), width), np.nan)
    values = np.asarray(getattr(one.track, name), np.float64).copy()
    values[~one.found] = np.nan
    return values


_OURS = "our tracker, "
_AT = (WHOLE,)
POSE = (
    Metric("AKD", "px of 256", False, _OURS + "478 points", akd, missing, _AT),
    Metric("JITTER", "px of 256", False, _OURS + "478 points", jitter, missing, _AT),
    Metric("SHAKE", "px of 256", False, _OURS + "acceleration", acceleration, missing, _AT),
    Metric("PRMSE", "degrees", False, _OURS + "head pose", pose_angle, missing, _AT, pool="rms"),
    Metric("AUCON", "of 1", True, _OURS + "79 coefficients", expression_agreement, missing, _AT),
    Metric("LOST", "of 1", False, _OURS + "face not found", lost, missing, _AT),
)

"""Which frames of a long film teach most: those unlike the ones that are taken already."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.face import FaceTrack

Array = NDArray[Any]
# What a frame is like, each as much as the others: how the head is held and where, what the face
# does, where it looks.
_GROUPS = ("rotation", "translation", "expression", "gaze", "lids")
_FAR = 3.0  # deviations of a number, beyond which farther counts less: it may be a tracker's slip


def informative(track: FaceTrack, count: int) -> NDArray[np.intp]:
    """Rows of `count` frames, or of all that show a face, in the order of their times, that cover
    what the head and face do: each is the one farthest from all before it (Gonzalez, Clustering to
    minimize the maximum intercluster distance, Theor. Comput. Sci. 1985), the first the most
    usual one."""
    seen = np.flatnonzero(track.confidence > 0)
    if len(seen) <= count:
        return seen
    places = np.concatenate([_spread(getattr(track, name)[seen]) for name in _GROUPS], axis=1)
    lengths = np.square(places).sum(axis=1)
    usual = np.square(places - np.median(places, axis=0)).sum(axis=1)
    taken = [int(np.argmin(usual))]
    far = np.full(len(seen), np.inf, np.float32)
    while len(taken) < count:
        last = taken[-1]
        far = np.minimum(far, lengths + lengths[last] - 2.0 * (places @ places[last]))
        far[last] = -np.inf  # rounding leaves it a distance
        taken.append(int(np.argmax(far)))
    return np.sort(seen[taken])


def _spread(values: Array) -> NDArray[np.float32]:
    """[F, N] about its mean, so that the whole group's variance is 1."""
    values = np.asarray(values, np.float64)
    off = values - values.mean(axis=0)
    deviation = off.std(axis=0)
    far = np.maximum(_FAR * deviation, 1e-9)
    off = far * np.arcsinh(off / far)
    return (off / max(float(np.linalg.norm(deviation)), 1e-9)).astype(np.float32)

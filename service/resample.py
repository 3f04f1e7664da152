"""Face states at other times than those of the source's pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.camera import rotation_matrix, rotation_vector
from avatar.errors import InputError
from avatar.face import FaceStates

LONGEST_STEP = 100_000  # us: across a longer hole in the source nothing is invented
FPS_RANGE = (1.0, 120.0)


def even_times(first: int, last: int, fps: float) -> NDArray[np.int64]:
    """Times (us) from `first` at `fps` a second, none later than half a period after `last`.

    Raises InputError for a rate outside 1..120.
    """
    low, high = FPS_RANGE
    if not low <= fps <= high:
        raise InputError(
            f"{fps:g} frames a second cannot be sent", f"Choose a rate from {low:g} to {high:g}."
        )
    count = int((last - first) * fps / 1e6 + 0.5) + 1
    return first + np.round(np.arange(count) * (1e6 / fps)).astype(np.int64)


def nearest(times: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.intp]:
    """For each wanted time, the row of the picture shown nearest to it; the earlier of two."""
    after = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times) - 1)
    return np.where(wanted - times[before] <= times[after] - wanted, before, after)


def resampled(states: FaceStates, times: NDArray[np.int64]) -> FaceStates:
    """States at `times`: between two seen neighbours in a straight line, the head's rotation
    along the shortest arc; elsewhere those of the nearest picture."""
    rows = nearest(states.time, times)
    values = states.values[rows].copy()
    if len(states) < 2:
        return FaceStates(times, values, states.visible[rows], states.layout)
    after = np.clip(np.searchsorted(states.time, times, side="right"), 1, len(states) - 1)
    before = after - 1
    gap = states.time[after] - states.time[before]
    share = (times - states.time[before]) / gap
    between = (
        (gap <= LONGEST_STEP)
        & (share > 0)
        & (share < 1)
        & states.visible[before]
        & states.visible[after]
    )
    a, b = states.values[before[between]], states.values[after[between]]
    weight = share[between, None].astype(np.float32)
    mixed = a + weight * (b - a)
    columns = states.layout.groups["rotation"]
    if states.layout.rotation == 3:
        start = rotation_matrix(a[:, columns].astype(np.float64))
        turn = rotation_vector(
            np.swapaxes(start, 1, 2) @ rotation_matrix(b[:, columns].astype(np.float64))
        )
        mixed[:, columns] = rotation_vector(start @ rotation_matrix(weight * turn))
    values[between] = mixed
    return FaceStates(times, values.astype(np.float32), states.visible[rows], states.layout)

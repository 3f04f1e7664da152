"""States without what shakes and never was there: a tracker's noise, of a recorded call.

Two steps over time, both symmetric, so that nothing lags.  A narrow Gaussian takes what changes
from frame to frame faster than a face does.  A bilateral filter (Tomasi and Manduchi, ICCV 1998)
then takes the mean of those frames near in time that differ by no more than the tracker's noise:
who keeps still is shown still, who moves is shown as filmed.

Letters: F frames, D numbers of a state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import StateStatistics
from avatar.face import EXPRESSION, FaceStates, StateLayout
from service.tracker_noise import TrackerNoise

Array = NDArray[Any]


@dataclass(frozen=True)
class SteadySettings:
    """fast: deviation of the Gaussian in seconds; fast_face: the same for code, gaze and lids: lips
    and lids change within 0.1 s.  rest, longest: deviation and half width of the
    bilateral filter's look in seconds.  gap: seconds without a face after which all starts anew.
    jump: a change from frame to frame, in deviations of the noise, at which it does, too: a cut.
    noise: a tracker's own.
    """

    fast: float = 0.04
    fast_face: float = 0.02
    rest: float = 0.5
    longest: float = 1.0
    gap: float = 0.25
    jump: float = 40.0
    noise: TrackerNoise = TrackerNoise()


def steadied(
    states: FaceStates, statistics: StateStatistics, settings: SteadySettings = SteadySettings()
) -> FaceStates:
    """The same frames; those without a face stay as they are."""
    noise = settings.noise.of(states.layout, statistics)
    time = states.time * 1e-6
    values = states.values.astype(np.float64)
    for rows in _runs(time, values / noise, states, settings):
        values[rows] = _calmed(time[rows], values[rows], states.layout, settings)
        values[rows] = _rested(time[rows], values[rows], noise, states.layout, settings)
    return replace(states, values=values.astype(np.float32))


def _calmed(time: Array, values: Array, layout: StateLayout, settings: SteadySettings) -> Array:
    """What the Gaussian takes of the crest of a movement is put back: twicing (Tukey, Exploratory
    Data Analysis, 1977)."""
    out = values.copy()
    for name, columns in layout.groups.items():
        if columns.stop > columns.start:
            fast = settings.fast_face if name in EXPRESSION else settings.fast
            own = values[:, columns]
            once = _averaged(time, own, fast, 4 * fast)
            out[:, columns] = once + _averaged(time, own - once, fast, 4 * fast)
    return out


def _rested(
    time: Array, values: Array, noise: Array, layout: StateLayout, settings: SteadySettings
) -> Array:
    """A group's numbers rest together: a mouth that speaks does not keep a still head moving."""
    out = values.copy()
    for columns in layout.groups.values():
        if columns.stop > columns.start:
            near = values[:, columns] / noise[columns]
            out[:, columns] = _averaged(
                time, values[:, columns], settings.rest, settings.longest, near
            )
    return out


def _averaged(
    time: Array, values: Array, deviation: float, longest: float, near: Array | None = None
) -> Array:
    """Means over frames at most `longest` away; near [F, N] weighs them by their likeness, too.

    A frame takes part with its counterpart on the other side or not at all: a mean of one side
    would lag.
    """
    total, weights = values.copy(), np.ones((len(values), 1))
    for k in range(1, (len(values) + 1) // 2):
        apart = time[k:] - time[:-k]
        if apart.min() > longest:
            break
        weight = np.where(apart <= longest, np.exp(-0.5 * (apart / deviation) ** 2), 0.0)
        if near is not None:
            weight = weight * np.exp(-0.5 * np.square(near[k:] - near[:-k]).mean(axis=1))
        inner = slice(k, len(values) - k)  # frames with k others on both sides
        before, after = weight[: len(values) - 2 * k, None], weight[k:, None]
        both = before * after > 0
        total[inner] += both * (before * values[: -2 * k] + after * values[2 * k :])
        weights[inner] += both * (before + after)
    return np.asarray(total / weights)


def _runs(
    time: Array, scaled: Array, states: FaceStates, settings: SteadySettings
) -> Iterator[NDArray[np.intp]]:
    """Rows of stretches in which a face is followed without a gap or a cut."""
    rows = np.flatnonzero(states.visible)
    if len(rows) == 0:
        return
    motion = [states.layout.groups[name] for name in ("rotation", "translation")]
    moved = np.concatenate([scaled[rows][:, columns] for columns in motion], axis=1)
    jumps = np.abs(np.diff(moved, axis=0)).max(axis=1, initial=0.0) > settings.jump
    breaks = np.flatnonzero(jumps | (np.diff(time[rows]) > settings.gap)) + 1
    yield from np.split(rows, breaks)

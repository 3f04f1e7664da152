"""A call's states without what shakes and never was there, of frames up to now.

`service.steady` looks ahead and a call cannot, so what is averaged here lags; how much may be is
bounded by what noise can be.  Each group of numbers is the state of an exponential average whose
gain rises to one as what is measured leaves it by more than the noise: who keeps still is shown
still, who moves is followed at once, as by the one-euro filter (Casiez et al., CHI 2012) with the
noise in the place of its speeds.  The noise is the tracker's times that of the camera: a clean film
is sent as it is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import StateStatistics
from avatar.face import StateLayout
from service.tracker_noise import TrackerNoise

Array = NDArray[Any]


@dataclass(frozen=True)
class RestSettings:
    """memory: of the average, in seconds.  reach: deviations of the noise by which it still is an
    average, of a group as a whole.  gap: seconds without a face after which all starts anew.
    noise: a tracker's own, where the camera's is `levels`: grey ones of 255, of the window at 256.
    """

    memory: float = 0.8
    reach: float = 4.0
    gap: float = 0.25
    levels: float = 1.0
    noise: TrackerNoise = TrackerNoise()


class Rest:
    """One person before one camera."""

    def __init__(
        self,
        layout: StateLayout,
        statistics: StateStatistics,
        settings: RestSettings = RestSettings(),
    ) -> None:
        self._settings = settings
        self._noise = settings.noise.of(layout, statistics)
        self._groups = [each for each in layout.groups.values() if each.stop > each.start]
        self._state: Array | None = None
        self._time = self._begun = 0

    def step(self, time: int, values: Array, noise: float) -> Array:
        """The next frame [D] that shows a face, float32.  time: us.  noise: the camera's, as
        `CameraNoise` has it."""
        settings, before = self._settings, self._state
        passed, self._time = 1e-6 * (time - self._time), time
        if before is None or not 0 < passed <= settings.gap or noise <= 0:
            self._state, self._begun = np.asarray(values, np.float64), time
            return values.astype(np.float32)
        # At first of all that has been seen: one frame's noise is not to be held for a second.
        kept = np.exp(-passed / min(settings.memory, 1e-6 * (time - self._begun)))
        # An average's own noise adds to that of what is compared with it, little beside `reach`.
        reach = settings.reach * self._noise * noise / settings.levels
        state = before.copy()
        for columns in self._groups:
            off = values[columns] - before[columns]
            far = np.square(off / reach[columns])
            # One number that moves, a blink's or a vowel's, is lost in the mean of thirty.
            most = far.max() / (1.0 + 2.0 * np.log(far.size))
            gain = 1.0 - kept * np.exp(-0.5 * max(float(far.mean()), float(most)))
            state[columns] += gain * off
        self._state = state
        return state.astype(np.float32)

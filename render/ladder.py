"""Pictures in time: what is left out of them, step by step, where a machine is too slow.

Ladder(settings).settings -> how to draw the next picture
Ladder.took(now, seconds) -> learns what it cost, and steps down or up
"""

from __future__ import annotations

from dataclasses import dataclass

from render.person import SamplingSettings
from render.picture import Thrift
from render.portrait import SAMPLING, RenderSettings

# From the best to the cheapest: 1, .7, .5, .35 and .24 of the first one's time, 43, 40, 34 and 32
# dB from every pixel's own ray, on two avatars at 256x256 (benchmarks/speed.py).
RUNGS = (
    RenderSettings(sampling=SAMPLING),
    RenderSettings(sampling=SamplingSettings(16, 6), thrift=Thrift(2, 2, 0.2)),
    RenderSettings(sampling=SamplingSettings(16, 6), thrift=Thrift(3, 2, 0.4)),
    RenderSettings(sampling=SamplingSettings(12, 4), thrift=Thrift(3, 2, None)),
    RenderSettings(sampling=SamplingSettings(12, 4), thrift=Thrift(4, 3, None)),
)


@dataclass(frozen=True)
class LadderSettings:
    """deadline: seconds a picture may take.  pictures: how many a mean looks at.  room: share of
    the deadline that the step up has to keep to.  patience: seconds after which it is tried though
    it was too slow when last used; doubled each time that it still is, up to `longest`."""

    deadline: float
    pictures: int = 6
    room: float = 0.9
    patience: float = 4.0
    longest: float = 64.0


class Ladder:
    """Holds the best rung whose pictures come in time.  `rung`: its number, 0 the best."""

    def __init__(self, settings: LadderSettings) -> None:
        self._limits = settings
        self.rung = 0
        self._mean: float | None = None
        self._seen = 0
        self._since: float | None = None  # time of the last step
        self._patience = settings.patience
        self._tried = False  # whether this rung was reached by a step up

    @property
    def settings(self) -> RenderSettings:
        return RUNGS[self.rung]

    def took(self, now: float, seconds: float) -> None:
        """now: seconds, rising.  seconds: what the last picture cost."""
        limits = self._limits
        share = 1.0 / min(self._seen + 1, limits.pictures)
        self._mean = seconds if self._mean is None else self._mean + share * (seconds - self._mean)
        self._seen += 1
        self._since = now if self._since is None else self._since
        if self._seen < limits.pictures:
            return
        last = len(RUNGS) - 1
        if self._mean > limits.deadline and self.rung < last:
            if self._tried:
                self._patience = min(2.0 * self._patience, limits.longest)
            self._step(now, self.rung + 1, tried=False)
        elif (
            self.rung > 0
            and now - self._since >= self._patience
            and self._mean < limits.room * limits.deadline
        ):
            self._step(now, self.rung - 1, tried=True)
        elif self._tried and now - self._since >= self._patience:
            self._tried, self._patience = False, limits.patience  # it held

    def _step(self, now: float, rung: int, tried: bool) -> None:
        self.rung, self._tried = rung, tried
        self._mean, self._seen, self._since = None, 0, now

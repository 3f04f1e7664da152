"""Closed-loop encoding of a call while it is filmed: of as many frames as there is time for.

What the tracker is off by changes slowly, so a frame that is not looked at is corrected as the one
before was, which costs nothing.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from avatar.avatar import Avatar
from avatar.face import FaceStates, FaceTrack
from enroll.capture import Frame
from enroll.crops import cut_window
from service.refine import Refiner, RefineSettings

_LEAST, _RECENT, _PAUSE = 16, 64, 4  # frames whose intervals are known; of these, at most
_SHORT, _UNEVEN = 0.05, 0.25  # share of intervals below the camera's own; how much above it is slow
_TRY = 12  # looks, after which one frame is not looked at


@dataclass(frozen=True)
class LiveRefineSettings:
    """share: of the time that goes by, how much may go into looking; 1 looks at every frame.
    least: what that falls to where looks take so long that the next frame is late: half as much
    after each one that did, a tenth more after one that did not.  late: seconds by which that one
    is later than the one that was looked at, at least.  interval: seconds between the frames that
    there is time for, above which looks are fewer as well, where the camera gives more: a call that
    jerks is worse than one that is looked at less.  first: rounds of a call's first look:
    without them what the tracker is off by is come to within a second, and a still face moves.
    look: expressions are held to what they were as poses are, for nothing that looks ahead smooths
    them afterwards: a still face would shake."""

    share: float = 0.5
    least: float = 0.05
    late: float = 0.03
    interval: float = 0.04
    first: int = 6
    look: RefineSettings = RefineSettings(mobile=0.15)


class LiveRefiner:
    """One person before one camera.  clock: seconds, of any epoch."""

    def __init__(
        self,
        avatar: Avatar,
        settings: LiveRefineSettings = LiveRefineSettings(),
        device: str = "auto",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Takes a second or more; so that the first frame does not."""
        self._refiner = Refiner(avatar, settings.look, device)
        self._refiner.get_ready()
        self._settings = settings
        self._share = settings.share
        self._clock = clock
        # Seconds from the time of the frame before to its step, where it was looked at.
        self._delay: float | None = None
        self._due = -float("inf")
        self._pace = _Pace(settings.interval)
        self.looked = 0  # frames so far

    def step(self, frame: Frame, track: FaceTrack, states: FaceStates) -> FaceStates:
        """The next frame's states (one row), better than tracked.  track: its row."""
        settings = self._settings
        begun = self._clock()
        delay = begun - 1e-6 * frame.time
        self._pace.step(1e-6 * frame.time)
        self._follow(delay)
        due = begun >= self._due and bool(states.visible[0])
        self._delay = delay if due else None
        if self._delay is None:
            values = self._refiner.carried(states.values, states.visible)
            return replace(states, values=values)
        window = cut_window(frame.image, track.window, self._refiner.size)[None]
        rounds = None if self.looked else settings.first
        values = self._refiner.refine(window, track.mask, states.values, states.visible, rounds)
        took = self._clock() - begun
        if rounds:  # there is one such look: it tells nothing of how many there is time for
            self._delay, took = None, took / (1 + rounds)
        self.looked += 1
        # Where every look lets a frame be overtaken, nothing else tells how many there would be.
        tries = settings.share < 1 and self.looked % _TRY == 0
        rest = settings.interval if tries else 0.0
        self._due = begun + took / self._share + rest
        return replace(states, values=values)

    def take(self, avatar: Avatar) -> None:
        """As `Refiner.take`."""
        self._refiner.take(avatar)

    def _follow(self, delay: float) -> None:
        """Looks less often where looking holds up the next frame, or lets it be overtaken."""
        settings = self._settings
        if self._delay is not None and settings.share < 1:
            late = delay > self._delay + settings.late
            self._share *= 0.5 if late else 0.9 if self._pace.slow else 1.1
            self._share = min(max(self._share, settings.least), settings.share)


class _Pace:
    """Whether frames are further apart than is wanted, though the camera has more.  interval: in
    seconds, that is wanted."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._time: float | None = None
        self._apart: deque[float] = deque(maxlen=_RECENT)

    def step(self, time: float) -> None:
        """time: of the next frame."""
        if self._time is not None:
            # Who was away for a while was not slow.
            self._apart.append(min(time - self._time, _PAUSE * self._interval))
        self._time = time

    @property
    def slow(self) -> bool:
        if len(self._apart) < _LEAST:
            return False
        camera = float(np.quantile(self._apart, _SHORT))
        return float(np.mean(self._apart)) > max(self._interval, (1 + _UNEVEN) * camera)

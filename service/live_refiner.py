"""Closed-loop encoding of a call while it is filmed: of as many frames as there is time for.

What the tracker is off by changes slowly, so a frame that is not looked at is corrected as the one
before was, which costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from avatar.avatar import Avatar
from avatar.face import FaceStates, FaceTrack
from enroll.capture import Frame
from enroll.crops import cut_window
from service.refine import Refiner, RefineSettings


@dataclass(frozen=True)
class LiveRefineSettings:
    """share: of the time that goes by, how much may go into looking; 1 looks at every frame.
    least: what that falls to where looks take so long that the next frame is late: half as much
    after each one that did, a tenth more after one that did not.  late: seconds by which that one
    is later than the one that was looked at, at least.  first: rounds of a call's first look:
    without them what the tracker is off by is come to within a second, and a still face moves.
    look: expressions are held to what they were as poses are, for nothing that looks ahead smooths
    them afterwards: a still face would shake."""

    share: float = 0.5
    least: float = 0.05
    late: float = 0.03
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
        self.looked = 0  # frames so far

    def step(self, frame: Frame, track: FaceTrack, states: FaceStates) -> FaceStates:
        """The next frame's states (one row), better than tracked.  track: its row."""
        begun = self._clock()
        delay = begun - 1e-6 * frame.time
        self._follow(delay)
        due = begun >= self._due and bool(states.visible[0])
        self._delay = delay if due else None
        if self._delay is None:
            values = self._refiner.carried(states.values, states.visible)
            return replace(states, values=values)
        window = cut_window(frame.image, track.window, self._refiner.size)[None]
        rounds = None if self.looked else self._settings.first
        values = self._refiner.refine(window, track.mask, states.values, states.visible, rounds)
        took = self._clock() - begun
        if rounds:  # there is one such look: it tells nothing of how many there is time for
            self._delay, took = None, took / (1 + rounds)
        self._due = begun + took / self._share
        self.looked += 1
        return replace(states, values=values)

    def take(self, avatar: Avatar) -> None:
        """As `Refiner.take`."""
        self._refiner.take(avatar)

    def _follow(self, delay: float) -> None:
        """Looks less often where looking holds up the next frame."""
        settings = self._settings
        if self._delay is not None and settings.share < 1:
            self._share *= 0.5 if delay > self._delay + settings.late else 1.1
            self._share = min(max(self._share, settings.least), settings.share)

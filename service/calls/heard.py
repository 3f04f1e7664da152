"""What is heard in a call, in one piece beside the pictures: when each sample is to be heard, and
the holes between.  No I/O; times are in microseconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from service.audio import BLOCK, RATE

_WINDOW = 50  # frames that the lag is learned from: a second
_AWAY = 20_000  # us that the lag may be wrong by
_SLACK = 480  # samples that are no hole: 10 ms

Samples = NDArray[np.float32]


class HeardClock:
    """Sound's own count of samples -> this end's clock.

    What comes is late by whatever the network does to each packet; its quickest of a second tell
    the lag between the two clocks.
    """

    def __init__(self) -> None:
        self._late: deque[int] = deque(maxlen=_WINDOW)
        self._lag = 0
        self._last = -1

    def time(self, now: int, pts: int) -> int:
        """When the frame is to be heard that begins with sample `pts` at 48 kHz, and came now.
        A count that falls is another line's."""
        own = pts * 1_000_000 // RATE
        if pts <= self._last or not self._late:
            self._late.clear()
            self._lag = now - own
        self._last = pts
        self._late.append(now - own)
        least = min(self._late)
        if len(self._late) == _WINDOW and abs(least - self._lag) > _AWAY:
            self._lag = least
        return own + self._lag


class SoundLine:
    """Samples [n, 2] with their times -> blocks [960, 2] after one another from time 0: holes are
    silent, and what would overlap is cut."""

    def __init__(self) -> None:
        self._written = 0  # samples, those that wait included
        self._waiting: Samples = np.zeros((0, 2), np.float32)

    def add(self, time: int, samples: Samples) -> Iterator[Samples]:
        gap = round(time * RATE / 1_000_000) - self._written
        if gap < -_SLACK or (gap < 0 and not self._written):
            samples = samples[-gap:]
        while gap > _SLACK:  # a line that was lost for minutes is no reason to hold minutes
            part = min(gap, BLOCK)
            yield from self._filled(np.zeros((part, 2), np.float32))
            gap -= part
        yield from self._filled(samples)

    def _filled(self, samples: Samples) -> Iterator[Samples]:
        self._written += len(samples)
        waiting = np.concatenate([self._waiting, samples])
        whole = len(waiting) // BLOCK
        self._waiting = waiting[whole * BLOCK :]
        for n in range(whole):
            yield waiting[n * BLOCK : (n + 1) * BLOCK]

"""When frames are shown: a buffer that follows the network, and what fills the holes.

Times are integers in microseconds.  A frame's time is on the sender's clock, `now` on the
receiver's; the lag between the two is learned, so neither must be right and both may drift.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
_PITCH = 0.1  # share of the newest in the mean time between two pictures


@dataclass(frozen=True)
class PlayoutSettings:
    """least, most: delay between a frame's earliest arrival and its showing, microseconds.
    window: arrivals that the lag is learned from.  late: share of packets that may come too late
    or not at all before the delay grows.  uneven: share of frames whose successor may be late, if
    that is all that is: the frame then stands for the while, as in any video.  Who draws pictures
    more rarely than frames come waits less for them, by as much.  stretch, squeeze:
    how much slower or faster than the sender's clock frames are shown while the lag changes.
    hold: how long a state stands when no later one comes; then it goes towards neutral, half the
    way in every `decay`.  blend: how long the way back from there takes.  keep: past and future
    frames that are kept.
    """

    least: int = 0
    most: int = 400_000
    window: int = 3_000_000
    late: float = 0.02
    uneven: float = 0.2
    stretch: float = 0.15
    squeeze: float = 0.05
    hold: int = 200_000
    decay: int = 300_000
    blend: int = 80_000
    keep: int = 1_500_000


@dataclass(frozen=True)
class Shown:
    """What to show now.

    time: on the sender's clock.  since: the time that the values are of: `time`, or where nothing
    later is known yet that of the frame that stands.  values: [D].  visible: whether a face is
    there.  how: "exact" between frames that follow one another, "bridged" over lost ones, "coarse"
    next to a mark, "held" while nothing later is known, "neutral" on the way there.
    """

    time: int
    since: int
    values: Values
    visible: bool
    how: str


@dataclass(frozen=True)
class _Row:
    time: int
    values: Values
    visible: bool
    exact: bool


class Playout:
    """Takes frames as they come; says what to show at any time."""

    def __init__(
        self, neutral: Values, period: int, settings: PlayoutSettings = PlayoutSettings()
    ) -> None:
        """neutral: [D], where concealment goes.  period: of the sender's frames, microseconds."""
        self._neutral = np.asarray(neutral, np.float32)
        self._period = period
        self._settings = settings
        self._rows: list[_Row] = []
        self._transits: deque[tuple[int, int]] = deque()  # (arrival, arrival - time)
        self._lag: float | None = None
        self._target = 0
        self._asked = 0
        self._pitch = float(period)  # between two pictures
        self._shown = -(1 << 62)
        self._span = period
        self._loss = 0.0

    def arrived(self, now: int, newest: int, frames: int, loss: float) -> None:
        """A packet in time: newest is its last frame's time, loss the share of packets lost."""
        s = self._settings
        self._transits.append((now, now - newest))
        while self._transits[0][0] < now - s.window or len(self._transits) > 512:
            self._transits.popleft()
        self._span, self._loss = frames * self._period, loss
        transits = sorted(t for _, t in self._transits)

        def within(late: float) -> int:
            """What all packets but that share take longer than the quickest."""
            return transits[min(len(transits) - 1, int(len(transits) * (1 - late)))] - transits[0]

        # Frames in between are drawn from both neighbours: the next one should be there mostly.  As
        # many more must be as are likely to be lost in a row.
        delay = max(within(s.late), within(s.uneven) + self._span)
        ahead = 1
        while ahead < 4 and loss**ahead > s.late:
            ahead += 1
            delay = within(s.late) + ahead * self._span
        # What comes while a picture stands is not missed before the next one is asked for.
        delay -= max(0, round(self._pitch) - self._period)
        delay = max(s.least, min(s.most, delay))
        self._target = transits[0] + delay
        if self._lag is None or abs(self._target - self._lag) > 2 * s.most:
            self._lag, self._asked = float(self._target), now

    def add(self, time: int, values: Values, visible: bool, exact: bool = True) -> None:
        """A frame.  A coarse one (exact=False) never stands beside an exact one."""
        at = bisect_right(self._rows, time, key=lambda row: row.time)
        near = [r for r in self._rows[max(0, at - 1) : at + 1] if abs(r.time - time) < self._period]
        if not exact and near:
            return
        for row in near:
            if not row.exact or row.time == time:
                self._rows.remove(row)
        insort(self._rows, _Row(time, values, visible, exact), key=lambda row: row.time)

    def meet(self, now: int, time: int) -> None:
        """Shows `time` now, as another of the same sender does, where that is longer ago than what
        it would show; from there it goes to its own lag as ever.  For one that nobody looks at:
        what it shows may fall."""
        if self._lag is not None and now - time > self._lag:
            self._lag, self._asked, self._shown = float(now - time), now, time

    @property
    def delay(self) -> int:
        """Microseconds between the quickest packets' arrival and their showing."""
        if self._lag is None:
            return 0
        return round(self._lag - min(t for _, t in self._transits))

    def show(self, now: int) -> Shown | None:
        """The state at `now`, which does not fall; None before the first frame."""
        if self._lag is None or not self._rows:
            return None
        s = self._settings
        passed, self._asked = max(0, now - self._asked), max(now, self._asked)
        if passed:
            self._pitch += _PITCH * (min(passed, s.most) - self._pitch)
        away = self._target - self._lag
        self._lag += max(-s.squeeze * passed, min(s.stretch * passed, away))
        self._shown = time = max(self._shown, round(now - self._lag))
        while len(self._rows) > 2 and self._rows[1].time < time - s.keep:
            del self._rows[0]
        at = bisect_right(self._rows, time, key=lambda row: row.time)
        if at == 0:
            row = self._rows[0]
            return Shown(time, time, row.values, row.visible, "held")
        before = self._rows[at - 1]
        after = self._rows[at] if at < len(self._rows) else None
        if before.time == time and before.exact:
            return Shown(time, time, before.values, before.visible, "exact")
        if after is not None and after.time - before.time <= s.hold + self._span:
            part = (time - before.time) / (after.time - before.time)
            if not before.visible or not after.visible:
                part = 0.0
            values = self._mix(before.values, after.values, part)
            if not (before.exact and after.exact):
                how = "coarse"
            else:
                how = "exact" if after.time - before.time < 2 * self._period else "bridged"
            return Shown(time, time, values, before.visible, how)
        waited = time - before.time - s.hold
        if waited <= 0:
            return Shown(time, before.time, before.values, before.visible, "held")
        values = self._mix(self._neutral, before.values, 0.5 ** (waited / s.decay))
        if after is not None and after.time - time < s.blend:
            values = self._mix(after.values, values, (after.time - time) / s.blend)
        return Shown(time, before.time, values, before.visible, "neutral")

    @staticmethod
    def _mix(first: Values, second: Values, part: float) -> Values:
        return (first + (second - first) * np.float32(part)).astype(np.float32)

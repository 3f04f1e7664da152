"""Frame times, coded against a steady clock (docs/bitstream.md, section 8.7)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from avatar.errors import StreamError
from codec.bits import unzigzag, zigzag
from codec.models import Coder, FlagModel, code_raw
from codec.packet import MAX_TIME

_BITS = 55  # length classes of a deviation in microseconds
_REANCHOR = 4096  # section 8.7: a frame this far off the clock starts it anew
_COMMON = [Fraction(n) for n in (25, 30, 24, 50, 60, 15, 10, 12, 20, 5, 100, 120)] + [
    Fraction(30000, 1001),
    Fraction(24000, 1001),
    Fraction(60000, 1001),
    Fraction(25, 2),
]


class Clock:
    """Predicts the next frame's time; a frame on time costs next to nothing."""

    def __init__(self, rate: tuple[int, int], rounding: int) -> None:
        self._rate = rate
        self._rounding = rounding
        self._lengths = FlagModel(_BITS, 1 << 13)
        self._anchor = 0
        self._ticks = 0
        self.time = 0

    def fork(self) -> Clock:
        other = Clock.__new__(Clock)
        other.__dict__.update(self.__dict__)
        other._lengths = self._lengths.fork()
        return other

    def start(self, time: int) -> None:
        """A key packet's first frame, whose time is given."""
        self.time = self._anchor = time
        self._ticks = 0

    def nearest(self, time: int) -> int:
        """The time of the tick that lies nearest to `time`."""
        frames, seconds = self._rate
        ticks = round((time - self._anchor) * frames / (seconds * 1_000_000))
        return self._anchor + tick_time(ticks, self._rate, self._rounding)

    def tick(self, coder: Coder, time: int | None, skipped: int = 0) -> int:
        """Codes the next frame's time, microseconds.  skipped: frames that went before it
        elsewhere (section 10.3)."""
        self._ticks += 1 + skipped
        due = self._anchor + tick_time(self._ticks, self._rate, self._rounding)
        value = None if time is None else zigzag(time - due)
        length = None if value is None else (value + 1).bit_length() - 1
        bits = 0
        while self._lengths.code(coder, None if length is None else length > bits, bits):
            bits += 1
            if bits == _BITS:
                raise StreamError("a frame's time is out of bounds", field="frame time")
        low = code_raw(coder, None if value is None else value + 1 - (1 << bits), bits)
        deviation = unzigzag((1 << bits) - 1 + low)
        if not self.time < due + deviation <= MAX_TIME:
            raise StreamError("frame times do not rise, or leave bounds", field="frame time")
        self.time = due + deviation
        if abs(deviation) >= _REANCHOR:
            self._anchor, self._ticks = self.time, 0
        return self.time


def tick_time(tick: int, rate: tuple[int, int], rounding: int) -> int:
    """Section 8.7: microseconds of a clock's tick, rounded down, to nearest, or up."""
    frames, seconds = rate
    phase = (0, frames // 2, frames - 1)[rounding]
    return (tick * seconds * 1_000_000 + phase) // frames


def rate_of(times: NDArray[np.int64]) -> tuple[tuple[int, int], int]:
    """The steady clock that suits frame times [F] best: (frames, seconds), rounding."""
    if len(times) < 2:
        return (25, 1), 0
    median = float(np.median(np.diff(times)))
    near = min(_COMMON, key=lambda f: abs(float(f) * median - 1e6))
    if abs(float(near) * median - 1e6) > 5e3:
        near = Fraction(round(1e9 / median), 1000)
    rate = (near.numerator, near.denominator)
    since = [int(t) for t in times[:200] - times[0]]
    ticks = [round(t * rate[0] / (rate[1] * 1e6)) for t in since]

    def misses(rounding: int) -> int:
        return sum(tick_time(k, rate, rounding) != t for k, t in zip(ticks, since, strict=True))

    return rate, min(range(3), key=misses)

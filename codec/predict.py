"""Integer prediction of the next frame's symbols, learned as it goes: no side information.

Two stages (docs/bitstream.md, section 7).  Every number is extrapolated from its own past by three
taps that follow normalised LMS; what the numbers of this frame that were coded before deviated by
then corrects the rest, through a strictly lower triangular matrix that follows normalised LMS too.

D numbers; q symbols (steps); e deviations and m predictions in 1/256 of a step; weights in 2**-16.
Products stay below 2**63: |q| <= 2**15, |e| <= 2**15, |weights| <= 2**18.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

TAPS = 3
ERROR_LIMIT = 1 << 15  # section 7.3: deviations saturate at 128 steps
_WEIGHT_LIMIT = 1 << 18  # section 7.3


class Predictor:
    """Predicts one frame, then learns from it.  `fork` copies it in microseconds."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.started = False
        self._past = np.zeros((TAPS, width), np.int64)  # q of the last frames, newest first
        self._taps = np.zeros((2, TAPS, width), np.int64)  # section 10.3: steps, leaps
        self._leap = 0
        self._cross = np.zeros((width, width), np.int64)  # [j, d]: row j is what e_j adds to d
        self._lower = np.triu(np.ones((width, width), np.int64), 1)
        self._inputs = np.zeros((TAPS, width), np.int64)
        self._own = np.zeros(width, np.int64)
        self.rows: list[Any] = list(self._cross)  # section 7.2; the views follow the matrix

    def fork(self) -> Predictor:
        """An independent copy."""
        other = Predictor.__new__(Predictor)
        other.__dict__.update(self.__dict__)
        for name in ("_past", "_taps", "_cross"):
            setattr(other, name, getattr(self, name).copy())
        other.rows = list(other._cross)
        return other

    def own(self, leap: bool = False) -> Ints:
        """Section 7.1: every number from its own past.  [D] in 1/256 steps.

        leap: over the frames between an acknowledged state and this one (section 10.3).
        """
        a, b, c = self._past
        self._inputs = np.stack([a - b, b - c, -a])
        self._leap = int(leap)
        self._own = (a << 8) + ((self._taps[self._leap] * self._inputs).sum(axis=0) >> 8)
        return self._own

    def momentum(self) -> tuple[list[int], list[float]]:
        """[D] the last frame's symbols, and how far a number goes on as it went.  For an
        encoder's choice of symbols alone."""
        return self._past[0].tolist(), (self._taps[0, 0] / 65536).tolist()

    def restart(self, symbols: Ints) -> None:
        """A key frame (section 7.4): the past is this frame alone; what was learned stays."""
        self._past[:] = symbols
        self.started = True

    def learn(self, symbols: Ints, errors: Ints) -> None:
        """Section 7.3: both stages step towards what would have been right.

        symbols: [D].  errors: [D], deviations from the final prediction, saturated.
        """
        x = self._inputs
        own = np.clip((symbols << 8) - self._own, -ERROR_LIMIT, ERROR_LIMIT)
        taps = self._taps[self._leap]
        taps += (4 * own * x) // ((x * x).sum(axis=0) + 2)
        np.clip(taps, -_WEIGHT_LIMIT, _WEIGHT_LIMIT, out=taps)

        squares = errors * errors
        energy = np.cumsum(squares) - squares + (4 << 16)
        step = ((errors << 10)[None, :] * errors[:, None]) // energy[None, :]
        self._cross += step * self._lower
        np.clip(self._cross, -_WEIGHT_LIMIT, _WEIGHT_LIMIT, out=self._cross)

        self._past[1:] = self._past[:-1].copy()
        self._past[0] = symbols

"""The coarse history of a call: states of the last second, as marks far apart and coarsely coded.

Any five packets that follow one another carry, or are, a mark for every fifth of the last second
(after the idea of deep redundancy in Opus 1.5: old news at few bits, spread over packets).
Sections are those of docs/bitstream.md.
"""

from __future__ import annotations

import numpy as np

from avatar.errors import StreamError
from codec.models import BOUND, Coder, FlagModel, code_gamma, code_raw, first_counters, scale_index
from codec.predict import Ints

SPREAD = 5  # section 10.5: consecutive packets that cover the history
BACK_BITS = 6  # section 10.4: a mark lies at most 63 packets back
COARSE = 3  # section 10.4: a mark's symbols are in 8 quantiser steps
_KINDS = 3  # zero, side, more
_UNARY = 12  # section 10.4: "more" decisions before the escape


class MarkModels:
    """The chances of a mark's numbers: one counter a number and kind of decision."""

    def __init__(self, key_scales: list[int]) -> None:
        """key_scales: [D], section 8.2's A of a key frame."""
        zero, more = first_counters()
        starts = []
        for scale in key_scales:
            index = scale_index(scale >> COARSE)
            starts += [zero[index], 1 << 15, more[index]]
        self._flags = FlagModel(len(starts), 0, starts)

    def fork(self) -> MarkModels:
        other = MarkModels.__new__(MarkModels)
        other._flags = self._flags.fork()
        return other

    def code(
        self, coder: Coder, base: Ints, back: int | None, symbols: Ints | None
    ) -> tuple[int, Ints]:
        """Codes how far back a mark lies, in packets, and its [D] symbols; a decoder passes None.

        base: the symbols that this packet's first frame shows.  Gives what a decoder gets.
        """
        back = code_raw(coder, back, BACK_BITS)
        if back == 0:
            raise StreamError("a mark lies no packet back", field="mark")
        half = 1 << (COARSE - 1)
        steps = None if symbols is None else ((symbols - base + half) >> COARSE).tolist()
        out = [
            self._step(coder, d, None if steps is None else steps[d]) << COARSE
            for d in range(len(base))
        ]
        found = np.clip(base + np.array(out, np.int64), -BOUND, BOUND)
        return back, found

    def _step(self, coder: Coder, number: int, value: int | None) -> int:
        at = number * _KINDS
        flag = self._flags.code
        if flag(coder, None if value is None else value == 0, at):
            return 0
        above = flag(coder, None if value is None else value > 0, at + 1)
        rest = None if value is None else abs(value) - 1
        count = 0
        while count < _UNARY:
            if not flag(coder, None if rest is None else rest > count, at + 2):
                break
            count += 1
        else:
            count += code_gamma(coder, None if rest is None else rest - count)
        return count + 1 if above else -count - 1


def mark_due(number: int, period: int) -> int:
    """Section 10.5: the packet whose state packet `number` repeats coarsely, or -1.

    period: packets from mark to mark.
    """
    newest = (number - 1) // period
    mark = newest - (newest - number) % SPREAD
    return mark * period if mark >= 0 else -1

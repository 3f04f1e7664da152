"""Rate-distortion optimised quantisation of one frame: an encoder's choice, never on the wire."""

from __future__ import annotations

import math
from dataclasses import dataclass

from codec.models import Context, SymbolModels

_NATS = 1.0 / math.log(2.0)
_MOST_SAVED = 5.0  # bits: where a neighbour would have to save more it is not looked at


@dataclass(frozen=True)
class Thrift:
    """A symbol beside the nearest is taken where the bits saved, here or in the next frame, are
    worth it.

    positions: [D] before rounding; ahead: [D], the next frame's, where it is known.  price: of a
    bit, in squared steps: one costs the picture the same in every number (`StateStatistics`)."""

    positions: list[float]
    price: float
    ahead: list[float] | None = None


class Chooser:
    """Chooses the deviations of one frame."""

    def __init__(
        self,
        thrift: Thrift,
        symbols: SymbolModels,
        key: bool,
        averages: list[int],
        momentum: tuple[list[int], list[float]],
    ) -> None:
        """averages: [D], how far numbers lately deviated, in 1/4096 steps.  momentum: of
        `Predictor`."""
        self._positions, self._price = thrift.positions, thrift.price
        self._costs = symbols.costs
        self._ahead = None if key else thrift.ahead
        self._last, self._turn = momentum
        # As in a geometric distribution of the number's average deviation; half a step keeps
        # numbers at rest from counting.
        if self._ahead is not None:
            self._slopes = [_NATS / (a / 4096 + 0.5) for a in averages]

    def choose(self, deviation: int, base: int, sign: int, context: Context) -> int:
        """The nearest deviation, or its neighbour.  base, sign: of the prediction (section 8.1)."""
        number = context[0]
        off = sign * (self._positions[number] - base) - deviation
        # The neighbour on the prediction's side can be cheaper now; the one on the other side only
        # for the next frame.
        inwards = deviation > 0 or (deviation == 0 and off < 0)
        ahead = self._ahead
        if not deviation and ahead is None:
            return 0
        step = -1 if inwards else 1
        loss = 1.0 - 2.0 * off * step  # the neighbour's squared error, less the nearest one's
        if loss > self._price * _MOST_SAVED:
            return deviation
        other = deviation + step
        here, there = self._costs((deviation, other), context)
        saved = here - there
        if ahead is not None:
            # The next frame's deviation, if it is predicted to go on as the last one did.
            turn = self._turn[number]
            keep = 1.0 + turn
            goal = ahead[number] + turn * self._last[number] - keep * base
            here = abs(goal - keep * (sign * deviation))
            there = abs(goal - keep * (sign * other))
            saved += self._slopes[number] * (here - there)
        return other if self._price * saved > loss else deviation

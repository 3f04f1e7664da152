"""How much an end of a call sends: what follows what the network says of it.

No clock: times are microseconds.  In the way of Google Congestion Control (draft-ietf-rmcat-gcc-02)
delay counts first and loss second, but what is sent is so little, and most of it headers, that
there are a few steps in place of a rate.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

# (quality, frames a datagram), from the best down.  Of what a path carries nine tenths are headers
# and little the quality: the second takes half of the first (`python -m benchmarks.narrow`).
STEPS = ((0, 1), (1, 2), (2, 3), (3, 5))


@dataclass(frozen=True)
class PaceSettings:
    """queue: round trip beyond the shortest of late, above which a queue stands before us.
    memory: over which the shortest is looked for.  lossy: share of datagrams lost above which less
    is sent; free: below which more is.  settle: time after a step until its effect is seen in
    either.  helped: share of the loss before that is left where sending less was of use.  deaf:
    time that loss is not listened to after it was of none.  patience: time without either until
    more is sent, doubled up to `longest` each time that it was too much."""

    queue: int = 150_000
    memory: int = 30_000_000
    lossy: float = 0.1
    free: float = 0.03
    settle: int = 3_000_000
    helped: float = 0.7
    deaf: int = 60_000_000
    patience: int = 8_000_000
    longest: int = 128_000_000


class Pace:
    """`step` takes what is known of the way; `level` and `frames` say what to send."""

    def __init__(self, settings: PaceSettings = PaceSettings()) -> None:
        self._limits = settings
        self.place = 0
        self._trips: deque[tuple[int, int]] = deque()  # (when, shortest since the one before)
        self._changed: int | None = None
        self._calm: int | None = None  # since when
        self._tried: float | None = None  # the loss before a step that was to help against it
        self._listens = 0  # to loss, from then on
        self._patience = settings.patience
        self._rose = False  # the last step was up

    @property
    def level(self) -> int:
        return STEPS[self.place][0]

    @property
    def frames(self) -> int:
        return STEPS[self.place][1]

    def step(self, now: int, loss: float, round_trip: int | None) -> None:
        """loss: share of what we sent.  round_trip: None while none is known."""
        if round_trip is None:
            return
        s, queue = self._limits, round_trip - self._shortest(now, round_trip)
        hears = now >= self._listens
        calm = queue < s.queue // 3 and (loss < s.free or not hears)
        self._calm = (now if self._calm is None else self._calm) if calm else None
        crowded = queue > s.queue
        if crowded and self._rose:  # it was too much, and the queue only grows
            self._go(now, 1)
        if self._changed is not None and now - self._changed < s.settle:
            return
        if self._tried is not None:
            in_vain = loss > s.helped * self._tried and not crowded
            self._tried = None
            if in_vain:  # it is lost on the air, or by others: less of ours makes nothing better
                self._listens = now + s.deaf
                self._go(now, -1)
                return
        if crowded:
            self._go(now, 1)
        elif hears and loss > s.lossy:
            self._tried = loss if self.place + 1 < len(STEPS) else None
            self._go(now, 1)
        elif self._calm is not None and now - self._calm >= self._patience:
            if self._rose:  # the last step up held
                self._patience = s.patience
            self._go(now, -1)

    def _go(self, now: int, by: int) -> None:
        place = min(max(self.place + by, 0), len(STEPS) - 1)
        if place == self.place:
            return
        s = self._limits
        if by > 0 and self._rose:
            self._patience = min(2 * self._patience, s.longest)
        self.place, self._changed, self._calm, self._rose = place, now, None, by < 0

    def _shortest(self, now: int, round_trip: int) -> int:
        trips = self._trips
        while trips and trips[-1][1] >= round_trip:
            trips.pop()
        trips.append((now, round_trip))
        while trips[0][0] < now - self._limits.memory:
            trips.popleft()
        return trips[0][1]

"""How far a job is, told to the queue now and then by the one who works on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from service.jobs.queue import Claim, Queue

_TELL = 1.0  # seconds between two of what is told


@dataclass
class Telling:
    """check: raises where the work has to stop; asked at every word."""

    queue: Queue
    claim: Claim
    check: Callable[[], None]
    clock: Callable[[], float] = time.time
    begun: dict[str, tuple[float, float]] = field(default_factory=dict)
    told: float = 0.0

    def tell(
        self, note: str, progress: float, done: float, total: float, later: float | None = 0.0
    ) -> None:
        """progress: 0 to 1, of the job.  done, total: of the stage that `note` names before its
        first comma.  later: seconds that what follows it takes, None where not known.

        What is left goes by this run's own pace: `done` may hold what earlier runs did."""
        now = self.clock()
        begun, first = self.begun.setdefault(note.split(",")[0], (now, done))
        left = None
        if later is not None and total > done > first:
            left = (now - begun) * (total - done) / (done - first) + later
        self.say(note, progress, left)

    def say(self, note: str, progress: float, left: float | None, at_once: bool = False) -> None:
        """left: seconds until the job's end, None where not known."""
        self.check()
        now = self.clock()
        if now - self.told < _TELL and not at_once:
            return
        self.queue.beat(self.claim, now, progress, note, left)
        self.told = now

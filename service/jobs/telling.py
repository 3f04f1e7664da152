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
    begun: dict[str, float] = field(default_factory=dict)
    told: float = 0.0

    def tell(self, note: str, progress: float, done: float, total: float) -> None:
        """progress: 0 to 1, of the job.  done, total: of the stage that `note` names before its
        first comma, which tell the seconds that are left of it."""
        self.check()
        now = self.clock()
        begun = self.begun.setdefault(note.split(",")[0], now)
        if now - self.told < _TELL:
            return
        left = (now - begun) * (total - done) / done if done > 0 and total > done else None
        self.queue.beat(self.claim, now, progress, note, left)
        self.told = now

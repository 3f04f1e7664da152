"""How much is sent, as kbit/s."""

from __future__ import annotations

from collections import deque

_MEMORY = 2_000_000  # us over which the shown rate is taken


class Rate:
    """Bytes over the last while, and over all, as kbit/s."""

    def __init__(self, memory: int = _MEMORY) -> None:
        self._memory = memory
        self._sizes: deque[tuple[int, int]] = deque()
        self._first: int | None = None
        self._last = self._total = 0

    def add(self, time: int, size: int) -> None:
        """`size` bytes sent at `time` (us)."""
        # Who tracks a frame for seconds sends it as of when it was filmed.
        time = max(time, self._last)
        self._first = time if self._first is None else self._first
        self._last = time
        self._total += size
        self._sizes.append((time, size))
        while time - self._sizes[0][0] > self._memory:
            self._sizes.popleft()

    @property
    def now(self) -> float:
        """Over the last while; 0 until there are two moments to measure between."""
        span = self._last - self._sizes[0][0] if self._sizes else 0
        later = sum(size for _, size in self._sizes) - (self._sizes[0][1] if self._sizes else 0)
        return later * 8000 / span if span else 0.0

    @property
    def overall(self) -> float:
        span = self._last - (self._first or 0)
        return self._total * 8000 / span if span else 0.0

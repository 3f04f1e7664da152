"""How much one member may have passed on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AllowanceSettings:
    """rate: bytes a second, over time.  burst: that may come at once, as key frames do.  largest: a
    datagram's; what is larger than any path carries is no face."""

    rate: float = 65_536.0
    burst: float = 262_144.0
    largest: int = 2048


class Allowance:
    """A token bucket of bytes."""

    def __init__(self, settings: AllowanceSettings = AllowanceSettings()) -> None:
        self._settings = settings
        self._level = settings.burst
        self._since: float | None = None

    def take(self, now: float, size: int) -> bool:
        """Whether a datagram may pass, which is counted.  now: seconds, rising."""
        limits = self._settings
        gone = 0.0 if self._since is None else max(0.0, now - self._since)
        self._level, self._since = min(limits.burst, self._level + gone * limits.rate), now
        if size > min(limits.largest, self._level):
            return False
        self._level -= size
        return True

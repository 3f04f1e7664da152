"""How many frames a second a camera is asked for: as many as are looked at.

No clock: times are in seconds.
"""

from __future__ import annotations

_SHARE = 0.7  # of the time that may go into looking; a frame that waits for the last one is late
_FEWEST, _MOST = 8.0, 30.0  # a second
_MEMORY = 10  # looks, about


class FrameWish:
    """What is not looked at costs its sender coding, the line bytes and the receiver decoding."""

    def __init__(self) -> None:
        self._look = 0.0

    def looked(self, seconds: float) -> None:
        """A frame took so long to look at."""
        self._look += (seconds - self._look) / _MEMORY

    @property
    def rate(self) -> int:
        """Frames a second."""
        return round(min(max(_SHARE / max(self._look, 1e-3), _FEWEST), _MOST))

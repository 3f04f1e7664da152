"""Places that are few, such as those of cameras at work, and who holds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from service.api.problems import refuse


class Shares:
    """Of one event loop.  most: places at the same time.  each: of them for one holder.  what:
    they do meanwhile, as in "Others are sending avatars".  retry: seconds."""

    def __init__(self, most: int, each: int, what: str, retry: int = 5) -> None:
        self._most, self._each = most, each
        self._what, self._retry = what, {"Retry-After": str(retry)}
        self._held: Counter[str] = Counter()

    def check(self, holder: str) -> None:
        """Raises 503 where no place is left, 429 where the holder has enough of them."""
        if self._held[holder] >= self._each:
            raise refuse(429, f"You are {self._what} already; try again.", self._retry)
        if self._held.total() >= self._most:
            raise refuse(503, f"Others are {self._what}; try again.", self._retry)

    @contextmanager
    def place(self, holder: str) -> Iterator[None]:
        """One place for as long as the block takes.  Raises as `check`."""
        self.check(holder)
        self._held[holder] += 1
        try:
            yield
        finally:
            self._held[holder] -= 1
            self._held += Counter()  # forgets who holds nothing

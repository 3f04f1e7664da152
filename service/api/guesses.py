"""Passwords, as routes get at them: each look is counted, so that none are tried in haste."""

from __future__ import annotations

import math

from service.accounts.passwords import Passwords
from service.api.problems import refuse
from service.api.rate import RateLimiter


class Guesses:
    """The only way to `passwords`.  per_minute: from each address."""

    def __init__(self, passwords: Passwords, per_minute: float) -> None:
        self._passwords = passwords
        self._rate = RateLimiter(per_minute, per_minute)

    def counted(self, address: str, now: float) -> Passwords:
        """Raises 429."""
        wait = self._rate.wait(address, now)
        if wait > 0:
            later = {"Retry-After": str(math.ceil(wait))}
            raise refuse(429, "Too many passwords were tried; wait a little.", later)
        return self._passwords

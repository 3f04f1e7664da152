"""So many requests a minute for each key: a token bucket each, in this process's memory."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from threading import Lock

from starlette.types import Scope

_MOST_KEYS = 50_000  # the longest unseen is forgotten then


def address_of(scope: Scope) -> str:
    """Whom a request comes from.  Of IPv6 the first 64 bits: who has one address has the rest."""
    host = str((scope.get("client") or ("",))[0])
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return address.exploded[:19]


class RateLimiter:
    """per_minute: refilled evenly; `burst` may come at once."""

    def __init__(self, per_minute: float, burst: float) -> None:
        self._rate = per_minute / 60.0
        self._burst = max(1.0, burst)
        self._level: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def wait(self, key: str, now: float) -> float:
        """0 where a request may pass, which is counted; else seconds until one may."""
        with self._lock:
            level, since = self._level.pop(key, (self._burst, now))
            level = min(self._burst, level + max(0.0, now - since) * self._rate)
            passes = level >= 1.0
            self._level[key] = (level - 1.0 if passes else level, now)
            if len(self._level) > _MOST_KEYS:
                self._level.popitem(last=False)
            return 0.0 if passes else (1.0 - level) / self._rate

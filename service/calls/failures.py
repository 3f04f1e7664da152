"""What may fail now and then, and not all the time."""

from __future__ import annotations

import logging

_log = logging.getLogger("facewire.calls")
_MOST = 50  # in a row: two seconds of a call


class Failures:
    """what: a log's words for it."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._row = 0

    def fine(self) -> None:
        self._row = 0

    def failed(self, error: Exception) -> None:
        """Tells of the first in a row; raises `error` where too many have failed."""
        if self._row == 0:
            _log.error("%s: %s", self._what, type(error).__name__)
        self._row += 1
        if self._row > _MOST:
            raise error

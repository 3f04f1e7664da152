"""The two threads that an end of a call works on: one films, one draws.

Each works by itself: threads that share a frame wait for each other at every step of it, spinning,
and beside tracking, coding, drawing and other calls they wait for long.
"""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

_NICE = 10  # of the thread that draws: it gets a tenth of a core that others want, or a free one


def filmer() -> ThreadPoolExecutor:
    """Tracks and codes what is filmed."""
    return ThreadPoolExecutor(1, "film", by_itself)


def drawer() -> ThreadPoolExecutor:
    """Draws what is shown."""
    return ThreadPoolExecutor(1, "draw", yielding)


def yielding() -> None:
    """This thread gives way to others, and works by itself."""
    # A picture that is late is one coarser picture; a frame that waits to be filmed, or a datagram
    # to be passed on, makes every later picture of it late.  Elsewhere a thread has no priority.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    by_itself()


def by_itself() -> None:
    """What is drawn or tracked from now on uses one thread."""
    if find_spec("torch") and find_spec("numba"):
        from render.side_by_side import alone

        alone()

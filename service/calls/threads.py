"""The threads that an end of a call works on: one films, one draws, one finds out where it is; and
where all calls look things up.

Each works by itself: threads that share a frame wait for each other at every step of it, spinning,
and beside tracking, coding, drawing and other calls they wait for long.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any, TypeVar

Result = TypeVar("Result")

_NICE = 10  # of the thread that draws: it gets a tenth of a core that others want, or a free one


# Of its own: asyncio's are few, and what codes video for browsers waits for one.  A database that
# hangs must not be seen there.
_ASIDE = ThreadPoolExecutor(8, "aside")


async def aside(work: Callable[..., Result], *given: Any) -> Result:
    """What `work` returns, or raises, done beside calls: a look at the store, some seconds of
    learning."""
    return await asyncio.get_running_loop().run_in_executor(_ASIDE, work, *given)


def filmer() -> ThreadPoolExecutor:
    """Tracks and codes what is filmed."""
    return ThreadPoolExecutor(1, "film", by_itself)


def drawer() -> ThreadPoolExecutor:
    """Draws what is shown."""
    return ThreadPoolExecutor(1, "draw", yielding)


def finder() -> ThreadPoolExecutor:
    """Finds out now and then where a call is made."""
    # Not behind others: with Python's lock in its hand it would keep those waiting who film.
    return ThreadPoolExecutor(1, "find", by_itself)


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

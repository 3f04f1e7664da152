"""Threads for the compiled kernels, which let go of Python's lock while they run.

numba has threads of its own, but what is compiled for them takes several times as long to
compile, and its simplest pool must not be entered by two at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from numba import get_num_threads

_PARTS = 4  # for each thread: one that another program slows down takes fewer of them
_FEW = 8192  # samples that one thread is done with before another has woken


def shared_out(run: Callable[[int, int], object], count: int, cost: int = 1) -> None:
    """run(first, last) for runs of items that cover `count`: by the caller and, where numba has
    more than one thread (`numba.set_num_threads`, of the calling thread), by others beside it.
    cost: of an item, in samples of a grid."""
    parts = _PARTS * get_num_threads()
    work = count * cost
    each(lambda part: run(part * count // parts, (part + 1) * count // parts), parts, work)


def each(work: Callable[[int], object], parts: int, cost: int) -> None:
    """work(0), work(1), ... in any order, on as many threads.  cost: of all, in samples."""
    threads = min(get_num_threads(), parts) if cost > _FEW else 1
    left = iter(range(parts))  # threads take from it one after another: Python's lock sees to it

    def take() -> None:
        for part in left:
            work(part)

    others = [_pool().submit(take) for _ in range(threads - 1)]
    take()
    for other in others:
        other.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1), "kernels")


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has the pool, and no threads

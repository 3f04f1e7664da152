"""Many pictures on a CPU: a frame to each core, instead of all cores at every step of a frame.

Threads that share a frame wait for each other hundreds of times; where another program has one of
the cores, all of them wait for the slowest.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Iterator[Result]:
    """work(item) for each item, in their order, on `workers` threads (None: one a core).

    Items are taken as they are needed, a few ahead.
    """
    count = workers or os.cpu_count() or 1
    if count == 1:
        yield from map(work, items)
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)  # what threads to come start with
    waiting: deque[Future[Result]] = deque()
    try:
        with ThreadPoolExecutor(count, "render", alone) as pool:
            try:
                for item in items:
                    waiting.append(pool.submit(work, item))
                    if len(waiting) > count:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()
    finally:
        torch.set_num_threads(before)


def alone() -> None:
    """What this thread draws from now on, it draws by itself; so several may at once, whatever
    threads numba has."""
    import numba
    import torch

    numba.set_num_threads(1)  # begins its threads, and with them sets how many torch has
    torch.set_num_threads(1)

"""What the threads of a call take of the machine."""

from __future__ import annotations

import os
import sys
import threading

import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")

from service.calls.threads import drawer, filmer


def inside(pool):
    """Priority, torch's and numba's threads, as work on it finds them."""
    import numba
    import torch

    def look():
        nice = 0
        if sys.platform == "linux":
            nice = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        return nice, torch.get_num_threads(), numba.get_num_threads()

    with pool:
        return pool.submit(look).result()


def test_each_works_by_itself_and_drawing_yields_to_filming():
    own = os.getpriority(os.PRIO_PROCESS, 0) if sys.platform == "linux" else 0
    films, draws = inside(filmer()), inside(drawer())
    assert films == (own, 1, 1)
    assert draws[1:] == (1, 1)
    assert draws[0] == (10 if sys.platform == "linux" else 0)

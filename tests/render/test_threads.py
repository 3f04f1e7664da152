"""The kernels that share their work out among numba's threads: the same numbers by two as by one.

In a process of its own, because tests have one thread (tests/conftest.py).
"""

from __future__ import annotations

import os
import subprocess
import sys

COMPARED = """
import numba
import numpy as np

from render import interpolate_cpu as kernels
from render import march_cpu as stages

rng = np.random.default_rng(0)


def made(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


flat, deep = made(3, 5000, 2), made(3, 5000, 3)
planes = [made(1, 9, 9, 8) for _ in "xyz"]
grids = stages.HeadGrids(made(3, 3, 4, 4, 3), made(1, 6, 6, 6, 4), *planes, made(3, 5, 5, 4))
edges = np.cumsum(rng.uniform(0, 0.1, (3, 1001, 9)), axis=2).astype(np.float32)
rays = stages.Rays(made(3, 3), made(3, 1001, 3), edges)
grads = made(3, 1001, 12), made(3, 1001)
coarse = (rays, grids.warp, grids.coarse, 9.0)


def gradients():
    start, along, by_grid = stages.march_gradients(rays, grids, 9.0, *grads, True)
    return [start, along, *by_grid]


work = [
    lambda: stages.look(*coarse),
    lambda: stages.look_gradients(*coarse, made(3, 1001, 8), made(3, 1001, 3)),
    lambda: stages.march(rays, grids, 9.0),
    gradients,
]
for count in (1, 3):  # one grid for all frames, or a grid each
    plane, volume = made(count, 9, 7, 4), made(count, 5, 6, 7, 4)
    work += [
        lambda p=plane: kernels.bilinear(p, flat),
        lambda v=volume: kernels.trilinear(v, deep),
        lambda p=plane: kernels.bilinear_gradients(p, flat, made(3, 5000, 4), True, True),
        lambda v=volume: kernels.trilinear_gradients(v, deep, made(3, 5000, 4), True, True),
    ]
for do in work:
    found = []
    for threads in (1, 2):
        rng = np.random.default_rng(1)
        numba.set_num_threads(threads)
        found.append(do())
    for one, two in zip(*([f] if isinstance(f, np.ndarray) else f for f in found), strict=True):
        assert np.abs(one).max() > 0 and np.array_equal(one, two)
"""


def test_two_threads_make_what_one_does() -> None:
    environment = os.environ | {"NUMBA_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", COMPARED], env=environment, check=True)

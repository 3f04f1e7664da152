"""How much faster the compiled grid kernels are than torch's grid_sample, as ratios in one run.

python benchmarks/interpolation.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from render.allocator import keep_memory
from render.interpolate import (
    plane_samples,
    plane_samples_plain,
    volume_samples,
    volume_samples_plain,
)

POINTS = 65_536
ROUNDS = 10


def seconds(work: Callable[..., None], *arguments: object) -> float:
    """The best of some rounds: what the machine's other users add is not ours."""
    work(*arguments)
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work(*arguments)
        times.append(time.perf_counter() - start)
    return min(times)


def forward(function: Callable[[Tensor, Tensor], Tensor], grid: Tensor, points: Tensor) -> None:
    with torch.no_grad():
        function(grid, points)


def both(function: Callable[[Tensor, Tensor], Tensor], grid: Tensor, points: Tensor) -> None:
    function(grid.requires_grad_(), points.requires_grad_()).sum().backward()
    grid.grad = points.grad = None


def main() -> None:
    keep_memory()
    torch.manual_seed(0)
    cases = [
        ("plane 192 x 192 x 16", torch.randn(1, 192, 192, 16), 2, plane_samples,
         plane_samples_plain),
        ("volume 40 x 56 x 48 x 4", torch.randn(1, 40, 56, 48, 4), 3, volume_samples,
         volume_samples_plain),
    ]  # fmt: skip
    print(f"{POINTS} points, {torch.get_num_threads()} threads; plain torch over compiled")
    for name, grid, axes, compiled, plain in cases:
        points = torch.rand(1, POINTS, axes) * 2 - 1
        for what, work in (("forward", forward), ("with gradients", both)):
            ours = seconds(work, compiled, grid, points)
            theirs = seconds(work, plain, grid, points)
            print(f"{name:25s} {what:15s} {1e3 * ours:7.2f} ms  {theirs / ours:5.1f} x")


if __name__ == "__main__":
    main()

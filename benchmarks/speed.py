"""What a picture costs: by its size, by the rung of the ladder, and until the first one.

    python -m benchmarks.speed AVATAR [--stream CALL.fw] [--sizes 64 128 ...] [--pictures N]
        [-o CURVE.svg]

Milliseconds are of one core (processor time), so that other work on the machine counts little;
shares and dB are against the first row of their table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.archive import read_avatar
from avatar.avatar import Avatar
from render.ladder import RUNGS
from render.metrics import psnr
from render.portrait import Portrait, RenderSettings
from render.side_by_side import alone
from render.start import get_ready
from service.look import turntable
from service.receiver import open_stream

SIZES = (64, 128, 256, 512, 1024, 2160)
EXACT = RenderSettings(thrift=None)  # every pixel its own ray: what thrift is compared with

Pictures = list[NDArray[np.uint8]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("avatar", type=Path)
    parser.add_argument("--stream", type=Path, help="states of a call; without it a turntable")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("-o", "--out", type=Path, help="the curve as a picture")
    given = parser.parse_args()
    alone()  # threads that wait for each other take processor time, too
    begun = time.perf_counter()
    get_ready()
    print(f"ready to draw in {time.perf_counter() - begun:.2f} s, before there is an avatar")
    avatar, portrait = first_picture(given.avatar, "of a program that has drawn none before")
    first_picture(given.avatar, "of one that has")
    rows = states(avatar, given.stream, given.pictures)
    ladder(portrait, rows)
    curve = sizes(portrait, rows, given.sizes)
    if given.out:
        plot(curve, given.out)


def first_picture(path: Path, of: str) -> tuple[Avatar, Portrait]:
    begun = time.perf_counter()
    avatar = read_avatar(path)
    loaded = time.perf_counter()
    portrait = Portrait(avatar, "cpu")
    portrait.render(avatar.statistics.mean, 256, 256)
    first = time.perf_counter()
    print(f"read in {loaded - begun:.2f} s, the first picture {first - loaded:.2f} s later, {of}")
    return avatar, portrait


def states(avatar: Avatar, stream: Path | None, count: int) -> NDArray[np.float32]:
    """[N, D]"""
    if stream is None:
        return np.stack(list(turntable(avatar, count)))
    values = open_stream(stream, avatar).states.values
    return values[np.unique(np.linspace(0, len(values) - 1, count).astype(int))]


def ladder(portrait: Portrait, rows: NDArray[np.float32]) -> None:
    print("at 256x256               ms  share    dB from all rays")
    every, whole = _timed(lambda row: portrait.render(row, 256, 256, settings=EXACT), rows)
    print(f"all rays            {1e3 * whole:7.1f}   1.00")
    for number, settings in enumerate(RUNGS):
        drawn, took = _timed(lambda row: portrait.render(row, 256, 256, settings=settings), rows)  # noqa: B023
        near = np.mean([psnr(one, other) for one, other in zip(every, drawn, strict=True)])
        print(f"rung {number}              {1e3 * took:7.1f}   {took / whole:.2f}   {near:.1f}")


def sizes(portrait: Portrait, rows: NDArray[np.float32], all_sizes: list[int]) -> list[Any]:
    """Lines and seconds of one picture."""
    print("lines         ms   us a pixel")
    curve = []
    for size in all_sizes:
        some = rows[: max(2, min(len(rows), 24 * 256**2 // size**2))]
        _, took = _timed(lambda row: portrait.render(row, size, size), some)  # noqa: B023
        print(f"{size:5d} {1e3 * took:10.1f}   {1e6 * took / size**2:10.2f}")
        curve.append((size, took))
    return curve


def _timed(draw: Callable[[Any], Any], rows: NDArray[np.float32]) -> tuple[Pictures, float]:
    """Pictures, and processor seconds of one; the first is drawn twice."""
    draw(rows[0])
    begun = time.process_time()
    pictures = [draw(row) for row in rows]
    return pictures, (time.process_time() - begun) / len(rows)


def plot(curve: list[Any], out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    size, took = np.array(curve).T
    figure, axis = pyplot.subplots(figsize=(5, 3.4), layout="constrained")
    axis.loglog(size, 1e3 * took, "o-", label="measured")
    axis.loglog(size, 1e3 * took[0] * (size / size[0]) ** 2, ":", label="as the pixels")
    axis.set(xlabel="lines of the picture", ylabel="ms of a core")
    axis.set_xticks(size, [f"{int(s)}" for s in size], minor=False)
    axis.minorticks_off()
    axis.legend(frameon=False)
    axis.grid(alpha=0.3)
    figure.savefig(out)


if __name__ == "__main__":
    main()

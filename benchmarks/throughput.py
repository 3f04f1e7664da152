"""Pictures a second of a recording on all cores, and what each rung of the ladder costs in dB.

    python -m benchmarks.throughput AVATAR CALL.fw FILM [--sizes 256 128] [--rungs 3]

What `facewire decode` draws, after starting and without writing; dB from FILM, which the stream is
a call of, as `facewire compare` counts them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import demo  # noqa: F401  threads as `facewire` has them
from avatar.archive import read_avatar
from render.ladder import RUNGS
from render.portrait import Portrait
from service.compare import compare_files
from service.paper import drawable
from service.receiver import open_stream, write_video
from service.surroundings import Surroundings
from service.view import View

_WARM = 8  # pictures before the clock runs


@dataclass
class Timed:
    """A renderer that tells how long all its pictures took, seconds."""

    portrait: Portrait
    view: View
    took: float = 0.0

    def pictures(self, states: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.uint8]]:
        rows = list(states)
        list(self._drawn(rows[:_WARM]))
        begun = time.perf_counter()
        pictures = list(self._drawn(rows))
        self.took = time.perf_counter() - begun
        return iter(pictures)

    def _drawn(self, rows: list[NDArray[np.float32]]) -> Iterator[NDArray[np.uint8]]:
        return self.portrait.render_all(rows, self.view.width, self.view.height)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("avatar", type=Path)
    parser.add_argument("stream", type=Path, metavar="CALL.fw")
    parser.add_argument("film", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=(256, 128))
    parser.add_argument("--rungs", type=int, default=3, help="of the ladder, from the best down")
    given = parser.parse_args()
    avatar = read_avatar(given.avatar)
    stream = open_stream(given.stream, avatar)
    avatar = Surroundings.of(stream).around(avatar)
    states = drawable(stream.states, avatar)
    times = (states.time - states.time[0]).tolist()
    print(f"{os.cpu_count()} cores\nlines  rung  pictures/s   dB, window   dB, face")
    with tempfile.TemporaryDirectory() as folder:
        for size in given.sizes:
            for rung, settings in enumerate(RUNGS[: given.rungs]):
                out = Path(folder) / f"{size}.{rung}.mkv"
                timed = Timed(Portrait(avatar, "cpu", settings), View(size, size))
                write_video(out, timed, states.values, times)  # type: ignore[arg-type]
                found = compare_files(given.film, out, given.stream)
                rate = len(states.values) / timed.took
                print(f"{size:5} {rung:5} {rate:11.1f} {found.psnr:12.2f} {found.psnr_face:10.2f}")


if __name__ == "__main__":
    main()

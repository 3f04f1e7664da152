"""What a browser's member costs a server before the first frame: how soon the processes that
track and draw for them are there, and their memory (`service.apart`).

    python -m benchmarks.apart AVATAR CLIP
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path

from avatar.archive import read_avatar
from benchmarks.serving import machine
from enroll.capture import open_video
from service import apart
from service.calls.drawing import DrawingApart
from service.calls.tracking_apart import TrackerApart
from service.surroundings_watch import WatchSettings
from service.view import View

_WARM = 10.0  # seconds for the process that others are forked from


def megabytes(pid: int) -> str:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    size = {name: int(rest.split()[0]) >> 10 for name, rest in (line.split(":") for line in lines)}
    own = size["Private_Clean"] + size["Private_Dirty"]
    return f"{size['Rss']} MB, of which {own} of its own"


def took(what: str, work: Callable[..., object], *given: object) -> None:
    begun = time.perf_counter()
    work(*given)
    print(f"{what}: {time.perf_counter() - begun:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("avatar", type=Path)
    parser.add_argument("clip", type=Path)
    asked = parser.parse_args()
    avatar, frame = read_avatar(asked.avatar), next(iter(open_video(asked.clip)))
    apart.get_ready()
    time.sleep(_WARM)
    for member in ("first", "second"):
        drawing, tracker = DrawingApart(View(256, 256)), TrackerApart(avatar, WatchSettings())
        took(f"{member} member, a picture", drawing.picture, avatar, avatar.statistics.mean)
        took(f"{member} member, a frame tracked", tracker.step, frame)
        for name, one in (("draws", drawing._apart), ("tracks", tracker._apart)):
            assert one.pid is not None
            print(f"what {name}: {megabytes(one.pid)}")
    pid = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    print(f"what they are forked from: {megabytes(pid)}; {machine()}")


if __name__ == "__main__":
    main()

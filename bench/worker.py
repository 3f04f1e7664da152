"""A process of its own in which codecs run: whatever one of them does, the run survives.

The worker takes tasks from a pipe and answers each with a `Record`; what it and its codecs print
goes to a log, the end of which becomes the reason if it dies.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
import traceback
from dataclasses import dataclass, replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import FacewireError
from bench.codec import Codec, family_of, run_point
from bench.codecs import codecs
from bench.energy import Meter
from bench.footage import Footage
from bench.measure import measure
from bench.metrics.registry import metric
from bench.results import FAILED, Record

_WORDS = 2000  # characters of a fault that are kept


@dataclass(frozen=True)
class Task:
    """One point to measure.  video: where what was shown is put for people, None for nowhere."""

    footage: Footage
    size: int
    codec: str
    point: float
    metrics: tuple[str, ...]
    key: str
    video: Path | None = None

    @property
    def name(self) -> str:
        return f"{self.footage.name} {self.size} {self.codec} {self.point:g}"

    def record(self, codec: Codec | None = None) -> Record:
        """What is known before it runs."""
        return Record(
            clip=self.footage.name,
            size=self.size,
            codec=self.codec,
            point=self.point,
            key=self.key,
            title=codec.title if codec else self.codec,
            family=family_of(codec) if codec else self.codec,
            frames=self.footage.frames,
            seconds=self.footage.seconds,
            counts=bool(getattr(codec, "rate_counts", True)),
            machine=machine(),
        )


def machine() -> dict[str, Any]:
    """What the speeds were taken on.  load: how many processes wanted a core when it began."""
    found: dict[str, Any] = {
        "processor": platform.machine(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }
    if hasattr(os, "getloadavg"):
        found["load"] = round(os.getloadavg()[0], 2)
    return found


def run_task(task: Task) -> Record:
    """Codes, counts and measures; never raises for a codec's fault."""
    codec = codecs()[task.codec]
    record = task.record(codec)
    meter = Meter()
    try:
        clip = task.footage.clip(task.size)
        outcome = run_point(codec, clip, task.point)
    except FacewireError as error:
        return replace(record, state=FAILED, reason=f"{error.message} {error.cure}"[-_WORDS:])
    except Exception:
        return replace(record, state=FAILED, reason=traceback.format_exc()[-_WORDS:])
    joules = meter.joules()
    account = outcome.account(clip)
    start = time.perf_counter()
    judges = [metric(name) for name in task.metrics]
    figures = measure(clip.frames, outcome.frames, task.footage.boxes(), judges)
    if task.video is not None:
        _show(outcome.frames, clip.fps, task.video)
    return replace(
        record,
        settings=outcome.settings,
        parts=dict(account.parts),
        packets=account.packets,
        archive=account.archive,
        encode_seconds=outcome.encode_seconds,
        decode_seconds=outcome.decode_seconds,
        kmac=outcome.kmac,
        joules=joules,
        measure_seconds=time.perf_counter() - start,
        figures=tuple(figures),
    )


def serve(tasks: Connection, log: Path) -> None:
    """The body of the process: until the pipe closes, or the run that it works for is gone."""
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
    while True:
        try:
            task = tasks.recv()
            print(f"-- {task.name}", flush=True)
            tasks.send(run_task(task))
        except (EOFError, KeyboardInterrupt):
            return


def _end_with_the_run() -> None:
    """A run that is killed cannot stop its workers: one would go on with its point for nobody."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _show(frames: NDArray[np.uint8], fps: float, path: Path) -> None:
    from bench.ffmpeg import run_ffmpeg

    height, width = frames.shape[1:3]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}")
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps)]
    even = "scale=trunc(iw/2)*2:trunc(ih/2)*2:out_color_matrix=bt709:out_range=tv"
    target = ["-vf", even, "-c:v", "libx264", "-preset", "veryfast", "-crf", "14"]
    tags = ["-pix_fmt", "yuv420p", "-colorspace", "bt709", "-color_range", "tv"]
    run_ffmpeg(
        [*source, "-i", "-", *target, *tags, "-movflags", "+faststart", "-f", "mp4", str(part)],
        iter(frames),
    )
    os.replace(part, path)

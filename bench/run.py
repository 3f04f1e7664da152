"""A run: every codec at every point on every clip, in processes, once each.

What was measured before is taken from the results; a codec that fails is recorded with what it
said, and the run goes on.  Stop it at any time and start it again.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from avatar.errors import FacewireError, InputError
from bench.classic_codec import LEAST_SECONDS, Classic
from bench.codec import Codec
from bench.codecs import chosen
from bench.footage import Footage, FootageSettings, name_of, prepare
from bench.metrics.registry import metrics
from bench.results import FAILED, FORMAT, OK, SKIPPED, Record, Results
from bench.worker import Task, serve

DEFAULT_CODECS = ("avatar", "vvc", "av1", "hevc", "still-first", "still-best")
DEFAULT_METRICS = (
    "L1", "PSNR", "SSIM", "MS-SSIM", "GMSD", "VMAF", "XPSNR", "CSIM", "AED", "AKD", "PRMSE",
    "AUCON", "JITTER", "SEAM", "LOST",
)  # fmt: skip
QUICK_SECONDS, QUICK_POINTS = 2.0, 3
_TAIL = 1500  # characters of a dead worker's log
# Libraries read these when they load, so that a process has to be born with them.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

Progress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class RunSettings:
    """codecs: names, families or "classic".  reduced: also at fewer pixels and frames.  points:
    by codec, instead of its own.  avatars: by clip, enrolled before.  jobs: processes; threads:
    of each.  limit: seconds after which a point is given up.  quick: 2 s of each clip, three
    points, full size.  videos: keep what was shown.  again: codecs to measure anew."""

    codecs: tuple[str, ...] = DEFAULT_CODECS
    metrics: tuple[str, ...] = DEFAULT_METRICS
    sizes: tuple[int, ...] = (256,)
    reduced: bool = True
    points: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    avatars: Mapping[str, Path] = field(default_factory=dict)
    jobs: int = 1
    threads: int = 1
    limit: float = 3600.0
    quick: bool = False
    videos: bool = True
    again: tuple[str, ...] = ()
    footage: FootageSettings = FootageSettings()


@dataclass(frozen=True)
class Summary:
    """measured: new here.  kept: from before.  warnings: of the clips."""

    measured: int
    kept: int
    failed: tuple[Record, ...]
    skipped: tuple[Record, ...]
    warnings: tuple[str, ...]


def run(
    sources: Sequence[Path],
    results: Results,
    settings: RunSettings = RunSettings(),
    progress: Progress = lambda done, total, note: None,
) -> Summary:
    """Raises InputError for what cannot be asked; a clip that cannot be used is recorded and
    left out, unless all are."""
    if settings.quick:
        footage = replace(settings.footage, longest=settings.footage.longest or QUICK_SECONDS)
        settings = replace(settings, footage=footage, reduced=False)
    found = _known_codecs(settings)
    _known_metrics(settings)
    results.describe(_said(sources, settings, results.asked.get("clips", [])))
    clips, warnings = _prepared(sources, results, settings, progress)
    tasks, skipped, kept = [], [], 0
    for task, codec, reason in _plan(clips, found, results, settings):
        if reason:
            skipped.append(replace(task.record(codec), state=SKIPPED, reason=reason))
            results.write(skipped[-1])
            continue
        before = results.find(task.footage.name, task.size, task.codec, task.point)
        anew = codec.name in settings.again
        if before and before.key == task.key and before.state == OK and not anew:
            kept += 1
        else:
            tasks.append(task)
    failed = []
    total = len(tasks)
    for done, record in enumerate(_measured(tasks, results, settings), 1):
        results.write(record)
        if record.state == FAILED:
            failed.append(record)
        note = f"{record.clip} {record.size} {record.codec} {record.point:g}"
        progress(done, total, note if record.state != FAILED else f"{note} failed")
    return Summary(total, kept, tuple(failed), tuple(skipped), tuple(warnings))


def _known_codecs(settings: RunSettings) -> list[Codec]:
    found = chosen(settings.codecs, settings.reduced)
    names = {codec.name for codec in found}
    for name in (*settings.points, *settings.again):
        if name not in names:
            raise InputError(
                f"{name!r} is not among the codecs of this run", f"They are {', '.join(names)}."
            )
    return found


def _known_metrics(settings: RunSettings) -> None:
    known = metrics()
    for name in settings.metrics:
        if name not in known:
            raise InputError(f"there is no metric {name!r}", f"Choose from {', '.join(known)}.")
    if not settings.sizes or any(not 16 <= size <= 2048 for size in settings.sizes):
        raise InputError(
            f"pictures of {settings.sizes} pixels cannot be compared", "Sizes go from 16 to 2048."
        )


def _prepared(
    sources: Sequence[Path], results: Results, settings: RunSettings, progress: Progress
) -> tuple[list[Footage], list[str]]:
    names = [name_of(source) for source in sources]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(
            f"two clips are called {', '.join(sorted(twice))}", "Rename one of the files."
        )
    if unknown := set(settings.avatars) - set(names):
        raise InputError(
            f"there is no clip {', '.join(sorted(unknown))} for its avatar",
            f"The clips are {', '.join(names)}.",
        )
    found, warnings, faults = [], [], []
    for source, name in zip(sources, names, strict=True):
        try:
            footage = prepare(
                source,
                results.clip_folder(name),
                settings.footage,
                settings.avatars.get(name),
                lambda text: progress(0, 0, text),
            )
        except FacewireError as error:
            faults.append(f"{name} is left out: {error.message}")
            continue
        found.append(footage)
        warnings += [f"{name}: {text}" for text in footage.warnings]
    if not found:
        raise InputError("no clip is left to compare codecs on", "\n".join(faults))
    return found, warnings + faults


def _plan(
    clips: Sequence[Footage], found: Sequence[Codec], results: Results, settings: RunSettings
) -> list[tuple[Task, Codec, str]]:
    """Every point, with why it is skipped ("" where it is not)."""
    plan = []
    for footage in clips:
        for size in settings.sizes:
            for codec in found:
                points = settings.points.get(codec.name) or codec.points or (0.0,)
                if settings.quick and len(points) > QUICK_POINTS:
                    points = _spread(points, QUICK_POINTS)
                for point in points:
                    task = _task(footage, size, codec, point, results, settings)
                    plan.append((task, codec, _reason(footage, codec, settings)))
    return plan


def _task(
    footage: Footage,
    size: int,
    codec: Codec,
    point: float,
    results: Results,
    settings: RunSettings,
) -> Task:
    depends = [FORMAT, footage.digest, size, codec.name, point, sorted(settings.metrics)]
    if getattr(codec, "needs_avatar", False):
        depends.append(footage.avatar_digest)
    key = hashlib.sha256(json.dumps(depends).encode()).hexdigest()
    path = results.path(footage.name, size, codec.name, point)
    video = path.with_suffix(".mp4") if settings.videos else None
    return Task(footage, size, codec.name, point, settings.metrics, key, video)


def _reason(footage: Footage, codec: Codec, settings: RunSettings) -> str:
    if needs := codec.missing():
        return needs
    if getattr(codec, "needs_avatar", False) and footage.material.avatar is None:
        return "needs an avatar of the clip's person: --avatar CLIP=FILE or --enrol SECONDS"
    short = footage.seconds < LEAST_SECONDS and not settings.quick
    if short and isinstance(codec, Classic):
        return (
            f"{footage.seconds:.1f} s: below {LEAST_SECONDS:g} s the one key frame is most of a "
            "classic codec's rate, and a comparison by rate says nothing"
        )
    return ""


def _spread(points: Sequence[float], count: int) -> tuple[float, ...]:
    """Cheapest, best, and evenly between."""
    last = len(points) - 1
    return tuple(points[round(i * last / (count - 1))] for i in range(count))


def _said(sources: Sequence[Path], settings: RunSettings, before: Sequence[str]) -> dict[str, Any]:
    """What is asked now, and the clips of all runs into this folder."""
    asked = asdict(settings)
    asked["avatars"] = {clip: path.name for clip, path in settings.avatars.items()}
    clips = list(dict.fromkeys([*before, *(source.name for source in sources)]))
    return {"clips": clips, "settings": asked}


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables for the processes that are started within."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Worker:
    """A process, its pipe, and what it is at."""

    def __init__(self, number: int, log: Path, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.log = log / f"worker-{number}.txt"
        self._began = self.log.stat().st_size if self.log.exists() else 0
        self.process = context.Process(target=serve, args=(theirs, self.log), daemon=True)
        with _environment(dict.fromkeys(_THREADS, str(threads))):
            self.process.start()
        theirs.close()
        self.task: Task | None = None
        self.since = 0.0

    def give(self, task: Task) -> None:
        self.task, self.since = task, time.monotonic()
        self._began = self.log.stat().st_size if self.log.exists() else 0
        self.pipe.send(task)

    def dead(self, why: str) -> Record:
        """What is recorded of its task once it was stopped or has died."""
        self.stop()
        assert self.task is not None
        said = ""
        if self.log.exists():
            with self.log.open("rb") as file:
                file.seek(self._began)
                said = file.read().decode(errors="replace")[-_TAIL:].strip()
        reason = f"{why}; it said: {said}" if said else why
        return replace(self.task.record(), state=FAILED, reason=reason)

    def stop(self) -> None:
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


def _measured(tasks: Sequence[Task], results: Results, settings: RunSettings) -> Any:
    """Yields a record for every task, as they are done."""
    log = results.folder / "log"
    log.mkdir(exist_ok=True)
    left = deque(tasks)
    idle = [_Worker(n, log, settings.threads) for n in range(min(settings.jobs, len(tasks)))]
    busy: dict[Connection[Any, Any], _Worker] = {}
    numbers = len(idle)
    try:
        while left or busy:
            while left and idle:
                worker = idle.pop()
                worker.give(left.popleft())
                busy[worker.pipe] = worker
            ready = wait(list(busy), timeout=1.0)
            for pipe in [pipe for pipe in busy if pipe in ready]:
                worker = busy.pop(pipe)
                try:
                    yield worker.pipe.recv()
                    worker.task = None
                    idle.append(worker)
                except (EOFError, OSError):
                    worker.process.join(5)
                    yield worker.dead(f"its process ended with code {worker.process.exitcode}")
                    idle.append(_Worker(numbers, log, settings.threads))
                    numbers += 1
            for pipe, worker in list(busy.items()):
                if time.monotonic() - worker.since > settings.limit:
                    del busy[pipe]
                    yield worker.dead(f"not done after {settings.limit:g} s")
                    idle.append(_Worker(numbers, log, settings.threads))
                    numbers += 1
    finally:
        for worker in [*idle, *busy.values()]:
            worker.stop()

"""What an enrolment costs: seconds of CPU, memory and bytes, for docs/scaling.md.

    python -m benchmarks.cost VIDEO [--size 256] [--steps 40]

The job as a worker does it, for some steps: following the face, then learning.  A process of its
own does it, so that memory is what a worker needs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

from avatar.avatar import Consent
from benchmarks.serving import machine, own_cpu
from service.enrolment import EnrolmentSettings, checkpoint_of, enrol


def work(video: Path, size: int, steps: int) -> None:
    from service.tracking import track_file

    begun, cpu = time.monotonic(), own_cpu()
    track, _ = track_file(video)
    frames, seconds = len(track.time), track.time[-1] / 1e6
    tracked, wall = own_cpu() - cpu, time.monotonic() - begun
    print(f"video: {video.stat().st_size / 1e6:.1f} MB, {seconds:.0f} s, {frames} frames")
    print(f"tracking: {1000 * tracked / frames:.1f} ms of CPU a frame, {tracked / wall:.2f} cores")
    given = Consent("self", "measurement", "2026-01-01T00:00:00+00:00", "flag", "1")
    with tempfile.TemporaryDirectory() as folder:
        target, largest = Path(folder) / "cost.avatar", 0

        def progress(done: float, total: float, note: str) -> None:
            nonlocal largest
            if checkpoint_of(target).exists():
                largest = max(largest, checkpoint_of(target).stat().st_size)

        begun, cpu = time.monotonic(), own_cpu()
        settings = EnrolmentSettings(size=size, budget=None, steps=steps, checkpoint_every=1.0)
        enrol([video], "Cost", given, target, settings, tracks=[track], progress=progress)
        learned, wall = own_cpu() - cpu, time.monotonic() - begun
        print(
            f"learning at {size}: {learned:.1f} s of CPU for {steps} steps with cutting the "
            f"pictures and the report, {learned / wall:.2f} cores"
        )
        print(f"checkpoint {largest / 1e6:.1f} MB, avatar {target.stat().st_size / 1e6:.2f} MB")
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"whole: {own_cpu():.0f} s of CPU with imports, {used.ru_maxrss / 1000:.0f} MB at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("video", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=40)
    asked = parser.parse_args()
    arguments = (asked.video, asked.size, asked.steps)
    worker = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    worker.start()
    worker.join()
    print(machine())
    raise SystemExit(worker.exitcode)


if __name__ == "__main__":
    main()

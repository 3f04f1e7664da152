"""Checks the figures that the README prints, by the commands that a user would type.

    python -m benchmarks.figures [--only NAME ...] [--work DIR] [-o FIGURES.json]

Held-out protocol: an avatar is enrolled on a file cut to the first part of a clip, and judged on
another file with the rest.  `--work` keeps cuts, avatars and streams, so that a second run of one
figure does not enrol again; remove the folder to start over.  Enrolment takes --budget seconds
of wall clock, and the CPU share that it had stands beside each figure; --steps makes it the same
on a machine that is busy.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from avatar.errors import FacewireError
from bench.ffmpeg import run_ffmpeg
from bench.figure import Figure, table
from benchmarks.another_camera import ANOTHER_CAMERA
from benchmarks.another_day import ANOTHER_DAY
from benchmarks.beyond import beyond
from benchmarks.efforts import EFFORTS
from benchmarks.gentle import GENTLE
from benchmarks.lab import QUALITY, Lab, number
from benchmarks.likeness import LIKENESS
from benchmarks.live import LIVE
from benchmarks.rates import RATES
from benchmarks.regions import REGIONS
from benchmarks.steadiness import STEADINESS

ROOT = Path(__file__).resolve().parent.parent


def held_out(lab: Lab, clip: str, protocol: str, reach: dict[str, float]) -> Iterator[Figure]:
    """PSNR on the window and the face, beside both baselines.  reach: bounds by the figure's
    name; "above_oracle" is by how many dB the oracle must be beaten."""
    who = lab.enrolled(clip, protocol)
    stream = lab.stream(who)
    found = lab.compared(who, stream, lab.video(who, stream, 256), still=True)
    name = f"held-out {Path(clip).stem}"
    for key in QUALITY:
        unit = "dB" if "psnr" in key else ""
        yield Figure(name, key, number(found[key]), unit, reach.get(key), note=who.cost)
    for key in ("psnr_first", "psnr_face_first", "psnr_oracle", "psnr_face_oracle"):
        yield Figure(name, key, number(found.get(key)), "dB", note="baseline")
    margin = number(found["psnr"]) - number(found.get("psnr_oracle"))
    yield Figure(name, "psnr above the oracle", margin, "dB", reach["above_oracle"])


def sizes(lab: Lab) -> Iterator[Figure]:
    """One stream rendered at other sizes, each against the source at that size."""
    who = lab.enrolled("podium.mp4", "10s")
    stream = lab.stream(who, "--fps=25")
    base = lab.compared(who, stream, lab.video(who, stream, 256))
    for size in (128, 512, 1080):
        found = lab.compared(who, stream, lab.video(who, stream, size))
        drop = number(base["psnr"]) - number(found["psnr"])
        note = f"{number(found['psnr']):.2f} dB at {size}, {number(base['psnr']):.2f} at 256"
        yield Figure("sizes", f"psnr below 256 at {size}", drop, "dB", 1.0, "at most", note)


def fine_avatar(lab: Lab) -> Iterator[Figure]:
    """An avatar enrolled at 512 against the 256 picture enlarged by Lanczos."""
    small, large = (lab.enrolled("podium.mp4", "10s", size) for size in (256, 512))
    stream, fine = lab.stream(small, "--fps=25"), lab.stream(large, "--fps=25")
    sharp = lab.video(large, fine, 512)
    enlarged = sharp.with_name("enlarged.mkv")
    scale = ["-vf", "scale=512:512:flags=lanczos+accurate_rnd", "-pix_fmt", "bgr0"]
    picture = lab.video(small, stream, 256)
    run_ffmpeg(["-i", str(picture), *scale, "-c:v", "ffv1", str(enlarged)])
    ours = number(lab.compared(large, fine, sharp)["ms_ssim_face"])
    theirs = number(lab.compared(small, stream, enlarged)["ms_ssim_face"])
    name = "enrolled at 512"
    yield Figure(name, "ms_ssim_face", ours, "", theirs, note=f"Lanczos of 256: {theirs:.4f}")
    track = lab.track(small.cut.judge)
    detail, rival = (face_detail(video, track) for video in (sharp, enlarged))
    yield Figure(name, "gradient energy, face", detail, "", rival, note=f"Lanczos: {rival:.1f}")


def tracking(lab: Lab) -> Iterator[Figure]:
    """Frames a second of the whole command: start, decode, mesh, mask, fit, write."""
    source = lab.source / "enrol" / "podium.mp4"
    ran = lab.run("track", source, "-o", lab.work / "speed.track")
    frames = lab.info(lab.work / "speed.track")["frames"]
    yield Figure("tracking", "whole command", frames / ran.wall, "frames/s", 60, note=ran.cost)
    if ran.cpu:
        alone = frames / ran.cpu
        yield Figure("tracking", "a core for itself", alone, "frames/s", note="frames / CPU time")


def archive(lab: Lab) -> Iterator[Figure]:
    who = lab.enrolled("podium.mp4", "tail")
    yield Figure("archive", "size", who.avatar.stat().st_size / 1e6, "MB", 6.0, "at most")


def demo(lab: Lab) -> Iterator[Figure]:
    ran = lab.run("demo", "-o", lab.work / "demo")
    yield Figure("demo", "whole run", ran.wall / 60, "minutes", 10, "at most", ran.cost)


def without_torch(lab: Lab) -> Iterator[Figure]:
    """The tests that import with torch and the like blocked."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/test_workshop.py", "-k", "heavy"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    passed = float(done.returncode == 0)
    yield Figure("without torch", "every package imports", passed, "", 1.0)


def face_detail(video: Path, track_path: Path) -> float:
    """Mean gradient energy of the pictures' face region; the track is the reference's, and its
    frame nearest in time gives the box."""
    from avatar.track_file import read_track
    from enroll.capture import open_video
    from render.metrics import face_region, gradient_energy

    track, found = read_track(track_path), []
    for frame in open_video(video):
        row = int(np.abs(track.time - track.time[0] - frame.time).argmin())
        if track.confidence[row] > 0:
            height, width = frame.image.shape[:2]
            region = face_region(track.box[row], width, height)
            found.append(gradient_energy(frame.image[region]))
    return float(np.mean(found)) if found else math.nan


CHECKS: dict[str, Callable[[Lab], Iterator[Figure]]] = {
    "podium": lambda lab: held_out(
        lab, "podium.mp4", "tail", {"psnr": 28.5, "psnr_face": 25, "above_oracle": 1.5}
    ),
    "webcam": lambda lab: held_out(
        lab, "webcam.mp4", "tail", {"psnr": 27, "psnr_face": 24, "above_oracle": 1.5}
    ),
    "turning": lambda lab: held_out(
        lab, "turning.mp4", "fifths", {"psnr": 25, "above_oracle": 0.0}
    ),
    **RATES,
    "sizes": sizes,
    "512": fine_avatar,
    "tracking": tracking,
    "archive": archive,
    "demo": demo,
    "without-torch": without_torch,
    **LIKENESS,
    **REGIONS,
    **ANOTHER_CAMERA,
    **ANOTHER_DAY,
    **STEADINESS,
    **EFFORTS,
    **LIVE,
    "beyond": beyond,
    **GENTLE,
}


def measure(lab: Lab, names: list[str]) -> tuple[list[Figure], dict[str, str]]:
    """The figures, and what went wrong with those that could not be measured, by name."""
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            figures += CHECKS[name](lab)
        except FacewireError as error:
            failures[name] = str(error)
            figures.append(Figure(name, "failed", math.nan, "", 0.0, note=error.message[:80]))
    return figures, failures


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--only", action="append", choices=CHECKS, metavar="NAME", help=str(list(CHECKS))
    )
    parser.add_argument("--work", type=Path, default=ROOT / "scratch" / "figures")
    parser.add_argument("--budget", type=float, default=300.0, help="seconds for an enrolment")
    parser.add_argument("--steps", type=int, help="steps for an enrolment, in place of the budget")
    parser.add_argument("-o", dest="output", type=Path, help="default: WORK/figures.json")
    chosen = parser.parse_args(words)
    source = Path(os.environ.get("FACEWIRE_CLIPS") or ROOT.parent / "shared" / "clips")
    if not source.is_dir():
        print(f"{source} is not there: set FACEWIRE_CLIPS to the folder of clips", file=sys.stderr)
        return 2
    lab = Lab(source, chosen.work, chosen.budget, steps=chosen.steps)
    figures, failures = measure(lab, chosen.only or list(CHECKS))
    output = chosen.output or chosen.work / "figures.json"
    effort = {"steps": chosen.steps} if chosen.steps else {"budget": chosen.budget}
    result = effort | {"cores": os.cpu_count(), "failures": failures}
    output.write_text(json.dumps(result | {"figures": [f.values() for f in figures]}, indent=2))
    from rich.console import Console

    console = Console()
    console.print(table(figures))
    for name, words_said in failures.items():
        console.print(f"[red]{name}[/]: {words_said}", highlight=False)
    missed = sum(f.met is False for f in figures)
    console.print(
        f"{missed} of {sum(f.met is not None for f in figures)} figures not met; {output}"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

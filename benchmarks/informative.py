"""Which frames teach most: fits of all frames, of some spread evenly, and of as many that cover
what head and face do.

    python -m benchmarks.informative CLIP [--protocol tail]
        [--frames 100] [--steps 300 1200] [-o FILE]

Each is a fit of its own, of as many steps, with the same seed; the held-out part is coded at
effort 1 and rendered at 256x256.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from avatar.archive import write_avatar
from avatar.avatar import Consent
from avatar.face import FaceTrack
from avatar.storage import write_whole
from avatar.track_file import read_track
from bench.figure import Figure, table
from benchmarks.lab import Enrolled, Lab, number
from enroll.capture import open_video
from enroll.crops import read_crops
from enroll.fit import FitSettings, fit
from enroll.informative import informative

SIZE = 256
_CONSENT = Consent("self", "a benchmark", "2026-01-01T00:00:00+00:00", "flag", "1")


def _evenly(track: FaceTrack, count: int) -> NDArray[Any]:
    return np.linspace(0, len(track) - 1, count).round().astype(int)


CHOICES: dict[str, Callable[[FaceTrack, int], NDArray[Any]]] = {
    "all": lambda track, count: np.arange(len(track)),
    "evenly": _evenly,
    "informative": informative,
}


def choices(
    lab: Lab, clip: str, protocol: str, frames: int, steps: list[int], names: list[str]
) -> Iterator[Figure]:
    """PSNR and MS-SSIM of each choice after each number of steps."""
    cut = lab.cut(clip, protocol)
    whole = read_track(lab.track(cut.enrol))
    for name in names:
        track = whole.cut(CHOICES[name](whole, frames))
        crops = read_crops(open_video(cut.enrol), track.window, SIZE, track.time)
        for count in steps:
            path = cut.enrol.with_name(f"{name}{len(track)}.{count}.avatar")
            if not path.exists():
                settings = FitSettings(size=SIZE, budget=None, steps=count)
                write_avatar(fit(crops, track, name, _CONSENT, settings), path)
            row = f"{name}, {len(track)} of {len(whole)} frames, {count} steps"
            who = Enrolled(row, cut, path, f"{count} steps")
            stream = lab.stream(who, "--effort=1")
            found = lab.compared(who, stream, lab.video(who, stream, SIZE))
            for key in ("psnr", "psnr_face", "ms_ssim_face"):
                yield Figure(row, key, number(found[key]), "dB" if "psnr" in key else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("clip", help="of the enrolment clips, as webcam.mp4")
    parser.add_argument("--protocol", default="tail", help="tail, 10s or fifths")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--steps", type=int, nargs="+", default=[300, 1200])
    parser.add_argument("--only", nargs="*", choices=sorted(CHOICES), default=list(CHOICES))
    parser.add_argument("--clips", type=Path, default=os.environ.get("FACEWIRE_CLIPS"))
    parser.add_argument("--work", type=Path, default=Path("scratch/figures"))
    parser.add_argument("-o", "--output", type=Path, help="the same as JSON")
    asked = parser.parse_args()
    if asked.clips is None:
        parser.error("name the folder of clips: --clips or $FACEWIRE_CLIPS")
    lab = Lab(asked.clips, asked.work, 300.0)
    found = list(choices(lab, asked.clip, asked.protocol, asked.frames, asked.steps, asked.only))
    Console().print(table(found))
    if asked.output:
        write_whole(asked.output, json.dumps([f.values() for f in found], indent=1).encode())


if __name__ == "__main__":
    main()

"""What the embedding and the consistency code give, 003's Table 3 and its 30 numbers, by our own
figures; and which frames teach most.

    python -m benchmarks.ablation CLIP [--protocol tail] [--steps 1500] [--effort 0]
        [--only NAME ...] [-o FILE]

Each variant is a fit of its own, of as many steps, with the same seed; the held-out part is coded
at quality 1, as tracked unless an effort is named, and rendered at 256x256.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from avatar.archive import write_avatar
from avatar.avatar import Consent
from avatar.face import EXPRESSIONS, FaceTrack, StateLayout
from avatar.storage import write_whole
from avatar.track_file import read_track
from bench.figure import Figure, table
from benchmarks.lab import Enrolled, Lab, number
from enroll.capture import open_video
from enroll.crops import read_crops
from enroll.fit import FitSettings, fit
from enroll.informative import informative
from render.fields.settings import FieldSettings

SIZE = 256
_FIELDS = FieldSettings.of_size(SIZE)
_CONSENT = Consent("self", "a benchmark", "2026-01-01T00:00:00+00:00", "flag", "1")

_SOME = 100  # frames


def _all(track: FaceTrack) -> NDArray[Any]:
    return np.arange(len(track))


def _spread(track: FaceTrack) -> NDArray[Any]:
    return np.unique(np.linspace(0, len(track) - 1, _SOME).round().astype(int))


def _informative(track: FaceTrack) -> NDArray[Any]:
    return informative(track, _SOME)


@dataclass(frozen=True)
class Variant:
    """rows: of the enrolment's track, that are learned from."""

    settings: FitSettings = FitSettings()
    rows: Callable[[FaceTrack], NDArray[Any]] = _all


VARIANTS = {
    "30 attention": Variant(),
    "30 linear": Variant(FitSettings(attention=False)),
    "79 linear": Variant(FitSettings(attention=False, layout=StateLayout(code=EXPRESSIONS))),
    "15 attention": Variant(FitSettings(layout=StateLayout(code=15))),
    "8 attention": Variant(FitSettings(layout=StateLayout(code=8))),
    "no consistency code": Variant(FitSettings(fields=replace(_FIELDS, consistency=0))),
    "torso at rest": Variant(FitSettings(layout=StateLayout(torso=0))),
    "100 frames, spread": Variant(rows=_spread),
    "100 frames, informative": Variant(rows=_informative),
}


def ablation(
    lab: Lab, clip: str, protocol: str, steps: int, effort: int, names: list[str]
) -> Iterator[Figure]:
    """PSNR, MS-SSIM and rate of each variant."""
    cut = lab.cut(clip, protocol)
    whole = read_track(lab.track(cut.enrol))
    for name in names:
        variant = VARIANTS[name]
        path = cut.enrol.with_name(f"{name.replace(' ', '-')}.{steps}.avatar")
        if not path.exists():
            track = whole.cut(variant.rows(whole))
            crops = read_crops(open_video(cut.enrol), track.window, SIZE, track.time)
            settings = replace(variant.settings, size=SIZE, budget=None, steps=steps)
            write_avatar(fit(crops, track, name, _CONSENT, settings), path)
        who = Enrolled(name, cut, path, f"{steps} steps")
        stream = lab.stream(who, f"--effort={effort}")
        found = lab.compared(who, stream, lab.video(who, stream, SIZE))
        for key in ("psnr", "psnr_face", "ms_ssim_face"):
            yield Figure(
                name, key, number(found[key]), "dB" if "psnr" in key else "", note=who.cost
            )
        yield Figure(name, "payload", number(lab.info(stream)["payload_kbps"]), "kbit/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", help="of the enrolment clips, as webcam.mp4")
    parser.add_argument("--protocol", default="tail", help="tail, 10s or fifths")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--effort", type=int, default=0)
    parser.add_argument("--only", nargs="*", choices=sorted(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--clips", type=Path, default=os.environ.get("FACEWIRE_CLIPS"))
    parser.add_argument("--work", type=Path, default=Path("scratch/figures"))
    parser.add_argument("-o", "--output", type=Path, help="the same as JSON")
    arguments = parser.parse_args()
    if arguments.clips is None:
        parser.error("name the folder of clips: --clips or $FACEWIRE_CLIPS")
    lab = Lab(arguments.clips, arguments.work, 300.0)
    asked = (arguments.protocol, arguments.steps, arguments.effort, arguments.only)
    found = list(ablation(lab, arguments.clip, *asked))
    Console().print(table(found))
    if arguments.output:
        facts = {"steps": arguments.steps, "figures": [figure.values() for figure in found]}
        write_whole(arguments.output, json.dumps(facts, indent=1).encode())


if __name__ == "__main__":
    main()

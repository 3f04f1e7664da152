"""The fallback on people whom it was never trained on, against VVC at equal bytes.

    python -m benchmarks.fallback --clips CLIPS [--size 256] [--only NAME ...] [--work DIR]
        [--jobs N]

Clips of codec/mttf/data/held_out.txt, at most 10 s of each, every byte counted.  One measured point
a row and codec; what VVC reaches at a rate is the upper hull of two of its sizes: a half and a
quarter of 256, which below 6 kbit/s lie above its full one, and of 512, all and a half of 128.
Resumed where it was stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Container, Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.curves import Curve, ExtrapolationError, curve, quality_at, upper_hull
from bench.footage import FootageSettings
from bench.results import OK, Record, Results
from bench.run import RunSettings, run

OURS = {"mttf-lite": (42.0,)}
RIVALS = {  # by the side of the pictures
    128: {"vvc": (52.0, 47.0), "vvc-half": (42.0,)},
    256: {"vvc-half": (47.0,), "vvc-quarter": (52.0, 42.0)},
    512: {"vvc-half": (52.0,), "vvc-quarter": (52.0, 47.0)},
}
METRICS = ("PSNR", "MS-SSIM", "VMAF", "AKD", "CSIM")
LOOKED_AT = (("MS-SSIM", "face", True), ("CSIM", "whole", True), ("AKD", "whole", False))
MOST = 6.0  # kbit/s up to which the fallback is there for
_SAME = {"talk_b"}  # who is there already


def people(clips: Path) -> Iterator[Path]:
    """A clip of each test person."""
    names = files("codec.mttf").joinpath("data/held_out.txt").read_text().split()
    for name in names:
        found = sorted(clips.glob(f"*/{name}.*"))
        if name not in _SAME and found:
            yield found[0]


def points_of(results: Results, clip: str, size: int, codecs: Container[str]) -> list[Record]:
    """By rising rate."""
    measured = (r for r in results if (r.clip, r.size, r.state) == (clip, size, OK))
    found = [record for record in measured if record.codec in codecs]
    return sorted(found, key=lambda record: record.kbps)


def rival(records: list[Record], metric: str, region: str, rising: bool) -> Curve | None:
    """The hull of VVC at all sizes."""
    curves = []
    for codec in {record.codec for record in records}:
        own = [r for r in records if r.codec == codec and r.figure(metric, region) is not None]
        if own:
            rates = [r.kbps for r in own]
            curves.append(
                curve(codec, rates, [r.figure(metric, region) or 0.0 for r in own], rising)
            )
    return upper_hull(curves) if curves else None


def told(results: Results, clips: list[Path], size: int, console: Console) -> None:
    """A row for every point of the fallback, and how often it is better below MOST kbit/s."""
    table = Table(title=f"The fallback against VVC at equal bytes, {size}x{size}")
    for head in ("person", "key QP", "kbit/s", "PSNR", "VMAF"):
        table.add_column(head)
    for metric, region, _ in LOOKED_AT:
        table.add_column(f"{metric} {region}")
    wins = {metric: 0 for metric, _, _ in LOOKED_AT}
    both = frames = 0
    decode = 0.0
    for clip in clips:
        rivals = points_of(results, clip.stem, size, RIVALS[size])
        best = dict.fromkeys(wins, False)
        for record in points_of(results, clip.stem, size, OURS):
            cells = [clip.stem, f"{record.point:g}", f"{record.kbps:.2f}"]
            cells += [_shown(record.figure("PSNR"), 1), _shown(record.figure("VMAF"), 0)]
            for metric, region, rising in LOOKED_AT:
                mine = record.figure(metric, region)
                hull = rival(rivals, metric, region, rising)
                theirs, beaten = _theirs(hull, record.kbps, mine, rising)
                best[metric] |= beaten and record.kbps <= MOST
                cells.append(f"{_shown(mine, 3)} ({theirs})")
            table.add_row(*cells)
            decode += record.decode_seconds or 0.0
            frames += record.frames
        for metric, won in best.items():
            wins[metric] += won
        both += best["MS-SSIM"] and best["CSIM"]
    console.print(table)
    console.print(f"In brackets VVC at that rate; better at {MOST:g} kbit/s or less, of people:")
    for metric, count in wins.items():
        console.print(f"  {metric}: {count} of {len(clips)}")
    console.print(f"  MS-SSIM of the face and identity, both: {both} of {len(clips)}")
    if decode:
        console.print(f"decoded {frames / decode:.1f} frames/s a process of one thread")


def _theirs(hull: Curve | None, rate: float, mine: float | None, rising: bool) -> tuple[str, bool]:
    """VVC's figure at a rate, and whether ours is better.  Below the cheapest that was measured of
    VVC, ours is only where it beats that one, for all its bytes."""
    if hull is None or mine is None:
        return "-", False
    if rate < hull.rates[0]:
        other = float(hull.qualities[0])
        won = bool(mine > other if rising else mine < other)
        return f"{other:.3f} at {hull.rates[0]:.1f}", won
    try:
        other = quality_at(hull, rate) if len(hull.points) > 1 else float(hull.qualities[0])
    except ExtrapolationError:
        other = float(hull.qualities[-1])
    return f"{other:.3f}", bool(mine > other if rising else mine < other)


def _shown(value: float | None, digits: int) -> str:
    return "-" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=Path, default=os.environ.get("FACEWIRE_CLIPS"))
    parser.add_argument("--size", type=int, choices=RIVALS, default=256, help="of a picture's side")
    parser.add_argument("--only", nargs="*", help="names of people")
    parser.add_argument("--work", type=Path, default=Path("scratch/fallback"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    if given.clips is None:
        parser.error("set FACEWIRE_CLIPS or give --clips: the folder of clips")
    clips = [
        clip for clip in people(Path(given.clips)) if not given.only or clip.stem in given.only
    ]
    results = Results(given.work, create=True)
    points = OURS | RIVALS[given.size]
    settings = RunSettings(
        codecs=tuple(f"={name}" for name in points),
        sizes=(given.size,),
        metrics=METRICS,
        points=points,
        jobs=given.jobs,
        videos=False,
        footage=FootageSettings("none", longest=10.0),
    )

    def said(done: float, total: float, note: str) -> None:
        print(f"{done:.0f}/{total:.0f} {note}", file=sys.stderr)

    summary = run(clips, results, settings, said)
    for warning in summary.warnings:
        print(warning, file=sys.stderr)
    told(results, clips, given.size, Console(width=140))
    return 1 if summary.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())

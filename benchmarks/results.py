"""Makes docs/results again: what every codec reaches on the clips, as curves and tables alone.

    python benchmarks/results.py [--only PART ...] [--clip NAME ...] [--codec NAME ...] [--quick]
        [--work DIR] [--avatars DIR] [-o DIR]

`rates` is the comparison at 256x256 on the last 10 s of three clips; `sizes` and `hd` render one
stream at 128 to 1024 pixels, of an avatar enrolled at 512, against HEVC coded at each (003 Fig. 6).
Stopped at any time, it goes on where it was: --work keeps cuts, avatars and measured points.
Avatars that were enrolled on the same cut (benchmarks/figures.py keeps them as CLIP-10s/256.avatar)
are taken from --avatars, others enrolled for --enrol seconds or --steps.  No footage is written to
the report.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from avatar.errors import FacewireError
from bench.classic_codec import classic_codecs
from bench.codecs import chosen
from bench.footage import FootageSettings
from bench.report.write import write_report
from bench.results import Results
from bench.run import RunSettings, Summary, run

ROOT = Path(__file__).resolve().parent.parent
OURS = (
    "avatar", "avatar-call", "avatar-order0", "avatar-lossless16", "avatar-79", "mttf-lite",
    "mttf-plain",
)  # fmt: skip
STILLS = ("still-first", "still-best")
QUICK_ENROL = 30.0  # seconds a clip, where a whole run is to end in ten minutes


@dataclass(frozen=True)
class Part:
    """One report.  hold_out, sizes, codecs, points, longest: as `facewire bench run` has them.
    enrolled: pixels of the enrolment."""

    title: str
    clips: tuple[str, ...]
    codecs: tuple[str, ...]
    hold_out: str = "10s"
    sizes: tuple[int, ...] = (256,)
    points: dict[str, tuple[float, ...]] = field(default_factory=dict)
    longest: float | None = None
    enrolled: int = 256


def _thinned() -> dict[str, tuple[float, ...]]:
    """Points that keep a run on three clips under an hour: all of VVC's, the rival that matters,
    and of the others the cheapest, where the avatar is; by how much a variant is reduced."""
    found: dict[str, tuple[float, ...]] = {
        "avatar-skip": (4.0, 1.0), "avatar-effort1": (4.0, 2.0, 1.0), "avatar-call": (1.0,),
        "avatar-order0": (4.0, 1.0), "mttf-plain": (42.0,), "mttf-lite-once": (42.0,),
        "mttf-lite-layer": (4.0,),
    }  # fmt: skip
    for codec in classic_codecs():
        full, less = {"vvc": (5, 4), "av1": (4, 3), "hevc": (4, 3)}.get(codec.family, (3, 2))
        kept = full if not codec.reduced else less if codec.skip == 1 else less - 1
        found[codec.name] = codec.points[:kept]
    return found


_AT_SIZES = ("=avatar", "=hevc", *STILLS)
_ONE_STREAM = {"avatar": (1.0,), "hevc": (51.0, 46.0, 41.0)}
PARTS = {
    "rates": Part(
        "Rate and fidelity on three clips",
        ("podium.mp4", "newsdesk.mp4", "webcam.mp4"),
        (*OURS, "classic", *STILLS),
        points=_thinned(),
    ),
    "sizes": Part(
        "One stream at four sizes against HEVC at each: halfbody",
        ("halfbody.mp4",), _AT_SIZES, "10s", (128, 256, 512, 1024), _ONE_STREAM, 8.0, 512,
    ),
    # 10 s long: a tenth is held out, too short to compare rates with a classic codec.
    "hd": Part(
        "One stream at four sizes: hd1080",
        ("hd1080.mp4",), _AT_SIZES, "tail", (128, 256, 512, 1024), _ONE_STREAM, None, 512,
    ),
}  # fmt: skip


def settings_of(part: Part, options: argparse.Namespace) -> RunSettings:
    """What is run.  Avatars of another cut than this part's are never taken: they would have seen
    what is judged."""
    budget = options.enrol if options.steps is None else None
    if options.quick and budget is not None:
        budget = min(budget, QUICK_ENROL)
    found = {}
    for name in part.clips:
        stem = Path(name).stem
        if options.avatars is not None:
            path = options.avatars / f"{stem}-{part.hold_out}" / f"{part.enrolled}.avatar"
            if path.is_file():
                found[stem] = path
    run_now = {codec.name for codec in chosen(part.codecs, reduced=not options.quick)}
    footage = FootageSettings(
        part.hold_out, budget=budget, steps=options.steps, size=part.enrolled, longest=part.longest
    )
    return RunSettings(
        codecs=part.codecs,
        sizes=part.sizes,
        points={name: points for name, points in part.points.items() if name in run_now},
        avatars=found,
        jobs=options.jobs,
        quick=options.quick,
        videos=False,
        footage=footage,
    )


def make(name: str, part: Part, options: argparse.Namespace, clips: Path) -> Summary:
    """Runs what is new of a part and writes its report."""
    work = options.work / (f"{name}-quick" if options.quick else name)
    results = Results(work, create=True)
    published = options.output / name / "results.json"
    if published.exists() and not options.quick:
        results.adopt(published)
    start = time.monotonic()

    def said(done: float, total: float, note: str | None) -> None:
        minutes = (time.monotonic() - start) / 60
        print(f"{name} {done:.0f}/{total:.0f} {minutes:.1f} min {note or ''}", file=sys.stderr)

    summary = run([clips / clip for clip in part.clips], results, settings_of(part, options), said)
    for warning in summary.warnings:
        print(f"{name}: {warning}", file=sys.stderr)
    write_report(results, options.output / name, part.title, videos=False, published=True)
    return summary


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--only", action="append", choices=PARTS, metavar="PART", help=str([*PARTS])
    )
    everybody = sorted({Path(clip).stem for part in PARTS.values() for clip in part.clips})
    parser.add_argument(
        "--clip", action="append", choices=everybody, metavar="NAME", help=", ".join(everybody)
    )
    parser.add_argument("--codec", action="append", metavar="NAME", help="in place of a part's")
    parser.add_argument("--quick", action="store_true", help="2 s of each clip, three points")
    parser.add_argument("--work", type=Path, default=ROOT / "scratch" / "results")
    parser.add_argument("--avatars", type=Path, help="of benchmarks/figures.py, its --work")
    parser.add_argument("--enrol", type=float, default=300.0, help="seconds for an enrolment")
    parser.add_argument("--steps", type=int, help="steps for an enrolment, in place of seconds")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-o", dest="output", type=Path, default=ROOT / "docs" / "results")
    options = parser.parse_args(words)
    clips = Path(os.environ.get("FACEWIRE_CLIPS") or ROOT.parent / "shared" / "clips") / "enrol"
    if not clips.is_dir():
        print(f"{clips} is not there: set FACEWIRE_CLIPS to the folder of clips", file=sys.stderr)
        return 2
    failed = 0
    for name in options.only or list(PARTS):
        part = PARTS[name]
        if options.codec:
            part = replace(part, codecs=tuple(options.codec))
        if options.clip:
            part = replace(part, clips=tuple(c for c in part.clips if Path(c).stem in options.clip))
        if not part.clips:
            continue
        try:
            summary = make(name, part, options, clips)
        except FacewireError as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed += 1
            continue
        failed += len(summary.failed)
        print(
            f"{options.output / name}: {summary.measured} points measured, {summary.kept} kept, "
            f"{len(summary.failed)} failed, {len(summary.skipped)} skipped"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""facewire bench run"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from avatar.errors import InputError
from demo.cli.paths import input_file
from demo.cli.progress import bar, say

HELP = "code clips by every codec at every point, and measure; resumed where it was stopped"
EXAMPLE = "facewire bench run ada.mp4 bob.mp4 --codecs avatar,vvc,av1 --enrol 300 -o results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clips", nargs="+", metavar="CLIP", help="videos of one person each")
    parser.add_argument("-o", dest="output", required=True, metavar="RESULTS", help="a folder")
    parser.add_argument(
        "--codecs",
        metavar="A,B",
        help="names of `facewire bench list`; a family's name takes all of its variants, =NAME "
        "that one alone, `classic` all classic codecs",
    )
    parser.add_argument("--metrics", metavar="A,B", help="names of `facewire bench list`")
    parser.add_argument("--sizes", default="256", metavar="N,M", help="pixels; default 256")
    parser.add_argument(
        "--points", action="append", default=[], metavar="CODEC=A,B",
        help="operating points of one codec, instead of its own",
    )  # fmt: skip
    parser.add_argument(
        "--full-size", action="store_true", help="no variants of fewer pixels or frames"
    )
    parser.add_argument(
        "--hold-out", default="10s", choices=("10s", "tail", "fifths", "none"),
        help="what is judged: the last 10 s, the last tenth, every fifth second, all of the file",
    )  # fmt: skip
    parser.add_argument("--fps", type=float, default=25.0, metavar="N", help="default 25")
    parser.add_argument(
        "--avatar", action="append", default=[], metavar="CLIP=FILE",
        help="an avatar enrolled before, on other frames than those judged",
    )  # fmt: skip
    parser.add_argument("--enrol", type=float, metavar="SECONDS", help="enrol what has no avatar")
    parser.add_argument("--steps", type=int, metavar="N", help="enrol by steps, not seconds")
    parser.add_argument("--enrol-size", type=int, default=256, metavar="N", help="default 256")
    parser.add_argument("--quick", action="store_true", help="2 s of each clip, three points")
    parser.add_argument("--longest", type=float, metavar="SECONDS", help="judge at most so much")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes; default: all cores")
    parser.add_argument(
        "--limit", type=float, default=3600, metavar="SECONDS", help="for one point; default 3600"
    )
    parser.add_argument("--no-videos", action="store_true", help="keep no video of what was shown")
    parser.add_argument("--again", metavar="A,B", help="codecs to measure anew")


def run(arguments: argparse.Namespace) -> None:
    from bench.footage import FootageSettings, name_of
    from bench.results import Results
    from bench.run import DEFAULT_CODECS, DEFAULT_METRICS, RunSettings
    from bench.run import run as run_codecs

    clips = [input_file(text, "video") for text in arguments.clips]
    settings = RunSettings(
        codecs=_words(arguments.codecs) or DEFAULT_CODECS,
        metrics=_words(arguments.metrics) or DEFAULT_METRICS,
        sizes=tuple(int(n) for n in _numbers(arguments.sizes, "--sizes")),
        reduced=not arguments.full_size,
        points={
            name: _numbers(text, "--points") for name, text in _pairs(arguments.points, "--points")
        },
        avatars={
            name_of(Path(name)): input_file(path, "avatar")
            for name, path in _pairs(arguments.avatar, "--avatar")
        },
        jobs=arguments.jobs or os.cpu_count() or 1,
        limit=arguments.limit,
        quick=arguments.quick,
        videos=not arguments.no_videos,
        again=_words(arguments.again),
        footage=FootageSettings(
            hold_out=arguments.hold_out,
            fps=arguments.fps,
            budget=arguments.enrol if not arguments.steps else None,
            steps=arguments.steps,
            size=arguments.enrol_size,
            longest=arguments.longest,
        ),
    )
    results = Results(arguments.output, create=True)
    with bar("Measuring") as progress:
        summary = run_codecs(clips, results, settings, progress)
    for warning in summary.warnings:
        say(warning)
    reasons: dict[str, list[str]] = {}
    for record in (*summary.skipped, *summary.failed):
        why = record.reason.strip().splitlines()[-1] if record.reason else record.state
        reasons.setdefault(f"{record.codec} {record.state}: {why}", []).append(record.clip)
    for reason, names in reasons.items():
        say(f"{reason} ({len(names)} points)")
    print(
        f"{arguments.output}: {summary.measured - len(summary.failed)} points measured, "
        f"{summary.kept} kept from before, {len(summary.failed)} failed, "
        f"{len(summary.skipped)} skipped"
    )


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def _numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in _words(text))
    except ValueError:
        raise InputError(
            f"{option} {text} is no list of numbers", "Separate numbers by commas: 128,256"
        ) from None


def _pairs(texts: list[str], option: str) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"{option} {text} names nothing", f"Write it as {option} NAME=VALUE")
        pairs.append((name, value))
    return pairs

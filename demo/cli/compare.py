"""facewire compare"""

from __future__ import annotations

import argparse
import json
import sys

from demo.cli.paths import input_file
from demo.cli.progress import bar, say
from demo.cli.ranges import frame_range

HELP = "measure how near a rendered video comes to what was filmed, frame by frame"
EXAMPLE = "facewire compare talk.mp4 call.mkv --stream call.fw"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reference", metavar="REFERENCE", help="what was filmed")
    parser.add_argument("out", metavar="OUT", help="what came out; .mkv from facewire decode")
    parser.add_argument(
        "--stream", metavar="CALL.fw", help="cut and scale REFERENCE as this call did"
    )
    parser.add_argument(
        "--frames",
        metavar="A:B",
        help="the frames of REFERENCE that OUT shows; with --stream, those to judge",
    )
    parser.add_argument(
        "--enrolled",
        metavar="VIDEO",
        help="what was enrolled: adds how near its first and its best frame come",
    )
    parser.add_argument("--json", action="store_true", help="figures for a program to read")


def run(arguments: argparse.Namespace) -> None:
    reference = input_file(arguments.reference, "video")
    out = input_file(arguments.out, "video")
    stream = input_file(arguments.stream, "stream") if arguments.stream else None
    enrolled = input_file(arguments.enrolled, "video") if arguments.enrolled else None
    frames = frame_range(arguments.frames)
    from service.compare import compare_files

    with bar("Comparing") as progress:
        result = compare_files(reference, out, stream, frames, enrolled, progress)
    for warning in result.warnings:
        say(warning)
    figures = result.figures()
    if arguments.json:
        json.dump(figures, sys.stdout)
        print()
        return
    for name, value in figures.items():
        shown = f"{value:.4f}" if "ssim" in name else f"{value:.2f} dB" if "psnr" in name else value
        print(f"{name:<14}{shown}")

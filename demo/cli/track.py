"""facewire track"""

from __future__ import annotations

import argparse

from demo.cli.paths import input_file, output_file
from demo.cli.progress import bar, say

HELP = "follow a face through a video: expression, gaze, head and shoulders, frame by frame"
EXAMPLE = "facewire track talk.mp4 -o talk.track"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", metavar="VIDEO")
    parser.add_argument("-o", dest="output", metavar="TRACK", help="default: VIDEO.track here")
    parser.add_argument(
        "--landmarks",
        choices=("mediapipe", "face-alignment"),
        default="mediapipe",
        help="the network that finds the face (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    source = input_file(arguments.video, "video")
    target = output_file(arguments.output or f"{source.stem}.track", ".track", inputs=(source,))
    from avatar.track_file import write_track
    from service.tracking import track_file

    landmarks = None
    if arguments.landmarks == "face-alignment":
        from enroll.alignment import AlignmentLandmarks

        landmarks = AlignmentLandmarks()
    with bar("Tracking") as progress:
        track, warnings = track_file(source, progress=progress, landmarks=landmarks)
    write_track(track, target)
    for warning in warnings:
        say(warning)
    seen = int((track.confidence > 0).sum())
    print(f"{target}: {len(track)} frames, a face in {seen} of them")

"""facewire track"""

from __future__ import annotations

import argparse
from pathlib import Path

from avatar.face import Window
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
    parser.add_argument(
        "--frames",
        metavar="CROPS",
        help="also keep the frames here, for a machine that enrols without reading video",
    )
    parser.add_argument(
        "--size", type=int, default=512, metavar="N", help="their pixels a side (default: 512)"
    )
    parser.add_argument(
        "--quality",
        type=int,
        default=95,
        metavar="Q",
        help="of their JPEG, 100 for no loss at all (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    source = input_file(arguments.video, "video")
    target = output_file(arguments.output or f"{source.stem}.track", ".track", inputs=(source,))
    frames = None
    if arguments.frames:
        frames = output_file(arguments.frames, ".crops", inputs=(source, target))
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
    if frames is not None:
        _keep_frames(source, track.window, frames, arguments)
    print(f"{target}: {len(track)} frames, a face in {seen} of them")


def _keep_frames(source: Path, window: Window, target: Path, arguments: argparse.Namespace) -> None:
    from enroll.capture import open_video
    from enroll.crops_file import CropsSettings, write_crops

    settings = CropsSettings(arguments.size, arguments.quality)
    count = write_crops(open_video(source), window, target, settings)
    print(f"{target}: {count} frames, {target.stat().st_size / 1e6:.1f} MB")

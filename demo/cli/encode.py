"""facewire encode"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from demo.cli.paths import input_file, output_file
from demo.cli.progress import bar, say
from demo.cli.ranges import frame_range

HELP = "code a video of an enrolled person into a few bytes a frame"
EXAMPLE = "facewire encode talk.mp4 --avatar ada.avatar -o call.fw --fps 25"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", metavar="VIDEO")
    parser.add_argument("--avatar", required=True, metavar="AVATAR")
    parser.add_argument("-o", dest="output", required=True, metavar="CALL.fw")
    parser.add_argument("--fps", type=float, metavar="N", help="default: the video's own times")
    parser.add_argument(
        "--kbps", type=float, metavar="R", help="at most this rate, sound not counted"
    )
    parser.add_argument(
        "--effort",
        type=int,
        choices=(0, 1, 2, 3),
        help="0: what was tracked; 1: corrected by the avatar's own picture as a camera would "
        "need it; 2, 3: by all pictures at once, slowly (default: 1, or 0 without torch)",
    )
    parser.add_argument("--frames", metavar="A:B", help="only these frames, counted from 0")
    parser.add_argument("--no-audio", action="store_true", help="leave the sound out")


def run(arguments: argparse.Namespace) -> None:
    source = input_file(arguments.video, "video")
    archive = input_file(arguments.avatar, "avatar")
    target = output_file(arguments.output, ".fw", inputs=(source, archive))
    frames = frame_range(arguments.frames)
    from avatar.archive import read_avatar
    from service.sender import SenderSettings, encode_video

    effort = arguments.effort
    if effort is None:
        effort = int(find_spec("torch") is not None)
    settings = SenderSettings(
        fps=arguments.fps, kbps=arguments.kbps, audio=not arguments.no_audio, effort=effort
    )
    avatar = read_avatar(archive)
    with bar("Encoding") as progress:
        sent = encode_video(source, avatar, target, settings, frames, progress)
    for warning in sent.warnings:
        say(warning)
    summary = sent.summary
    print(
        f"{target}: {summary['frames']} frames, {summary['duration_s']:.2f} s, "
        f"{summary['payload_kbps']:.2f} kbps"
        + (f" and {summary['audio_kbps']:.1f} kbps of sound" if summary["audio_kbps"] else "")
    )

"""facewire mirror"""

from __future__ import annotations

import argparse

from demo.cli.paths import input_file, output_file
from demo.cli.surroundings import add_surroundings

HELP = "look at yourself through the codec, live"
EXAMPLE = "facewire mirror --avatar ada.avatar --camera 0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--avatar", required=True, metavar="AVATAR")
    parser.add_argument(
        "--camera",
        default="0",
        metavar="N|VIDEO",
        help="a camera's number or a video file (default: 0)",
    )
    parser.add_argument(
        "-o", dest="output", metavar="OUT", help="write a video (.mkv, .mp4) instead of a window"
    )
    parser.add_argument("--size", type=int, default=256, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--effort",
        type=int,
        default=1,
        choices=(0, 1),
        help="0: send what was tracked; 1: corrected by the avatar's own picture (default: 1)",
    )
    add_surroundings(parser, ("auto", "never"))
    parser.add_argument("--seconds", type=float, metavar="S", help="stop after this long")


def run(arguments: argparse.Namespace) -> None:
    archive = input_file(arguments.avatar, "avatar")
    camera = arguments.camera
    if not camera.isdigit():
        input_file(camera, "video")
    target = (
        output_file(arguments.output, ".mkv", ".mp4", inputs=(archive,))
        if arguments.output
        else None
    )
    from avatar.archive import read_avatar
    from enroll.identity import watch_beside
    from service.mirror import MirrorSettings, mirror

    settings = MirrorSettings(
        arguments.size,
        arguments.effort,
        arguments.seconds,
        background=arguments.background == "auto",
        light=arguments.light == "auto",
    )
    shown = mirror(read_avatar(archive), camera, target, settings, watch_beside(archive))
    print(f"{shown.frames} frames, {shown.kbps:.2f} kbps, {shown.fps:.1f} frames a second")

"""facewire decode"""

from __future__ import annotations

import argparse

from demo.cli import view
from demo.cli.paths import input_file, output_file
from demo.cli.progress import bar, say

HELP = "render a coded call as a video, at any size"
EXAMPLE = "facewire decode call.fw --avatar ada.avatar -o call.mp4 --height 1080"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stream", metavar="CALL.fw")
    parser.add_argument("--avatar", required=True, metavar="AVATAR")
    parser.add_argument(
        "-o", dest="output", required=True, metavar="OUT", help=".mkv is lossless, .mp4 is H.264"
    )
    view.add_arguments(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def run(arguments: argparse.Namespace) -> None:
    source = input_file(arguments.stream, "stream")
    archive = input_file(arguments.avatar, "avatar")
    target = output_file(arguments.output, ".mkv", ".mp4", inputs=(source, archive))
    from avatar.archive import read_avatar
    from service.receiver import decode_file

    avatar = read_avatar(archive)
    look = view.view_of(arguments, avatar.window)
    with bar("Rendering") as progress:
        shown = decode_file(source, avatar, target, look, arguments.device, progress)
    for warning in shown.warnings:
        say(warning)
    print(f"{target}: {shown.frames} frames of {shown.width}x{shown.height}")

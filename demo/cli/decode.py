"""facewire decode"""

from __future__ import annotations

import argparse
from pathlib import Path

from avatar.errors import InputError
from avatar.face import Window
from demo.cli import view
from demo.cli.paths import input_file, output_file
from demo.cli.progress import bar, say

HELP = "render a coded call as a video, at any size"
EXAMPLE = "facewire decode call.fw --avatar ada.avatar -o call.mp4 --height 1080"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stream", metavar="CALL.fw", help="or .hevc, .h264, .vvc of `encode`")
    parser.add_argument("--avatar", metavar="AVATAR", help="unless it was coded without one")
    parser.add_argument(
        "-o", dest="output", required=True, metavar="OUT", help=".mkv is lossless, .mp4 is H.264"
    )
    view.add_arguments(parser)
    view.add_marks(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def run(arguments: argparse.Namespace) -> None:
    source = input_file(arguments.stream, "stream")
    archive = input_file(arguments.avatar, "avatar") if arguments.avatar else None
    inputs = (source, archive) if archive else (source,)
    target = output_file(arguments.output, ".mkv", ".mp4", inputs=inputs)
    if archive is None:
        _fallback(arguments, source, target)
        return
    from avatar.archive import read_avatar
    from service.receiver import decode_file

    avatar = read_avatar(archive)
    look = view.view_of(arguments, avatar.window)
    with bar("Rendering") as progress:
        marks = arguments.watermark, arguments.badge
        shown = decode_file(source, avatar, target, look, arguments.device, progress, *marks)
    for warning in shown.warnings:
        say(warning)
    print(f"{target}: {shown.frames} frames of {shown.width}x{shown.height}")


def _fallback(arguments: argparse.Namespace, source: Path, target: Path) -> None:
    from codec.mttf.gfv import SUFFIXES
    from codec.mttf.weights import find_weights, load_weights
    from service.fallback.elementary import decode_elementary
    from service.fallback.receiver import Look, decode_fallback, is_fallback

    elementary = source.suffix.lower() in SUFFIXES
    if not elementary and not is_fallback(source):
        raise InputError(f"{source} shows an avatar", "Name it with --avatar.")
    sized = arguments.size is not None or arguments.height is not None
    chosen = view.view_of(arguments, Window(0, 0, 1, 1, 1))
    width, height = (chosen.width, chosen.height) if sized else (None, None)
    look = Look(width, height, arguments.watermark, arguments.badge)
    weights = load_weights(find_weights())
    device = "cpu" if arguments.device == "auto" else arguments.device
    with bar("Rendering") as progress:
        decode = decode_elementary if elementary else decode_fallback
        shown = decode(source, weights, target, look, device, progress)
    for warning in shown.warnings:
        say(warning)
    print(f"{target}: {shown.frames} frames of {shown.width}x{shown.height}")

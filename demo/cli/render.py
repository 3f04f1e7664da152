"""facewire render"""

from __future__ import annotations

import argparse

from avatar.errors import InputError
from demo.cli import view
from demo.cli.paths import input_file, output_file
from demo.cli.progress import bar

HELP = "look at an avatar without a call: one pose, or once around"
EXAMPLE = "facewire render ada.avatar --pose 20,5,0 -o ada.png"

_FPS = 25
_ROUND = 100  # frames of a turntable: four seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("avatar", metavar="AVATAR")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--turntable", action="store_true", help="30 degrees to either side")
    what.add_argument(
        "--pose", metavar="YAW,PITCH,ROLL", help="degrees; yaw to the viewer's right, pitch up"
    )
    parser.add_argument(
        "--expression", metavar="N=X,...", help="expression coefficients 0..78, in deviations"
    )
    parser.add_argument(
        "-o", dest="output", required=True, metavar="OUT", help=".png for a pose, .mkv or .mp4"
    )
    view.add_arguments(parser)
    view.add_marks(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def run(arguments: argparse.Namespace) -> None:
    archive = input_file(arguments.avatar, "avatar")
    suffixes = (".mkv", ".mp4") if arguments.turntable else (".png", ".mkv", ".mp4")
    target = output_file(arguments.output, *suffixes, inputs=(archive,))
    angles = _pose(arguments.pose) if arguments.pose else (0.0, 0.0, 0.0)
    expression = _expression(arguments.expression) if arguments.expression else None
    from avatar.archive import read_avatar
    from service.look import posed, turntable
    from service.picture_file import write_png
    from service.receiver import Renderer, write_video
    from service.watermark.mark import Watermark

    avatar = read_avatar(archive)
    look = view.view_of(arguments, avatar.window)
    still = posed(avatar, *angles, expression)
    renderer = Renderer(avatar, look, arguments.device)
    if target.suffix.lower() == ".png":
        write_png(target, renderer.picture(still))
        print(f"{target}: {look.width}x{look.height}")
        return
    states = turntable(avatar, _ROUND) if arguments.turntable else (still for _ in range(_FPS))
    count = _ROUND if arguments.turntable else _FPS
    with bar("Rendering") as progress:
        write_video(
            target,
            renderer,
            states,
            [k * 1_000_000 // _FPS for k in range(count)],
            progress=progress,
            mark=Watermark(avatar.digest) if arguments.watermark else None,
            badge=arguments.badge,
        )
    print(f"{target}: {count} frames of {look.width}x{look.height}")


def _pose(text: str) -> tuple[float, float, float]:
    try:
        yaw, pitch, roll = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"{text!r} is no pose", "Give three angles in degrees: --pose 20,5,0"
        ) from None
    return yaw, pitch, roll


def _expression(text: str) -> dict[int, float]:
    try:
        pairs = [part.split("=") for part in text.split(",")]
        return {int(index): float(value) for index, value in pairs}
    except ValueError:
        raise InputError(
            f"{text!r} sets no expression", "Give numbers and values: --expression 0=2,3=-1.5"
        ) from None

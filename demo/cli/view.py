"""The options that say how a picture is rendered: size, fit and background."""

from __future__ import annotations

import argparse
from pathlib import Path

from avatar.errors import InputError
from avatar.face import Window
from service.view import COLOURS, DEFAULT_SIZE, FITS, Background, View, background_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--size",
        metavar="N|WxH",
        help=f"pixels: a square, or width x height (default: {DEFAULT_SIZE})",
    )
    size.add_argument("--height", type=int, metavar="N", help="lines, in the source's own shape")
    parser.add_argument(
        "--fit",
        choices=FITS,
        default="contain",
        help="how the avatar's square meets another shape: "
        "whole inside it, filling it, or continued beyond its edge (default: %(default)s)",
    )
    parser.add_argument(
        "--background",
        default="learned",
        metavar="learned|blur|COLOUR|IMAGE",
        help="what is behind the person; COLOUR is a name or #rrggbb (default: %(default)s)",
    )


def add_marks(parser: argparse.ArgumentParser) -> None:
    """What says of a picture that it is rendered."""
    parser.add_argument(
        "--no-badge",
        dest="badge",
        action="store_false",
        help="leave the visible badge out of .mp4; .mkv never has one",
    )
    parser.add_argument(
        "--no-watermark",
        dest="watermark",
        action="store_false",
        help="leave the invisible watermark out of .mp4; .mkv never has one",
    )


def view_of(arguments: argparse.Namespace, window: Window) -> View:
    """The view asked for; `window` gives the source's shape.  Raises InputError."""
    width = height = DEFAULT_SIZE
    if arguments.height is not None:
        height = arguments.height
        width = round(height * window.width / window.height)
    elif arguments.size is not None:
        width, height = _size(arguments.size)
    return View(width, height, arguments.fit, _background(arguments.background))


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise InputError(f"{text!r} is no size", "Give --size 512, or --size 640x360.")
    return int(parts[0]), int(parts[-1])


def _background(text: str) -> Background:
    known = background_of(text)
    if known is not None:
        return known
    if not Path(text).is_file():
        raise InputError(
            f"background {text!r} is neither learned, blur, a colour nor a picture that is there",
            f"Colours are {', '.join(COLOURS)} or #rrggbb.",
        )
    from service.picture_file import read_picture

    return read_picture(text)

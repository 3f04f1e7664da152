"""facewire call"""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from avatar.errors import InputError
from demo.cli.paths import input_file, output_file
from demo.cli.progress import say

HELP = "take part in a call, rendered on this machine"
EXAMPLE = "facewire call LINK --camera 0 --avatar me.avatar --theirs you.avatar -o call.mp4"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("room", metavar="ROOM", help="the room's link")
    parser.add_argument("--camera", default="0", metavar="N|VIDEO", help="default: camera 0")
    parser.add_argument("--avatar", metavar="AVATAR", help="yours; without one the fallback sends")
    parser.add_argument(
        "--theirs", action="append", default=[], metavar="AVATAR", help="one that you may be shown"
    )
    parser.add_argument("-o", dest="output", required=True, metavar="VIDEO", help="what was seen")
    parser.add_argument("--size", type=int, default=256, metavar="N", help="pixels a side")
    parser.add_argument(
        "--seconds", type=float, default=60.0, metavar="S", help="then leave; Ctrl-C is sooner"
    )
    parser.epilog = (
        "environment:\n  FACEWIRE_TOKEN\n      a token of yours with the scope calls\n\n"
        f"{parser.epilog or ''}"
    )


def run(arguments: argparse.Namespace) -> None:
    base, room = _place(arguments.room)
    token = os.environ.get("FACEWIRE_TOKEN", "")
    if not token:
        raise InputError("FACEWIRE_TOKEN is not set", "Sign in: POST /v1/sessions; set the token.")
    mine = input_file(arguments.avatar, "avatar") if arguments.avatar else None
    theirs = [input_file(path, "avatar") for path in arguments.theirs]
    camera = arguments.camera
    source = camera if camera.isdigit() else input_file(camera, "video")
    target = output_file(arguments.output, ".mp4", inputs=tuple(filter(None, (mine, *theirs))))
    from service.calls.recording import record_call

    told = asyncio.run(
        record_call(
            base,
            room,
            token,
            source,
            mine,
            theirs,
            Path(target),
            arguments.size,
            arguments.seconds,
            say,
        )
    )
    if told.identity == "unverified":
        say("The other's avatar names no signing key: nothing proves that it was moved by them.")
    elif not told.pictures and told.identity == "unknown":
        say("Nobody was seen: they were not there, or their avatar is not among --theirs.")
    print(
        f"{target}: {told.pictures} pictures; sent {told.sent:.2f} kbit/s, received "
        f"{told.received:.2f} kbit/s, {100 * told.loss:.1f} % lost; the other is {told.identity}"
    )


def _place(link: str) -> tuple[str, str]:
    from urllib.parse import parse_qs, urlsplit

    parts = urlsplit(link)
    room = parse_qs(parts.query).get("room", [""])[0]
    if parts.scheme not in ("http", "https") or not parts.netloc or not room:
        raise InputError(f"{link} is no room's link", "It looks like http://host:port/call?room=ID")
    return f"{parts.scheme}://{parts.netloc}", room

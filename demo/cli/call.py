"""facewire call"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
from contextlib import ExitStack
from typing import Any

from avatar.errors import InputError
from demo.cli.paths import input_file, output_file
from demo.cli.progress import say
from demo.cli.surroundings import add_surroundings

HELP = "take part in a call, rendered on this machine"
EXAMPLE = "facewire call LINK --camera 0 --avatar me.avatar -o call.mp4"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("room", metavar="ROOM", help="the room's link")
    parser.add_argument("--camera", default="0", metavar="N|VIDEO", help="default: camera 0")
    parser.add_argument("--avatar", metavar="AVATAR", help="yours; without one the fallback sends")
    parser.add_argument(
        "--theirs",
        action="append",
        default=[],
        metavar="AVATAR",
        help="one that is here already; others come from the server by grant, opened in memory "
        "alone.  Nobody else than its owner is then sent, or shown, anything",
    )
    parser.add_argument(
        "--their-key",
        action="append",
        default=[],
        metavar="KEY",
        help="the same of whose avatar is not here: their signing key, 64 digits, as facewire info "
        "tells it of their avatar",
    )
    parser.add_argument(
        "-o",
        dest="output",
        metavar="VIDEO",
        help="writes what was seen and heard (.mp4); else a window, which is silent",
    )
    parser.add_argument(
        "--virtual-camera",
        nargs="?",
        const="",
        metavar="DEVICE",
        help="shows it to other programs as a camera, such as /dev/video9",
    )
    parser.add_argument(
        "--no-audio",
        action="store_true",
        help="no sound: none of --camera's is sent (a video's own; beside a camera, the system's "
        "first microphone on Linux and macOS), and none that is heard goes into -o; the server, "
        "which passes sound on, could listen",
    )
    parser.add_argument(
        "--effort",
        type=int,
        default=1,
        choices=(0, 1),
        help="0: send what was tracked; 1: corrected by the avatar's own picture, as often as this "
        "machine has time for it (default: 1)",
    )
    add_surroundings(parser, ("auto", "never"))
    parser.add_argument("--window", action="store_true", help="a window as well")
    parser.add_argument("--size", type=int, default=256, metavar="N", help="pixels a side")
    parser.add_argument(
        "--seconds", type=float, default=60.0, metavar="S", help="then leave; Ctrl-C is sooner"
    )
    parser.epilog = (
        "environment:\n  FACEWIRE_TOKEN\n"
        "      a token of yours with the scopes calls and avatars:read\n\n"
        f"{parser.epilog or ''}"
    )


def run(arguments: argparse.Namespace) -> None:
    base, room = _place(arguments.room)
    token = os.environ.get("FACEWIRE_TOKEN", "")
    if not token:
        raise InputError("FACEWIRE_TOKEN is not set", "Sign in: POST /v1/sessions; set the token.")
    mine = input_file(arguments.avatar, "avatar") if arguments.avatar else None
    theirs = [input_file(path, "avatar") for path in arguments.theirs]
    known = [_key(text) for text in arguments.their_key]
    camera = arguments.camera
    source = camera if camera.isdigit() else input_file(camera, "video")
    inputs = tuple(filter(None, (mine, *theirs)))
    target = output_file(arguments.output, ".mp4", inputs=inputs) if arguments.output else None
    from service.calls.headless import AttendSettings, attend
    from service.calls.outputs import CameraOutput, WindowOutput, closed, file_output

    size, sound = arguments.size, not arguments.no_audio
    room_sent, light_sent = arguments.background == "auto", arguments.light == "auto"
    settings = AttendSettings(
        size, arguments.seconds, sound, known, arguments.effort, room_sent, light_sent
    )
    with ExitStack() as stack:
        outputs: list[Any] = []
        if arguments.virtual_camera is not None:
            camera_out = CameraOutput(size, arguments.virtual_camera)
            outputs.append(stack.enter_context(closed(camera_out)))
            say(f"What is seen goes to the camera {camera_out.device}")
        if arguments.window or not (outputs or target):
            outputs.append(stack.enter_context(closed(WindowOutput())))
        if target is not None:
            outputs.append(stack.enter_context(file_output(target, size, sound)))
        told = asyncio.run(attend(base, room, token, source, mine, theirs, outputs, say, settings))
    if told.identity == "unverified":
        say("The other's avatar names no signing key: nothing proves that it was moved by them.")
    elif not told.pictures and told.identity == "unknown":
        say("Nobody was seen: they were not there, or no grant lets you have their avatar.")
    print(
        f"{target or 'Seen'}: {told.pictures} pictures; sent {told.sent:.2f} kbit/s, received "
        f"{told.received:.2f} kbit/s, {100 * told.loss:.1f} % lost; the other is {told.identity}"
    )


def _key(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", text.lower()):
        raise InputError(f"{text!r} is no signing key", "facewire info THEIR.avatar tells theirs.")
    return text.lower()


def _place(link: str) -> tuple[str, str]:
    from urllib.parse import parse_qs, urlsplit

    parts = urlsplit(link)
    room = parse_qs(parts.query).get("room", [""])[0]
    if parts.scheme not in ("http", "https") or not parts.netloc or not room:
        raise InputError(f"{link} is no room's link", "It looks like http://host:port/call?room=ID")
    return f"{parts.scheme}://{parts.netloc}", room

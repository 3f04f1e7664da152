"""facewire encode"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from avatar.errors import InputError
from demo.cli.paths import input_file, output_file
from demo.cli.progress import bar, say
from demo.cli.ranges import frame_range
from demo.cli.surroundings import add_surroundings

if TYPE_CHECKING:
    from service.sender import Sent

HELP = "code a video into a few bytes a frame, of an enrolled person or of anybody"
EXAMPLE = "facewire encode talk.mp4 --avatar ada.avatar -o call.fw --fps 25"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", metavar="VIDEO")
    parser.add_argument("--avatar", metavar="AVATAR", help="without it: key frames and motion")
    parser.add_argument(
        "--codec",
        choices=("auto", "avatar", "mttf"),
        default="auto",
        help="mttf needs no avatar; auto takes it where none is given (default: %(default)s)",
    )
    parser.add_argument(
        "-o",
        dest="output",
        required=True,
        metavar="CALL.fw",
        help="without an avatar also .hevc, .h264 or .vvc: key frames that any player shows, with "
        "their motion as GFV SEI messages",
    )
    parser.add_argument("--fps", type=float, metavar="N", help="default: the video's own times")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument(
        "--kbps", type=float, metavar="R", help="at most this rate, sound not counted"
    )
    amount.add_argument(
        "--quality",
        type=float,
        metavar="Q",
        help="size of the quantiser's steps, 0.25 (fine) to 32; 1, the default, loses 0.1 dB",
    )
    parser.add_argument(
        "--layer",
        type=float,
        metavar="R",
        help="without an avatar: this many kbps more, for small pictures by a classic codec that "
        "the generated ones are fused with (default: none)",
    )
    parser.add_argument(
        "--skip",
        type=int,
        metavar="N",
        help="send one picture of N + 1 and draw those between (default: 0, or as --kbps likes)",
    )
    parser.add_argument(
        "--mode",
        choices=("avatar", "lossless16"),
        default="avatar",
        help="lossless16: 30 codes and 12 numbers of pose as 16-bit floats, for comparison",
    )
    parser.add_argument(
        "--no-embedding",
        action="store_true",
        help="with lossless16: all 79 expression coefficients in place of the codes",
    )
    parser.add_argument(
        "--effort",
        type=int,
        choices=(0, 1, 2, 3),
        help="0: what was tracked; 1: corrected by the avatar's own picture, in two looks; "
        "2, 3: in more of them, slowly (default: 1, or 0 without torch)",
    )
    add_surroundings(parser, ("auto", "always", "never"))
    parser.add_argument(
        "--posture",
        choices=("auto", "never"),
        default="auto",
        help="send once how the shoulders are held (default: where it is worth it)",
    )
    parser.add_argument("--frames", metavar="A:B", help="only these frames, counted from 0")
    parser.add_argument("--no-audio", action="store_true", help="leave the sound out")


def run(arguments: argparse.Namespace) -> None:
    source = input_file(arguments.video, "video")
    archive = input_file(arguments.avatar, "avatar") if arguments.avatar else None
    inputs = (source, archive) if archive else (source,)
    from codec.mttf.gfv import SUFFIXES

    fallback = arguments.codec == "mttf" or (arguments.codec == "auto" and archive is None)
    suffixes = (".fw", *SUFFIXES) if fallback else (".fw",)
    target = output_file(arguments.output, *suffixes, inputs=inputs)
    frames = frame_range(arguments.frames)
    if fallback and target.suffix.lower() in SUFFIXES:
        _elementary(arguments, source, target, frames)
        return
    if fallback:
        _fallback(arguments, source, target, frames)
        return
    if archive is None:
        raise InputError("--codec avatar needs --avatar", "Enrol first: facewire enroll VIDEO")
    if arguments.layer is not None:
        raise InputError("an avatar has no layer", "Leave --layer out, or choose --codec mttf.")
    from avatar.archive import read_avatar
    from service.sender import SenderSettings, encode_video

    effort = arguments.effort
    if effort is None:
        effort = int(find_spec("torch") is not None)
    settings = SenderSettings(
        fps=arguments.fps,
        quality=1.0 if arguments.quality is None else arguments.quality,
        kbps=arguments.kbps,
        skip=arguments.skip,
        audio=not arguments.no_audio,
        effort=effort,
        mode=arguments.mode,
        embedding=not arguments.no_embedding,
        background=arguments.background,
        posture=arguments.posture,
        light=arguments.light,
    )
    avatar = read_avatar(archive)
    with bar("Encoding") as progress:
        sent = encode_video(source, avatar, target, settings, frames, progress)
    _tell(target, sent)


def _fallback(
    arguments: argparse.Namespace, source: Path, target: Path, frames: slice | None
) -> None:
    from codec.mttf.weights import find_weights, load_weights
    from service.fallback.sender import FallbackSettings, encode_fallback

    settings = FallbackSettings(
        fps=arguments.fps,
        kbps=FallbackSettings.kbps if arguments.kbps is None else arguments.kbps,
        audio=not arguments.no_audio,
        layer=arguments.layer,
    )
    weights = load_weights(find_weights())
    with bar("Encoding") as progress:
        sent = encode_fallback(source, target, weights, settings, frames, progress)
    _tell(target, sent)


def _elementary(
    arguments: argparse.Namespace, source: Path, target: Path, frames: slice | None
) -> None:
    if arguments.layer is not None:
        raise InputError("SEI messages carry no layer", "Leave --layer out, or write a .fw.")
    from codec.mttf.weights import find_weights, load_weights
    from service.fallback.elementary import encode_elementary
    from service.fallback.sender import FallbackSettings

    kbps = FallbackSettings.kbps if arguments.kbps is None else arguments.kbps
    settings = FallbackSettings(fps=arguments.fps, kbps=kbps)
    weights = load_weights(find_weights())
    with bar("Encoding") as progress:
        sent = encode_elementary(source, target, weights, settings, frames, progress)
    for warning in sent.warnings:
        say(warning)
    print(
        f"{target}: {sent.frames} frames, {sent.seconds:.2f} s, {sent.keys} key frames, "
        f"{sent.kbps:.2f} kbps, no sound"
    )


def _tell(target: Path, sent: Sent) -> None:
    for warning in sent.warnings:
        say(warning)
    summary = sent.summary
    print(
        f"{target}: {summary['frames']} frames, {summary['duration_s']:.2f} s, "
        f"{summary['payload_kbps']:.2f} kbps"
        + (f" and {summary['audio_kbps']:.1f} kbps of sound" if summary["audio_kbps"] else "")
    )

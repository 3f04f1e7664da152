"""facewire enroll"""

from __future__ import annotations

import argparse
from pathlib import Path

from avatar.errors import InputError
from demo.cli import consent
from demo.cli.paths import input_file, output_file
from demo.cli.progress import bar, say

HELP = "make an avatar of a person from videos of them"
EXAMPLE = "facewire enroll talk.mp4 --name Ada -o ada.avatar --budget 300 --consent self"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "videos",
        metavar="VIDEO",
        nargs="+",
        help="of one person alone; with --track also frames kept by facewire track --frames",
    )
    parser.add_argument("--name", required=True, help="the avatar's name")
    parser.add_argument("-o", dest="output", metavar="AVATAR", help="default: NAME.avatar here")
    parser.add_argument(
        "--size",
        type=int,
        default=256,
        metavar="N",
        help="pixels a side of the pictures to learn from (default: %(default)s)",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--budget",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="how long to fit (default: %(default)g)",
    )
    length.add_argument("--steps", type=int, metavar="N", help="fit this many steps instead")
    parser.add_argument(
        "--track",
        action="append",
        default=[],
        metavar="FILE",
        help="the track of a VIDEO, made by facewire track; once for each, in their order",
    )
    parser.add_argument("--from", dest="start", metavar="AVATAR", help="go on from this avatar")
    parser.add_argument(
        "--coverage",
        metavar="PICTURE",
        help="a PNG of what the video shows of the face, and what it lacks",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--resume", action="store_true", help="go on where a stopped fit was")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=argparse.SUPPRESS)
    consent.add_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    videos = [input_file(video, "video") for video in arguments.videos]
    tracks = [input_file(track, "track") for track in arguments.track]
    if tracks and len(tracks) != len(videos):
        raise InputError(
            f"{len(tracks)} tracks for {len(videos)} videos",
            "Give --track once for every video, in their order, or not at all.",
        )
    start = input_file(arguments.start, "avatar") if arguments.start else None
    _check(arguments)
    target = output_file(
        arguments.output or f"{arguments.name}.avatar", ".avatar", inputs=(*videos, *tracks)
    )
    picture = output_file(arguments.coverage, ".png") if arguments.coverage else None
    agreed = consent.obtain(arguments)

    from avatar.archive import read_avatar
    from avatar.track_file import read_track
    from codec.signature import public_key
    from service.enrolment import EnrolmentSettings, enrol
    from service.guide.coverage_picture import coverage_png
    from service.signing import keep_seed, key_of, seed_of

    seed = seed_of(key_of(target))
    settings = EnrolmentSettings(
        size=arguments.size,
        budget=None if arguments.steps is not None else arguments.budget,
        steps=arguments.steps,
        device=arguments.device,
        seed=arguments.seed,
    )
    with bar("Enrolling") as progress:
        made = enrol(
            videos,
            arguments.name,
            agreed,
            target,
            settings,
            tracks=[read_track(track) for track in tracks],
            start=read_avatar(start) if start else None,
            resume=arguments.resume,
            progress=progress,
            signer=public_key(seed),
        )
    keep_seed(key_of(target), seed)
    for warning in made.warnings:
        say(warning)
    say(made.coverage.words)
    if picture is not None:
        picture.write_bytes(coverage_png(made.coverage))
    _keep_sign(videos[0], target)
    say(f"{key_of(target)} signs your calls: keep it, and give it to nobody.")
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB, {_quality(made.avatar.report)}")


def _keep_sign(video: Path, target: Path) -> None:
    """Beside the avatar, for its owner: calls then know whether it is they who are filmed."""
    from avatar.storage import private_file
    from enroll.identity import can_describe, face_of, sign_bytes, sign_of_video
    from service.enrolment import is_crops

    if is_crops(video):
        say("Without the video itself no sign of who you are was made: calls cannot check it.")
        return
    if can_describe() and (sign := sign_of_video(video)) is not None:
        face = face_of(target)
        private_file(face, sign_bytes(sign))
        say(f"{face} tells who you are: calls look at it, and nobody else gets it.")


def _check(arguments: argparse.Namespace) -> None:
    from service.enrolment import check_name

    check_name(arguments.name)
    if arguments.steps is not None and arguments.steps < 1:
        raise InputError(f"--steps {arguments.steps} fits nothing", "Give 1 or more.")
    if not arguments.budget > 0:
        raise InputError(
            f"--budget {arguments.budget:g} fits nothing", "Give seconds, such as 300."
        )
    if not 32 <= arguments.size <= 1024:
        raise InputError(f"--size {arguments.size} cannot be learned", "Choose 32 to 1024 pixels.")


def _quality(report: dict) -> str:
    figures = [f"{name} {value:.2f}" for name, value in report.items() if isinstance(value, float)]
    return ", ".join(figures[:4]) or "no figures"

"""The command line's grammar: what `facewire --help` shows."""

from __future__ import annotations

import argparse
from importlib import metadata

from demo.cli import (
    bench,
    call,
    compare,
    decode,
    demo,
    doctor,
    encode,
    enroll,
    info,
    mirror,
    render,
    serve,
    track,
    train_mttf,
)

COMMANDS = {
    "track": track,
    "enroll": enroll,
    "encode": encode,
    "decode": decode,
    "compare": compare,
    "render": render,
    "mirror": mirror,
    "serve": serve,
    "call": call,
    "info": info,
    "demo": demo,
    "bench": bench,
    "train-mttf": train_mttf,
    "doctor": doctor,
}

_ABOUT = """A call that sends a face, not a video.

Enrol a person once from a video of them; after that a call costs about 2 kbit/s
and is rendered at any size."""

_CODES = """exit codes: 0 done, 2 the input or the command cannot be used, 3 a damaged or foreign
file, 4 parts that do not belong together, 5 something is not installed, 6 the disk is
full or cannot be written, 7 a wrong password or token, 130 interrupted"""


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="facewire",
        description=_ABOUT,
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"facewire {_version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.HELP[0].upper() + module.HELP[1:] + ".",
            epilog=f"example:\n  {module.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def with_angles(words: list[str]) -> list[str]:
    """`--pose -20,5,0` as `--pose=-20,5,0`: argparse would take the angles for an option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] in ("--pose", "--expression") and word.startswith("-"):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _version() -> str:
    try:
        return metadata.version("facewire")
    except metadata.PackageNotFoundError:
        return "(not installed)"

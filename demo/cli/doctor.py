"""facewire doctor"""

from __future__ import annotations

import argparse

HELP = "say what is installed, which paths are fast, what is missing and how to get it"
EXAMPLE = "facewire doctor"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mttf", action="store_true", help="measure the fallback's networks on this machine"
    )


def run(arguments: argparse.Namespace) -> None:
    if arguments.mttf:
        _networks()
        return
    from demo.doctor import main

    main()


def _networks() -> None:
    from avatar.errors import MissingError
    from codec.mttf.measure import measure
    from codec.mttf.recovery_file import FILE
    from codec.mttf.settings import SETTINGS
    from codec.mttf.weights import find_file, find_weights

    print("size  side  parameters  what        kMAC/pixel  ms (wall)  ms (processor)")
    for name, settings in sorted(SETTINGS.items(), reverse=True):
        for side in sorted(settings.sides[1:]):
            found = measure(settings, side)
            for what in ("vectors", "key", "generate"):
                cost = getattr(found, what)
                print(
                    f"{name:5} {side:4}  {found.parameters / 1e6:8.2f} M  {what:10}  "
                    f"{cost.kmac:10.1f}  {cost.milliseconds:9.1f}  {cost.processor:14.1f}"
                )
        try:
            print(f"{name}: weights at {find_weights(name)}")
        except MissingError as error:
            print(f"{name}: {error.message} {error.cure}")
    try:
        print(f"Portrait Recovery: weights at {find_file(FILE)}")
    except MissingError as error:
        print(f"Portrait Recovery: {error.message} {error.cure}")

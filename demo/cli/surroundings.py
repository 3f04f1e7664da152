"""The options that say what is sent of where a call is made."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def add_surroundings(parser: argparse.ArgumentParser, backgrounds: Sequence[str]) -> None:
    """backgrounds: those of `service.backdrop.MODES` that can be had."""
    parser.add_argument(
        "--background",
        choices=backgrounds,
        default="auto",
        help="send once how the room differs from the enrolled one (default: where it is worth it)",
    )
    parser.add_argument(
        "--light",
        choices=("auto", "neutral"),
        default="auto",
        help="neutral: the person in the light of the enrolment (default: in the call's own)",
    )

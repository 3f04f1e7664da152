"""Asks for consent on a terminal; takes it from the command line otherwise."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from avatar.avatar import Consent
from avatar.errors import ConsentError
from service import consent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--consent",
        metavar="WHO",
        help='who agreed to be enrolled: "self" if it is your own face, or a name; '
        "asked for on a terminal, required without one",
    )
    parser.add_argument(
        "--purpose",
        default=consent.PURPOSE,
        metavar="TEXT",
        help='for what (default: "%(default)s")',
    )


def obtain(arguments: argparse.Namespace) -> Consent:
    """The record of consent.  Raises ConsentError where nobody gave it."""
    now = datetime.now(UTC)
    if arguments.consent is not None:
        return consent.record(arguments.consent, arguments.purpose, "flag", now)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConsentError(
            "nobody agreed to this enrolment, and there is no terminal to ask on",
            "Add --consent self if the face is yours, or --consent NAME of who agreed.",
        )
    print(consent.WORDING, file=sys.stderr)
    subject = _ask("Whose face is it? [self] ") or "self"
    purpose = _ask(f"What is the avatar for? [{arguments.purpose}] ") or arguments.purpose
    if _ask(
        f"Does {'that person' if subject != 'self' else 'this person'} agree? [y/N] "
    ).lower() not in ("y", "yes"):
        raise ConsentError("no consent, no avatar", "Ask the person, then run this again.")
    return consent.record(subject, purpose, "prompt", now)


def _ask(question: str) -> str:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()

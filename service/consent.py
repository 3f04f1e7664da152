"""Whose face, and for what: asked before an avatar is made, kept in its archive."""

from __future__ import annotations

from datetime import UTC, datetime

from avatar.avatar import Consent
from avatar.errors import ConsentError

VERSION = "1"  # of the wording; a change of the wording is a new version

WORDING = (
    "Facewire builds a likeness of the person in these videos.  Whoever holds the avatar can\n"
    "show that face saying and doing things it never did.  Enrol only your own face, or that\n"
    "of somebody who knows this and agrees."
)

PURPOSE = "to be shown as me in calls"


def record(subject: str, purpose: str, method: str, now: datetime) -> Consent:
    """The record for the archive.  method: "prompt", "flag" or "page".  now: with a time zone.

    Raises ConsentError without a subject or a purpose.
    """
    subject, purpose = " ".join(subject.split()), " ".join(purpose.split())
    if not subject or not purpose:
        raise ConsentError(
            "enrolment needs to know whose face it is, and for what",
            "Give --consent self if it is yours, or the name of the person who agreed.",
        )
    moment = now.astimezone(UTC).replace(microsecond=0)
    return Consent(subject, purpose, moment.isoformat(), method, VERSION)

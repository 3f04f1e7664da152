"""What a session tells its owner, beside pictures and bytes."""

from __future__ import annotations

from dataclasses import dataclass

AVATAR = "avatar"
FALLBACK = "fallback"


@dataclass(frozen=True)
class Offered:
    """A sender offered a call.  Answer it: `FaceReceiver.accept` or `refuse`."""

    digest: bytes  # of the avatar, 16 bytes
    fallback: frozenset[int]


@dataclass(frozen=True)
class Answered:
    """The receiver answered.  version 0: it takes none of those offered."""

    version: int
    avatar: bool


@dataclass(frozen=True)
class HandOver:
    """The face comes another way from now on.  to: "avatar" or "fallback"; time: of the first
    frame that does, microseconds on the sender's clock; at a sender, when it was decided."""

    to: str
    time: int


@dataclass(frozen=True)
class FallbackData:
    """A fallback's message, for its own decoder."""

    kind: int
    body: bytes


Event = Offered | Answered | HandOver | FallbackData

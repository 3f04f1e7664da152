"""Who the other end of a call is, by what it signed."""

from __future__ import annotations

from collections.abc import Collection

from avatar.avatar import Avatar
from codec.session.greeting import Greeting


class Acquaintance:
    """room: of the call.  known: public signing keys of those who are called; without any, whoever
    comes is taken for them.  What was judged is kept: a signature takes a while to verify, and is
    asked about at every picture."""

    def __init__(self, room: str, known: Collection[str]) -> None:
        self._room = room
        self._known = frozenset(known)
        self._genuine: tuple[tuple[Greeting, str], bool] | None = None  # what was judged, and how
        self._met: tuple[Greeting, bool] | None = None  # who, and whether they are a stranger

    def identity(self, peer: Greeting | None, avatar: Avatar | None) -> str:
        """Whether what comes is of who was enrolled: "unknown" while nothing is offered or its
        avatar is not at hand; "verified"; "mismatch" where its owner's signature is missing or
        another's; "unverified" for an avatar that names no signer."""
        if avatar is None or peer is None:
            return "unknown"
        if not avatar.signer:
            return "unverified"
        said = (peer, avatar.digest)
        if self._genuine is None or self._genuine[0] != said:
            digest = bytes.fromhex(avatar.digest)
            self._genuine = said, peer.of(digest, avatar.signer, self._room)
        return "verified" if self._genuine[1] else "mismatch"

    def stranger(self, peer: Greeting | None) -> bool:
        """Whether it is none of those who are called, where that is known."""
        if peer is None or not self._known:
            return False
        if self._met is None or self._met[0] != peer:
            signs = any(peer.of(peer.digest, key, self._room) for key in self._known)
            self._met = peer, not signs
        return self._met[1]

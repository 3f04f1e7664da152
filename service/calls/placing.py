"""Where the other end's avatar is drawn: as it was enrolled, or in the room and the light that its
owner is said to be in."""

from __future__ import annotations

from avatar.avatar import Avatar
from codec.session.surroundings import SurroundingsMessage

Unplaced = tuple[Avatar, SurroundingsMessage]  # an avatar, and where it is to be drawn
_AS_ENROLLED = SurroundingsMessage()


class Placing:
    """Of one avatar at a time.  To make it anew takes a while: until then it stays where it was,
    for what changes in between is not to leap."""

    def __init__(self) -> None:
        self._placed: tuple[Unplaced, Avatar] | None = None

    def due(self, avatar: Avatar, where: SurroundingsMessage) -> Unplaced | None:
        """What is to be made, and given to `take`; None while it is drawn where it is to be."""
        if self._placed is None:
            return None if where == _AS_ENROLLED else (avatar, where)
        known, place = self._placed[0]
        return None if known is avatar and place == where else (avatar, where)

    def take(self, what: Unplaced, drawn: Avatar) -> None:
        self._placed = what, drawn

    def of(self, avatar: Avatar) -> Avatar:
        """As it is drawn now."""
        if self._placed is None or self._placed[1].digest != avatar.digest:
            return avatar
        return self._placed[1]

    def forget(self) -> None:
        self._placed = None

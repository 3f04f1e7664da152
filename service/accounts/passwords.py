"""Passwords, as argon2id hashes."""

from __future__ import annotations

from dataclasses import dataclass
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from avatar.errors import InputError

LEAST = 10  # characters
MOST = 256

# Each hash takes PasswordSettings.memory: so many at once, and the others wait their turn.
_turn = BoundedSemaphore(4)


@dataclass(frozen=True)
class PasswordSettings:
    """The cost of one guess.  memory: KiB.  The defaults are RFC 9106's second choice, halved in
    lanes for a machine of two cores."""

    passes: int = 3
    memory: int = 65_536
    lanes: int = 2


class Passwords:
    def __init__(self, settings: PasswordSettings = PasswordSettings()) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.passes, memory_cost=settings.memory, parallelism=settings.lanes
        )
        self._nobody = ""

    def hashed(self, password: str) -> str:
        """Raises InputError for one that is too short, too long, or no text."""
        if not LEAST <= len(password) <= MOST:
            raise InputError(
                f"a password has {LEAST} to {MOST} characters",
                "Three or four unrelated words make a good one.",
            )
        try:
            password.encode()
        except UnicodeEncodeError:
            raise InputError("a password is text in Unicode", "Type it again.") from None
        with _turn:
            return self._hasher.hash(password)

    def fits(self, password: str, stored: str | None) -> bool:
        """Whether it is the password.  stored: None for nobody's, which takes as long."""
        if len(password) > MOST:
            return False
        if stored is None and not self._nobody:
            self._nobody = self.hashed("the password of nobody")
        try:
            with _turn:
                self._hasher.verify(self._nobody if stored is None else stored, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False
        return stored is not None

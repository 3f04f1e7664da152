"""Where a call is made, as far as it differs from where its avatar was enrolled: sent until it is
known to be held (docs/bitstream.md, section 10.10)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import ClassVar

from codec.bits import ByteReader, varint
from codec.packet import MAX_NODES, BackgroundPacket, LightPacket, PosturePacket

MAX_SIDE = 256  # pixels of a room's picture: a receiver unpacks it while it draws
_LIGHT = 6  # bytes
_POSTURE = 2 + 2 * MAX_NODES**2  # bytes at most
_HAS_LIGHT, _HAS_BACKGROUND, _HAS_POSTURE = 1, 2, 4


@dataclass(frozen=True)
class SurroundingsMessage:
    """What holds from now on.  None: as enrolled."""

    light: LightPacket | None = None
    posture: PosturePacket | None = None
    background: BackgroundPacket | None = None
    kind: ClassVar[int] = 46

    @classmethod
    def parse(cls, body: bytes) -> SurroundingsMessage:
        reader = ByteReader(body, "surroundings")
        flags = reader.integer(1, "flags")
        if flags > (_HAS_LIGHT | _HAS_BACKGROUND | _HAS_POSTURE):
            raise reader.fail(f"flags {flags} are unknown", "flags", 0)
        light = posture = background = None
        if flags & _HAS_LIGHT:
            light = LightPacket.parse(reader.take(_LIGHT, "light"), reader.at - _LIGHT)
        if flags & _HAS_POSTURE:
            body = reader.blob("posture", _POSTURE)
            posture = PosturePacket.parse(body, reader.at - len(body))
        if flags & _HAS_BACKGROUND:
            at = reader.at
            background = BackgroundPacket.parse(reader.take(reader.left, "background"), at)
            if background.side > MAX_SIDE:
                raise reader.fail(f"a side of {background.side} pixels", "side", at)
        reader.end("background")
        return cls(light, posture, background)

    def __bytes__(self) -> bytes:
        light = b"" if self.light is None else bytes(self.light)
        posture = b"" if self.posture is None else bytes(self.posture)
        background = b"" if self.background is None else bytes(self.background)
        flags = bool(light) * _HAS_LIGHT | bool(background) * _HAS_BACKGROUND
        flags |= bool(posture) * _HAS_POSTURE
        told = varint(len(posture)) + posture if posture else b""
        return bytes([flags]) + light + told + background


@dataclass(frozen=True)
class HeldMessage:
    """Which surroundings a receiver holds.  check: CRC-32 of their message's body."""

    check: int
    kind: ClassVar[int] = 47

    @classmethod
    def of(cls, surroundings: SurroundingsMessage) -> HeldMessage:
        return cls(zlib.crc32(bytes(surroundings)))

    @classmethod
    def parse(cls, body: bytes) -> HeldMessage:
        reader = ByteReader(body, "surroundings held")
        check = reader.integer(4, "check")
        reader.end("check")
        return cls(check)

    def __bytes__(self) -> bytes:
        return self.check.to_bytes(4, "little")


class Telling:
    """A sender's surroundings, told again and again, ever more rarely, until they are held.

    first, most: microseconds between two times."""

    def __init__(self, what: SurroundingsMessage, first: int, most: int) -> None:
        self._what, self._held = what, HeldMessage.of(what)
        self._first, self._most = first, most
        self.anew()

    def anew(self) -> None:
        """The receiver may hold them no more."""
        self._done, self._wait = False, self._first
        self._told: int | None = None

    def due(self, now: int) -> SurroundingsMessage | None:
        """What is to be sent now."""
        if self._done or (self._told is not None and now - self._told < self._wait):
            return None
        self._wait = self._first if self._told is None else min(2 * self._wait, self._most)
        self._told = now
        return self._what

    def heard(self, held: HeldMessage) -> None:
        """A receiver that holds others is told again: the network may have turned two round."""
        if held == self._held:
            self._done = True
        elif self._done:
            self.anew()

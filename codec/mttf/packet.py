"""The fallback's own chunks (docs/mttf.md, section 3), `parse` and `__bytes__` exact inverses.

The motion vectors travel in the container's face packets; these say which picture they move.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from codec.bits import ByteReader, varint

MTTF_KEY = 16
MTTF_REFERENCE = 17
SLOTS = 4  # key frames that a receiver holds
_FRAMES = 1 << 32
_BODY = 1 << 16


@dataclass(frozen=True)
class KeyFrame:
    """A picture that frames from `frame` on (counted from the stream's first) are made from.

    slot: 0 .. 3, where it is held, in the place of what was there.  codec: `classic.NUMBERS`.
    side: its width and height.  data: one intra frame, an elementary stream.
    """

    frame: int
    slot: int
    codec: int
    side: int
    data: bytes
    kind: ClassVar[int] = MTTF_KEY

    @classmethod
    def parse(cls, body: bytes, base: int = 0) -> KeyFrame:
        reader = ByteReader(body, "key frame", base)
        frame = reader.varint("frame", _FRAMES)
        slot = _slot(reader)
        codec = reader.integer(1, "codec")
        side = reader.varint("side", 1 << 14)
        if side == 0:
            raise reader.fail("a key frame without a size", "side")
        return cls(frame, slot, codec, side, reader.take(reader.left, "data"))

    def __bytes__(self) -> bytes:
        head = varint(self.frame) + bytes([self.slot, self.codec]) + varint(self.side)
        return head + self.data


@dataclass(frozen=True)
class Reference:
    """Frames from `frame` on are made from the key frame in `slot`, which came before."""

    frame: int
    slot: int
    kind: ClassVar[int] = MTTF_REFERENCE

    @classmethod
    def parse(cls, body: bytes, base: int = 0) -> Reference:
        reader = ByteReader(body, "reference", base)
        out = cls(reader.varint("frame", _FRAMES), _slot(reader))
        reader.end("reference")
        return out

    def __bytes__(self) -> bytes:
        return varint(self.frame) + bytes([self.slot])


def parse(kind: int, body: bytes, base: int = 0) -> KeyFrame | Reference | None:
    """A chunk of the fallback's; None for a kind that this version does not know and skips."""
    if kind == MTTF_KEY:
        return KeyFrame.parse(body, base)
    return Reference.parse(body, base) if kind == MTTF_REFERENCE else None


def _slot(reader: ByteReader) -> int:
    slot = reader.integer(1, "slot")
    if slot >= SLOTS:
        raise reader.fail(f"slot {slot} does not exist", "slot", reader.at - 1)
    return slot

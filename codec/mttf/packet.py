"""The fallback's own chunks (docs/mttf.md, section 3), `parse` and `__bytes__` exact inverses.

The motion vectors travel in the container's face packets; these say which picture they move.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from codec.bits import ByteReader, unzigzag, varint, zigzag

MTTF_KEY = 16
MTTF_REFERENCE = 17
MTTF_SECOND = 20  # 18 and 19 are a call's: call_keys.py
MTTF_LAYER = 21
SLOTS = 4  # key frames that a receiver holds
FARTHEST = 1 << 15  # from 0 that a number of a key frame's face may be
RESTORER = 4  # bytes by which a key frame names the weights that restore it
_FRAMES = 1 << 32
_FACED = 8  # added to a key frame's codec where it has a face


@dataclass(frozen=True)
class KeyFrame:
    """A picture that frames from `frame` on (counted from the stream's first) are made from.

    slot: 0 .. 3, where it is held, in the place of what was there.  codec: `classic.NUMBERS`.
    side: its width and height.  data: one intra frame, an elementary stream.  recovery: 0 .. 15,
    how coarse it is for what restores it before use (`recovery.py`); 0 is not at all.  restorer:
    the first bytes of the digest of that one's weights.  face: where its face's mesh is, in steps
    of the weights' numbers; empty where it shows none, or nothing asks for it.
    """

    frame: int
    slot: int
    codec: int
    side: int
    data: bytes
    recovery: int = 0
    restorer: bytes = bytes(RESTORER)
    face: tuple[int, ...] = ()
    kind: ClassVar[int] = MTTF_KEY

    @classmethod
    def parse(cls, body: bytes, base: int = 0) -> KeyFrame:
        reader = ByteReader(body, "key frame", base)
        frame = reader.varint("frame", _FRAMES)
        slot = _slot(reader)
        recovery, codec = divmod(reader.integer(1, "codec"), 16)
        faced, codec = divmod(codec, _FACED)
        side = reader.varint("side", 1 << 14)
        if side == 0:
            raise reader.fail("a key frame without a size", "side")
        restorer = reader.take(RESTORER, "restorer") if recovery else bytes(RESTORER)
        face = _face(reader) if faced else ()
        data = reader.take(reader.left, "data")
        return cls(frame, slot, codec, side, data, recovery, restorer, face)

    def __bytes__(self) -> bytes:
        codec = 16 * self.recovery + (_FACED if self.face else 0) + self.codec
        head = varint(self.frame) + bytes([self.slot, codec]) + varint(self.side)
        head += self.restorer if self.recovery else b""
        if self.face:
            head += bytes([len(self.face)]) + b"".join(varint(zigzag(n)) for n in self.face)
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


@dataclass(frozen=True)
class SecondReference:
    """Frames from `frame` on, up to where the next key frame or reference takes over, are made
    from both, ever more from the later one (`ramp.Ramp`)."""

    frame: int
    kind: ClassVar[int] = MTTF_SECOND

    @classmethod
    def parse(cls, body: bytes, base: int = 0) -> SecondReference:
        reader = ByteReader(body, "second reference", base)
        out = cls(reader.varint("frame", _FRAMES))
        reader.end("second reference")
        return out

    def __bytes__(self) -> bytes:
        return varint(self.frame)


@dataclass(frozen=True)
class Layer:
    """Small pictures of `count` frames from `frame` on: of the first, of every `step`th after it,
    and of the last.  codec: `classic.NUMBERS`.  side: their width and height.  noise: the root of
    their mean squared error as the sender found it, in quarters of a level, those between them
    included.  data: one elementary stream, its first picture intra."""

    frame: int
    count: int
    step: int
    codec: int
    side: int
    noise: int
    data: bytes
    kind: ClassVar[int] = MTTF_LAYER

    @property
    def pictures(self) -> int:
        return 1 + -(-(self.count - 1) // self.step)

    @classmethod
    def parse(cls, body: bytes, base: int = 0) -> Layer:
        reader = ByteReader(body, "layer", base)
        frame = reader.varint("frame", _FRAMES)
        count, step, codec = (reader.integer(1, n) for n in ("count", "step", "codec"))
        side = reader.varint("side", 1 << 14)
        noise = reader.integer(1, "noise")
        if not (count and step and side):
            raise reader.fail("a layer of nothing", "count")
        return cls(frame, count, step, codec, side, noise, reader.take(reader.left, "data"))

    def __bytes__(self) -> bytes:
        head = varint(self.frame) + bytes([self.count, self.step, self.codec])
        return head + varint(self.side) + bytes([self.noise]) + self.data


Event = KeyFrame | Reference | SecondReference
Sent = Event | Layer

_CLASSES: tuple[type[Sent], ...] = (KeyFrame, Reference, SecondReference, Layer)


def parse(kind: int, body: bytes, base: int = 0) -> Sent | None:
    """A chunk of the fallback's; None for a kind that this version does not know and skips."""
    for one in _CLASSES:
        if one.kind == kind:
            return one.parse(body, base)
    return None


def in_order(chunks: Iterable[Sent]) -> list[tuple[int, Sent]]:
    """As they stand in a stream, each with the frame that it has to stand before: that of its
    own, or where two key frames are mixed the first that is."""
    out: list[tuple[int, Sent]] = []
    mixed = None
    for chunk in chunks:
        needed = chunk.frame
        if isinstance(chunk, SecondReference):
            mixed = chunk.frame
        elif not isinstance(chunk, Layer) and mixed is not None:
            needed, mixed = mixed, None
        out.append((needed, chunk))
    return sorted(out, key=lambda entry: entry[0])


def _face(reader: ByteReader) -> tuple[int, ...]:
    count = reader.integer(1, "face")
    if not count:
        raise reader.fail("a face without numbers", "face", reader.at - 1)
    return tuple(unzigzag(reader.varint("face", 2 * FARTHEST)) for _ in range(count))


def _slot(reader: ByteReader) -> int:
    slot = reader.integer(1, "slot")
    if slot >= SLOTS:
        raise reader.fail(f"slot {slot} does not exist", "slot", reader.at - 1)
    return slot

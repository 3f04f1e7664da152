"""The chunks of a stream, each one class whose `parse` and `__bytes__` are exact inverses.

Sections are those of docs/bitstream.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from codec.bits import ByteReader, unzigzag, varint, zigzag

# Section 3.2: kinds of chunks.  16 to 31 are kept for the fallback's packets, 32 to 47 for a
# call's; from 128 on, a reader that does not know a kind skips it.
FACE_KEY = 1
FACE_DELTA = 2
AUDIO = 3
INDEX = 4
BACKGROUND = 128
LIGHT = 129
POSTURE = 130
FALLBACK_KINDS = range(16, 32)
SKIPPABLE = 128

MAX_FRAMES = 255  # section 3.4: frames in a packet, a byte
MAX_BODY = 1 << 16  # section 3.2: bytes of a chunk's body
FOOTER = 0xFE  # section 3.6: the last byte of a whole stream
MAX_SIDE = 2048  # section 3.8: pixels
MAX_NODES = 16  # section 3.10
MAX_TIME = 1 << 53  # section 2: microseconds, 285 years either way


def read_time(reader: ByteReader, field: str) -> int:
    """A signed time in microseconds (section 2)."""
    return unzigzag(reader.varint(field, 2 * MAX_TIME))


@dataclass(frozen=True)
class FacePacket:
    """One to 255 frames of face states (section 3.4).

    time: of the first frame, microseconds; it is sent in a key packet and 0 in others.
    payload: the range coder's bytes (section 6.4).
    """

    key: bool
    frames: int
    payload: bytes
    time: int = 0

    @property
    def kind(self) -> int:
        return FACE_KEY if self.key else FACE_DELTA

    @classmethod
    def parse(cls, kind: int, body: bytes, base: int = 0) -> FacePacket:
        reader = ByteReader(body, "face packet", base)
        frames = reader.integer(1, "frames")
        if frames == 0:
            raise reader.fail("a packet without frames", "frames", 0)
        time = read_time(reader, "time") if kind == FACE_KEY else 0
        return cls(kind == FACE_KEY, frames, reader.take(reader.left, "payload"), time)

    def __bytes__(self) -> bytes:
        time = varint(zigzag(self.time)) if self.key else b""
        return bytes([self.frames]) + time + self.payload


@dataclass(frozen=True)
class AudioPacket:
    """Opus packets that follow one another (section 3.5).

    times: of each, microseconds.  data: as many opaque packets.
    """

    times: tuple[int, ...]
    data: tuple[bytes, ...]
    kind: ClassVar[int] = AUDIO

    @classmethod
    def parse(cls, body: bytes, base: int = 0) -> AudioPacket:
        reader = ByteReader(body, "audio packet", base)
        times, data, last = [], [], 0
        while reader.left:
            last += read_time(reader, "audio time")
            if abs(last) > MAX_TIME:
                raise reader.fail("audio time is out of bounds", "audio time")
            times.append(last)
            data.append(reader.blob("audio data", MAX_BODY))
        if not times:
            raise reader.fail("an audio packet without audio", "audio time", 0)
        return cls(tuple(times), tuple(data))

    def __bytes__(self) -> bytes:
        out, last = bytearray(), 0
        for time, data in zip(self.times, self.data, strict=True):
            out += varint(zigzag(time - last)) + varint(len(data)) + data
            last = time
        return bytes(out)


@dataclass(frozen=True)
class BackgroundPacket:
    """How what is behind the person differs from what the avatar learned (section 3.8).

    codec: of intra frames, as docs/mttf.md, section 3, numbers them.  side: of the picture, pixels.
    data: one intra frame, opaque here.
    """

    codec: int
    side: int
    data: bytes
    kind: ClassVar[int] = BACKGROUND

    @classmethod
    def parse(cls, body: bytes, base: int = 0) -> BackgroundPacket:
        reader = ByteReader(body, "background", base)
        codec = reader.integer(1, "codec")
        side = reader.varint("side", MAX_SIDE)
        if side == 0:
            raise reader.fail("a background without a size", "side")
        return cls(codec, side, reader.take(reader.left, "data"))

    def __bytes__(self) -> bytes:
        return bytes([self.codec]) + varint(self.side) + self.data


@dataclass(frozen=True)
class LightPacket:
    """The light that a call was filmed in, beside the enrolment's (section 3.9): a colour c of the
    person, in levels, is shown as gain * c + offset.

    gains: of red, green, blue, in 1/64 of an octave.  offsets: in levels.  -128 to 127.
    """

    gains: tuple[int, int, int]
    offsets: tuple[int, int, int]
    kind: ClassVar[int] = LIGHT

    @classmethod
    def parse(cls, body: bytes, base: int = 0) -> LightPacket:
        reader = ByteReader(body, "light", base)
        numbers = [int.from_bytes(reader.take(1, "light"), signed=True) for _ in range(6)]
        if reader.left:
            raise reader.fail("a light of more than six numbers", "light")
        red, green, blue, *offsets = numbers
        return cls((red, green, blue), (offsets[0], offsets[1], offsets[2]))

    def __bytes__(self) -> bytes:
        return b"".join(n.to_bytes(1, signed=True) for n in (*self.gains, *self.offsets))


@dataclass(frozen=True)
class PosturePacket:
    """How the shoulders are held in a call, beside the enrolment (section 3.10).

    side: of a grid over the window, nodes.  first: row of nodes that is not at rest.  offsets: of
    it and those that follow, right and down in turn, in 1/2048 of the window's side, -128 to 127.
    """

    side: int
    first: int
    offsets: tuple[int, ...]
    kind: ClassVar[int] = POSTURE

    @classmethod
    def parse(cls, body: bytes, base: int = 0) -> PosturePacket:
        reader = ByteReader(body, "posture", base)
        side, first = reader.integer(1, "side"), reader.integer(1, "first row")
        if not 2 <= side <= MAX_NODES:
            raise reader.fail(f"a grid of {side} nodes", "side", 0)
        numbers = np.frombuffer(reader.take(reader.left, "offsets"), np.int8)
        if len(numbers) % (2 * side) or len(numbers) // (2 * side) > side - first:
            raise reader.fail(f"{len(numbers)} offsets from row {first} on", "offsets", 2)
        return cls(side, first, tuple(numbers.tolist()))

    def __bytes__(self) -> bytes:
        return bytes([self.side, self.first]) + np.array(self.offsets, np.int8).tobytes()


@dataclass(frozen=True)
class KeyPoint:
    """Where decoding can begin: frame number, its time, offset of the key packet's chunk."""

    frame: int
    time: int
    offset: int


@dataclass(frozen=True)
class Index:
    """The last chunk of a whole stream (section 3.6).

    frames: in all.  duration: microseconds from the first frame to the last.
    """

    frames: int
    duration: int
    keys: tuple[KeyPoint, ...]
    kind: ClassVar[int] = INDEX

    @classmethod
    def parse(cls, body: bytes, base: int = 0) -> Index:
        reader = ByteReader(body, "index", base)
        frames = reader.varint("frames")
        duration = reader.varint("duration", MAX_TIME)
        keys, last = [], KeyPoint(0, 0, 0)
        while reader.left:
            last = KeyPoint(
                last.frame + reader.varint("key frame", frames),
                last.time + read_time(reader, "key time"),
                last.offset + reader.varint("key offset"),
            )
            keys.append(last)
        return cls(frames, duration, tuple(keys))

    def __bytes__(self) -> bytes:
        out = bytearray(varint(self.frames) + varint(self.duration))
        last = KeyPoint(0, 0, 0)
        for key in self.keys:
            out += varint(key.frame - last.frame) + varint(zigzag(key.time - last.time))
            out += varint(key.offset - last.offset)
            last = key
        return bytes(out)

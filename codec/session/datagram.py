"""What a call's datagrams hold (docs/bitstream.md, sections 10.1 and 10.7)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import ClassVar

from avatar.errors import InputError, StreamError
from codec.bits import ByteReader, varint
from codec.header import DIGEST, PROFILE_CALL, StreamHeader

MAX_DATAGRAM = 1 << 16
FALLBACK = range(16, 32)  # section 10.1: kinds of the fallback's messages
STOPPED = 45  # section 10.1
_MORE = 128
_CHECK = 2  # bytes
_LEVEL_AT = 4  # section 10.7: bit of an answer's "holds"


@dataclass(frozen=True)
class Message:
    """kind: below 128, section 10.1.  body: its bytes."""

    kind: int
    body: bytes


@dataclass(frozen=True)
class Datagram:
    """One or more messages in one packet of the network."""

    messages: tuple[Message, ...]

    @classmethod
    def parse(cls, data: bytes, check: bool) -> Datagram:
        """check: whether a checksum ends it, as agreed."""
        if len(data) > MAX_DATAGRAM:
            raise StreamError("datagram: too long", field="datagram", offset=MAX_DATAGRAM)
        if check:
            whole = ByteReader(data, "datagram")
            data = whole.take(max(0, whole.left - _CHECK), "messages")
            if whole.integer(_CHECK, "check") != zlib.crc32(data) & 0xFFFF:
                raise whole.fail("the checksum does not fit", "check", len(data))
        reader = ByteReader(data, "datagram")
        messages = []
        while True:
            kind = reader.integer(1, "kind")
            if kind < _MORE:
                messages.append(Message(kind, reader.take(reader.left, "body")))
                return cls(tuple(messages))
            messages.append(Message(kind - _MORE, reader.blob("body", MAX_DATAGRAM)))

    def to_bytes(self, check: bool) -> bytes:
        """The inverse of `parse`."""
        out = bytearray()
        for message in self.messages[:-1]:
            out += bytes([message.kind | _MORE]) + varint(len(message.body)) + message.body
        out += bytes([self.messages[-1].kind]) + self.messages[-1].body
        if check:
            out += (zlib.crc32(out) & 0xFFFF).to_bytes(_CHECK, "little")
        if len(out) > MAX_DATAGRAM:
            raise InputError(f"datagram: {len(out)} bytes; {MAX_DATAGRAM} is the most")
        return bytes(out)

    def __post_init__(self) -> None:
        if not self.messages or any(not 0 <= m.kind < _MORE for m in self.messages):
            raise InputError("datagram: a message's kind lies between 0 and 127; one is needed")


def _fallback(reader: ByteReader) -> frozenset[int]:
    mask = reader.integer(4, "fallback")
    if mask >> len(FALLBACK):
        raise reader.fail(f"fallback kinds {mask:#x} do not exist", "fallback", reader.at - 4)
    return frozenset(kind for kind in FALLBACK if mask >> (kind - FALLBACK[0]) & 1)


def _fallback_bytes(kinds: frozenset[int]) -> bytes:
    if not kinds <= set(FALLBACK):
        raise InputError(f"fallback kinds {sorted(kinds)} do not lie in 16 to 31")
    return sum(1 << (kind - FALLBACK[0]) for kind in kinds).to_bytes(4, "little")


@dataclass(frozen=True)
class Offer:
    """What a sender can send.  versions: oldest, newest; fallback: kinds of messages."""

    versions: tuple[int, int]
    fallback: frozenset[int]
    header: StreamHeader
    kind: ClassVar[int] = 37

    @classmethod
    def parse(cls, body: bytes) -> Offer:
        reader = ByteReader(body, "offer")
        versions = reader.integer(1, "oldest version"), reader.integer(1, "newest version")
        if not 1 <= versions[0] <= versions[1]:
            raise reader.fail(f"versions {versions}", "newest version", 1)
        fallback = _fallback(reader)
        data = reader.take(reader.left, "header")
        header, size = StreamHeader.parse(data)
        if size != len(data) or header.profile != PROFILE_CALL:
            raise reader.fail("the header is not that of a call alone", "header", 6)
        if bytes(header) != data:
            # A later extension's bytes would be lost, and with them the header's checksum.
            raise reader.fail("the header has an unknown extension", "header", 6)
        return cls((versions[0], versions[1]), fallback, header)

    def __bytes__(self) -> bytes:
        return bytes(self.versions) + _fallback_bytes(self.fallback) + bytes(self.header)


@dataclass(frozen=True)
class Answer:
    """What a receiver takes.  version: 0 for none.  avatar: holds the offered one.  digest: of
    the offer, 16 bytes.  level: the finest of the offered qualities that it wants, 0 to 15."""

    version: int
    avatar: bool
    fallback: frozenset[int]
    digest: bytes
    level: int = 0
    kind: ClassVar[int] = 38

    @classmethod
    def parse(cls, body: bytes) -> Answer:
        reader = ByteReader(body, "answer")
        version, holds = reader.integer(1, "version"), reader.integer(1, "holds")
        if holds & 14:
            raise reader.fail(f"holds {holds} is unknown", "holds", 1)
        fallback = _fallback(reader)
        digest = reader.take(DIGEST, "digest")
        reader.end("digest")
        return cls(version, bool(holds & 1), fallback, digest, holds >> _LEVEL_AT)

    def __bytes__(self) -> bytes:
        holds = int(self.avatar) | self.level << _LEVEL_AT
        return bytes([self.version, holds]) + _fallback_bytes(self.fallback) + self.digest


@dataclass(frozen=True)
class Feedback:
    """What a receiver holds and lacks.

    low: low byte of the greatest number held, None when nothing is.  held: bit i for that less
    1 + i.  loss: share lost since the last report, in 1/255; None where none is due.
    """

    low: int | None
    held: int = 0
    key: bool = False
    offer: bool = False
    loss: int | None = None
    kind: ClassVar[int] = 39

    @classmethod
    def parse(cls, body: bytes) -> Feedback:
        reader = ByteReader(body, "feedback")
        flags = reader.integer(1, "flags")
        if flags > 15:
            raise reader.fail(f"flags {flags} are unknown", "flags", 0)
        low, held = reader.integer(1, "number"), reader.integer(1, "held")
        loss = reader.integer(1, "loss") if flags & 2 else None
        reader.end("loss")
        if flags & 4 and (low or held):
            raise reader.fail("nothing is held, and yet something", "number", 1)
        return cls(None if flags & 4 else low, held, bool(flags & 1), bool(flags & 8), loss)

    def __bytes__(self) -> bytes:
        flags = self.key | (self.loss is not None) << 1 | (self.low is None) << 2 | self.offer << 3
        tail = b"" if self.loss is None else bytes([self.loss])
        return bytes([flags, self.low or 0, self.held]) + tail

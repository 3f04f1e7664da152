"""Walks over a stream's chunks and checks them (docs/bitstream.md, sections 3.2 and 3.3)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from avatar.errors import StreamError
from codec.bits import ByteReader
from codec.call_packet import CALL_KINDS
from codec.header import CODEC_MTTF, PROFILE_CALL, StreamHeader
from codec.packet import (
    AUDIO,
    BACKGROUND,
    FACE_DELTA,
    FACE_KEY,
    FALLBACK_KINDS,
    FOOTER,
    INDEX,
    LIGHT,
    MAX_BODY,
    POSTURE,
    SKIPPABLE,
)

_BESIDE = (AUDIO, BACKGROUND, LIGHT, POSTURE, INDEX)  # beside the face packets: each stands alone


@dataclass(frozen=True)
class Chunk:
    """One chunk whose checksum holds.  offset, size: in the stream, framing included."""

    kind: int
    body: bytes
    offset: int
    size: int


class ChunkReader:
    """Walks over a stream's chunks; in recovery it goes on behind the damage."""

    def __init__(self, data: bytes, header: StreamHeader, start: int, recover: bool) -> None:
        self._data = data
        self._seed = header.crc
        call = header.profile == PROFILE_CALL
        self._faces = CALL_KINDS if call else frozenset((FACE_KEY, FACE_DELTA))
        self._fallback = FALLBACK_KINDS if header.codec == CODEC_MTTF else range(0)
        self._start = start
        self._recover = recover
        self.damage: list[str] = []
        self.index_offset = len(data)

    def report(self, message: str, field: str, offset: int) -> None:
        """Raises, or notes the damage in recovery."""
        error = StreamError(
            f"stream: {message}",
            "Copy it again, or read what is intact with --recover.",
            field=field,
            offset=offset,
        )
        if not self._recover:
            raise error
        self.damage.append(error.message if not field else f"{message} ({field} at byte {offset})")

    def chunks(self) -> Iterator[Chunk]:
        """Every intact chunk that can be used, to the index."""
        at, face_crc = self._start, -1
        while at < len(self._data):
            seeds = [self._seed] if self._data[at] != FACE_DELTA else [face_crc]
            try:
                chunk, crc = self._chunk(at, seeds)
            except StreamError as error:
                if not self._recover:
                    raise
                self.damage.append(error.message)
                at, face_crc = self._resume(at + 1), -1
                continue
            if chunk.kind in self._faces:
                face_crc = crc
            elif chunk.kind not in _BESIDE and chunk.kind not in self._fallback:
                if chunk.kind < SKIPPABLE:
                    self.report(f"a chunk of the unknown kind {chunk.kind}", "kind", at)
                at += chunk.size
                continue
            if chunk.kind == INDEX:
                self.index_offset = at
            yield chunk
            at += chunk.size
            if chunk.kind == INDEX:
                self._footer(at, chunk)
                return
        self.report("it ends without an index: it was cut, or is still being written", "index", at)

    def _chunk(self, at: int, seeds: list[int]) -> tuple[Chunk, int]:
        # A chunk is at most 64 KiB and its framing: the slice bounds what is copied.
        reader = ByteReader(self._data[at : at + MAX_BODY + 16], "stream", at)
        kind = reader.integer(1, "kind")
        body = reader.blob("chunk length", MAX_BODY)
        covered = reader.at
        crc = reader.integer(4, "checksum")
        if seeds[0] < 0:
            raise reader.fail("a face packet without the one before it", "kind", 0)
        if zlib.crc32(reader.data[:covered], seeds[0]) != crc:
            raise reader.fail("the checksum does not fit", "checksum", covered)
        return Chunk(kind, body, at, reader.at), crc

    def _resume(self, at: int) -> int:
        """The next offset where a chunk that needs no other one is intact."""
        while at < len(self._data):
            kind = self._data[at]
            if kind in (FACE_KEY, *_BESIDE) or kind in CALL_KINDS or kind in self._fallback:
                try:
                    self._chunk(at, [self._seed])
                    return at
                except StreamError:
                    pass
            at += 1
        return at

    def _footer(self, at: int, index: Chunk) -> None:
        expected = index.size.to_bytes(3, "little") + bytes([FOOTER])
        if self._data[at:] != expected:
            self.report("the last four bytes are not an index's footer", "footer", at)

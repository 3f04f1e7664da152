"""The `.fw` file: header, face and audio packets, index (docs/bitstream.md, section 3).

with StreamWriter.create(path, header) as out: out.write(packet) ...
read_stream(path_or_bytes, statistics, digest).states
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from avatar.avatar import StateStatistics
from avatar.errors import MismatchError, StorageError, StreamError
from avatar.face import FaceStates
from codec.between import filled
from codec.bits import ByteReader, varint
from codec.call_packet import CALL_KINDS, CallPacket
from codec.call_recording import recorded_states
from codec.face_codec import FaceDecoder
from codec.header import CODEC_MTTF, CODEC_NAMES, DIGEST, PROFILE_CALL, StreamHeader
from codec.packet import (
    AUDIO,
    FACE_DELTA,
    FACE_KEY,
    FALLBACK_KINDS,
    INDEX,
    MAX_BODY,
    SKIPPABLE,
    AudioPacket,
    FacePacket,
    Index,
    KeyPoint,
)

MAX_STREAM = 1 << 31  # bytes that are read at once
_FOOTER = 0xFE  # section 3.6: the last byte of a whole stream
_AUDIO_SPAN = 1_000_000  # microseconds of audio that share a chunk


class StreamWriter:
    """Appends chunks to a binary file; what was written can be read at any time.

    Close it to add the index.  A file object is left open for its owner to close.
    """

    def __init__(self, file: BinaryIO, header: StreamHeader) -> None:
        self._file = file
        self._header = header
        self._offset = 0
        self._crc = header.crc
        self._frames = 0
        self._keys: list[KeyPoint] = []
        self._audio: list[tuple[int, bytes]] = []
        self._closed = False
        self._put(bytes(header))

    def write(self, packet: FacePacket) -> None:
        """A face packet; the first one must be a key packet."""
        if not (self._keys or packet.key):
            raise StreamError("the first face packet of a stream must be a key packet")
        if packet.key:
            self._keys.append(KeyPoint(self._frames, packet.time, self._offset))
        self._frames += packet.frames
        seed = self._header.crc if packet.key else self._crc
        self._crc = self._chunk(packet.kind, bytes(packet), seed)

    def write_call(self, packet: CallPacket) -> None:
        """A call's face packet, in a recording of a call (section 10.8)."""
        if packet.key:
            self._keys.append(KeyPoint(self._frames, packet.time, self._offset))
        self._frames += packet.frames
        self._chunk(packet.kind, bytes(packet), self._header.crc)

    def write_fallback(self, kind: int, body: bytes) -> None:
        """A chunk of the fallback's (section 3.2), opaque here."""
        if kind not in FALLBACK_KINDS or len(body) > MAX_BODY:
            raise StreamError(f"no fallback chunk has kind {kind} and {len(body)} bytes")
        self._chunk(kind, body, self._header.crc)

    def write_audio(self, time: int, data: bytes) -> None:
        """One Opus packet; they are gathered into chunks of up to a second."""
        if self._audio and (
            time - self._audio[0][0] >= _AUDIO_SPAN
            or sum(len(d) + 12 for _, d in self._audio) + len(data) + 12 > MAX_BODY
        ):
            self._flush_audio()
        self._audio.append((time, data))

    def close(self, duration: int) -> None:
        """Writes what is waiting and the index.  duration: first to last frame, microseconds."""
        if self._closed:
            return
        self._closed = True
        self._flush_audio()
        before = self._offset
        index = Index(self._frames, duration, tuple(self._keys))
        self._chunk(INDEX, bytes(index), self._header.crc)
        self._put((self._offset - before).to_bytes(3, "little") + bytes([_FOOTER]))

    def _flush_audio(self) -> None:
        if self._audio:
            times, data = zip(*self._audio, strict=True)
            self._audio = []
            self._chunk(AUDIO, bytes(AudioPacket(times, data)), self._header.crc)

    def _chunk(self, kind: int, body: bytes, seed: int) -> int:
        """Section 3.2; returns the checksum (section 3.3)."""
        data = bytes([kind]) + varint(len(body)) + body
        crc = zlib.crc32(data, seed)
        self._put(data + crc.to_bytes(4, "little"))
        return crc

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise StorageError(
                f"the stream cannot be written ({error.strerror or error})",
                "Free some space or choose another folder.",
            ) from error
        self._offset += len(data)


def stream_bytes(
    header: StreamHeader,
    packets: Iterable[FacePacket],
    duration: int,
    audio: Iterable[tuple[int, bytes]] = (),
) -> bytes:
    """A whole stream.  duration: first to last frame; audio: (time, Opus packet), microseconds.

    Audio goes before the face packet that ends after it, as far as key packets' times tell.
    """
    file = BytesIO()
    writer = StreamWriter(file, header)
    sound = list(audio)
    for packet in packets:
        if packet.key:
            while sound and sound[0][0] < packet.time:
                writer.write_audio(*sound.pop(0))
        writer.write(packet)
    for time, data in sound:
        writer.write_audio(time, data)
    writer.close(duration)
    return file.getvalue()


@dataclass(frozen=True)
class Chunk:
    """One chunk whose checksum holds.  offset, size: in the stream, framing included."""

    kind: int
    body: bytes
    offset: int
    size: int


@dataclass(frozen=True)
class Stream:
    """A stream that was read.

    faces: the packets that can be decoded, in order, or of a recorded call those in `calls`;
    audio: (microseconds, Opus packet).
    damage: what was wrong, empty for a whole stream; only `recover` lets it be otherwise.
    """

    header: StreamHeader
    faces: tuple[FacePacket, ...]
    audio: tuple[tuple[int, bytes], ...]
    index: Index | None
    size: int
    header_bytes: int
    audio_bytes: int
    damage: tuple[str, ...] = ()
    statistics: StateStatistics | None = None
    calls: tuple[CallPacket, ...] = ()
    fallback: tuple[Chunk, ...] = ()  # the fallback's own chunks, as they are

    @property
    def frames(self) -> int:
        """As they are shown."""
        return self.sent * (self.header.between + 1)

    @property
    def sent(self) -> int:
        return sum(packet.frames for packet in self._packets)

    @property
    def _packets(self) -> list[FacePacket | CallPacket]:
        return [*self.faces, *self.calls]

    @property
    def states(self) -> FaceStates:
        """All frames, dequantised, and what goes between them; needs the avatar's statistics."""
        if self.statistics is None:
            raise MismatchError(
                "face states can be decoded with their avatar alone", "Name it with --avatar."
            )
        if self.header.profile == PROFILE_CALL:
            return recorded_states(self.calls, self.statistics, self.header)
        decoder = FaceDecoder(self.statistics, self.header)
        parts = [decoder.decode(packet) for packet in self.faces]
        width = self.header.layout.width
        sent = FaceStates(
            np.concatenate([p.time for p in parts] or [np.zeros(0, np.int64)]),
            np.concatenate([p.values for p in parts] or [np.zeros((0, width), np.float32)]),
            np.concatenate([p.visible for p in parts] or [np.zeros(0, bool)]),
            self.header.layout,
        )
        return filled(sent, self.header.between, self.header.rate)

    def summary(self) -> dict[str, Any]:
        """What `facewire info` prints.  Rates in kbit/s: payload_kbps counts every byte but
        audio.  duration_s counts the last frame's own time on the screen."""
        rate = self.header.rate[0] / self.header.rate[1]
        frames, sent = self.frames, self.sent
        if self.index is not None and sent > 1 and self.index.duration > 0:
            duration = self.index.duration * 1e-6 * sent / (sent - 1)
        else:
            duration = frames / rate
        per_second = 8e-3 / duration if duration else 0.0
        return {
            "codec": CODEC_NAMES[self.header.codec],
            "avatar": self.header.digest.hex(),
            "frames": frames,
            "sent_frames": sent,
            "fps": frames / duration if duration else 0.0,
            "duration_s": duration,
            "payload_kbps": (self.size - self.audio_bytes) * per_second,
            "audio_kbps": self.audio_bytes * per_second,
            "header_bytes": self.header_bytes,
            "size_bytes": self.size,
            "packets": len(self._packets),
            "keys": sum(packet.key for packet in self._packets),
            "quality": self.header.quality / 256,
            "profile": ("file", "call")[self.header.profile],
            "layout": dict(self.header.layout.__dict__),
            "window": None if self.header.window is None else dict(self.header.window.__dict__),
            "metadata": self.header.metadata,
            "damage": list(self.damage),
        }


def read_stream(
    source: str | Path | bytes,
    statistics: StateStatistics | None = None,
    digest: str | None = None,
    recover: bool = False,
) -> Stream:
    """Reads a whole stream.  digest: of the avatar at hand, hex.

    Raises StreamError (field, offset) for damage, VersionError for a newer format, MismatchError
    for a stream made for another avatar.  With `recover`, what is intact is returned and
    `damage` says what is not; a damaged header cannot be recovered from.
    """
    data = source if isinstance(source, bytes) else _read(Path(source))
    header, start = StreamHeader.parse(data)
    if digest is not None and bytes.fromhex(digest)[:DIGEST] != header.digest:
        raise MismatchError(
            f"the stream was made for the avatar {header.digest.hex()}, not for "
            f"{digest[: 2 * DIGEST]}",
            "Decode with the avatar that the stream was made for.",
        )
    reader = _Reader(data, header, start, recover)
    faces: list[FacePacket] = []
    calls: list[CallPacket] = []
    fallback: list[Chunk] = []
    audio: list[tuple[int, bytes]] = []
    audio_bytes = len(header.audio or b"")
    index = None
    for chunk in reader.chunks():
        base = chunk.offset + chunk.size - 4 - len(chunk.body)
        if chunk.kind in (FACE_KEY, FACE_DELTA):
            faces.append(FacePacket.parse(chunk.kind, chunk.body, base))
        elif chunk.kind in CALL_KINDS:
            calls.append(CallPacket.parse(chunk.kind, chunk.body, base))
        elif chunk.kind == AUDIO:
            packet = AudioPacket.parse(chunk.body, base)
            audio += zip(packet.times, packet.data, strict=True)
            audio_bytes += chunk.size
        elif chunk.kind in FALLBACK_KINDS:
            fallback.append(chunk)
        elif chunk.kind == INDEX:
            index = Index.parse(chunk.body, base)
            _check_index(index, [*faces, *calls], chunk.offset, reader)
    overhead = start + (len(data) - reader.index_offset if index is not None else 0)
    return Stream(
        header,
        tuple(faces),
        tuple(audio),
        index,
        len(data),
        overhead,
        audio_bytes,
        tuple(reader.damage),
        statistics,
        tuple(calls),
        tuple(fallback),
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_STREAM + 1)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be read ({error.strerror or error})", "Check the file's name."
        ) from error
    if len(data) > MAX_STREAM:
        raise StreamError(f"{path}: longer than {MAX_STREAM} bytes", field="size", offset=0)
    return data


def _check_index(
    index: Index, faces: list[FacePacket | CallPacket], offset: int, reader: _Reader
) -> None:
    frames = sum(packet.frames for packet in faces)
    keys = sum(packet.key for packet in faces)
    if frames != index.frames or keys != len(index.keys):
        reader.report(
            f"the index counts {index.frames} frames and {len(index.keys)} key packets, the "
            f"stream holds {frames} and {keys}",
            "index",
            offset,
        )


class _Reader:
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
            elif chunk.kind not in (AUDIO, INDEX) and chunk.kind not in self._fallback:
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
            if kind in (FACE_KEY, AUDIO, INDEX) or kind in CALL_KINDS or kind in self._fallback:
                try:
                    self._chunk(at, [self._seed])
                    return at
                except StreamError:
                    pass
            at += 1
        return at

    def _footer(self, at: int, index: Chunk) -> None:
        expected = index.size.to_bytes(3, "little") + bytes([_FOOTER])
        if self._data[at:] != expected:
            self.report("the last four bytes are not an index's footer", "footer", at)

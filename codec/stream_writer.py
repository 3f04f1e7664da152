"""Writes a `.fw` file, chunk by chunk (docs/bitstream.md, section 3).

writer = StreamWriter(file, header)
writer.write(packet) ...
writer.close(duration)
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from io import BytesIO
from typing import BinaryIO

from avatar.errors import StorageError, StreamError
from codec.bits import varint
from codec.call_packet import CallPacket
from codec.header import StreamHeader
from codec.packet import (
    AUDIO,
    FALLBACK_KINDS,
    FOOTER,
    INDEX,
    MAX_BODY,
    AudioPacket,
    BackgroundPacket,
    FacePacket,
    Index,
    KeyPoint,
    LightPacket,
    PosturePacket,
)

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

    def write_surroundings(self, packet: BackgroundPacket | LightPacket | PosturePacket) -> None:
        """What is behind the person (section 3.8), the light (3.9) or how the shoulders are held
        (3.10), before the first face packet."""
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
        self._put((self._offset - before).to_bytes(3, "little") + bytes([FOOTER]))

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

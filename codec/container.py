"""The `.fw` file, read: header, face and audio packets, index (docs/bitstream.md, section 3).

read_stream(path_or_bytes, statistics, digest).states
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avatar.avatar import StateStatistics
from avatar.errors import MismatchError, StorageError, StreamError
from avatar.face import FaceStates
from codec.between import filled
from codec.call_packet import CALL_KINDS, CallPacket
from codec.call_recording import recorded_states
from codec.chunks import Chunk, ChunkReader
from codec.face_codec import FaceDecoder
from codec.header import CODEC_NAMES, DIGEST, PROFILE_CALL, StreamHeader
from codec.packet import (
    AUDIO,
    BACKGROUND,
    FACE_DELTA,
    FACE_KEY,
    FALLBACK_KINDS,
    INDEX,
    LIGHT,
    POSTURE,
    AudioPacket,
    BackgroundPacket,
    FacePacket,
    Index,
    LightPacket,
    PosturePacket,
)

MAX_STREAM = 1 << 31  # bytes that are read at once


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
    background: BackgroundPacket | None = None  # the last one
    light: LightPacket | None = None  # the last one
    posture: PosturePacket | None = None  # the last one

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
            "fps": round(frames / duration, 6) if duration else 0.0,
            "duration_s": round(duration, 6),
            "payload_kbps": round((self.size - self.audio_bytes) * per_second, 6),
            "audio_kbps": round(self.audio_bytes * per_second, 6),
            "header_bytes": self.header_bytes,
            "size_bytes": self.size,
            "background_bytes": len(bytes(self.background)) if self.background else 0,
            "light": None if self.light is None else dict(self.light.__dict__),
            "posture_bytes": len(bytes(self.posture)) if self.posture else 0,
            "packets": len(self._packets),
            "keys": sum(packet.key for packet in self._packets),
            "quality": self.header.quality / 256,
            "qualities": [quality / 256 for quality in self.header.qualities],
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
    reader = ChunkReader(data, header, start, recover)
    faces: list[FacePacket] = []
    calls: list[CallPacket] = []
    fallback: list[Chunk] = []
    audio: list[tuple[int, bytes]] = []
    audio_bytes = len(header.audio or b"")
    index = background = light = posture = None
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
        elif chunk.kind == BACKGROUND:
            background = BackgroundPacket.parse(chunk.body, base)
        elif chunk.kind == LIGHT:
            light = LightPacket.parse(chunk.body, base)
        elif chunk.kind == POSTURE:
            posture = PosturePacket.parse(chunk.body, base)
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
        background,
        light,
        posture,
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
    index: Index, faces: list[FacePacket | CallPacket], offset: int, reader: ChunkReader
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

"""Pictures and sound into a video file that appears whole or not at all.

.mkv is FFV1 in RGB: what comes out is what went in, byte for byte.  .mp4 is H.264, for people.
Opus packets are copied into both.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError
from avatar.storage import whole_file
from service.audio import BLOCK, RATE, OpusPacket, OpusTrack, duration_of

_TICKS = 90_000  # a second: every common frame rate falls on whole ticks


@dataclass(frozen=True)
class Container:
    """How one suffix is written."""

    format: str  # the muxer's name
    codec: str
    pixels: str
    lossless: bool
    options: dict[str, str] = field(default_factory=dict)


CONTAINERS = {
    ".mkv": Container(
        "matroska", "ffv1", "bgr0", True, {"level": "3", "slicecrc": "1", "slices": "4"}
    ),
    ".mp4": Container("mp4", "libx264", "yuv420p", False, {"crf": "18", "preset": "medium"}),
}


def container_of(path: str | Path) -> Container:
    """What a file of this name is written as.  Raises InputError for another suffix."""
    suffix = Path(path).suffix.lower()
    if suffix not in CONTAINERS:
        raise InputError(
            f"{path}: no video format goes with {suffix or 'no suffix'}",
            "End the name in .mkv (lossless) or .mp4 (smaller, for people).",
        )
    return CONTAINERS[suffix]


def playable_size(path: str | Path, width: int, height: int) -> tuple[int, int]:
    """The nearest size, never smaller, that the format of `path` can hold: 4:2:0 needs even."""
    if container_of(path).lossless:
        return width, height
    return width + width % 2, height + height % 2


class VideoWriter:
    """Takes pictures and Opus packets in the order of their times; see `video_file`."""

    def __init__(
        self,
        file: Any,
        kind: Container,
        width: int,
        height: int,
        fps: Fraction,
        audio: OpusTrack | None,
        tags: dict[str, str],
    ) -> None:
        import av

        self._av = av
        self._kind = kind
        self._size = (height, width)
        self._output = cast(Any, av.open(file, "w", format=kind.format))
        self._output.metadata.update(tags)
        video = self._output.add_stream(kind.codec, rate=fps, options=kind.options)
        self._pictures = cast(Any, video)
        self._pictures.width, self._pictures.height = width, height
        self._pictures.pix_fmt = kind.pixels
        self._pictures.codec_context.time_base = Fraction(1, _TICKS)
        if not kind.lossless:
            colour = cast(Any, self._pictures.codec_context)
            colour.color_primaries = colour.color_trc = colour.colorspace = 1  # BT.709
            colour.color_range = 1  # limited
        self._sound: Any = None
        self._waiting: list[OpusPacket] = []
        if audio is not None:
            self._template = av.open(io.BytesIO(_ogg(audio.head)), format="ogg")
            self._sound = self._output.add_stream_from_template(self._template.streams.audio[0])
            self._waiting = list(audio.packets)

    def picture(self, image: NDArray[np.uint8], time: int, duration: int) -> None:
        """One [height, width, 3] RGB picture shown at `time` for `duration`, microseconds."""
        if image.shape != (*self._size, 3):
            raise ValueError(f"a picture of {image.shape} in a video of {self._size}")
        self._sound_until(time)
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        if self._kind.lossless:
            frame = frame.reformat(format=self._kind.pixels)
        else:
            frame = frame.reformat(format=self._kind.pixels, dst_colorspace="ITU709")
            frame.colorspace, frame.color_range = 1, 1
        frame.time_base = Fraction(1, _TICKS)
        frame.pts = round(time * _TICKS / 1_000_000)
        frame.duration = round(duration * _TICKS / 1_000_000)
        self._output.mux(self._pictures.encode(frame))

    def sound(self, packets: Iterable[OpusPacket]) -> None:
        """More of the sound that `video_file` was given the head of, after what is there."""
        self._waiting += packets

    def finish(self) -> None:
        """Writes what is still held back, and the container's end."""
        self._output.mux(self._pictures.encode(None))
        self._sound_until(None)
        self._output.close()

    def _sound_until(self, time: int | None) -> None:
        while self._waiting and (time is None or self._waiting[0].time <= time):
            packet = self._waiting.pop(0)
            muxed = self._av.Packet(packet.data)
            muxed.stream = self._sound
            muxed.time_base = Fraction(1, RATE)
            muxed.pts = muxed.dts = round(packet.time * RATE / 1_000_000)
            muxed.duration = duration_of(packet.data) or BLOCK
            self._output.mux(muxed)


@contextmanager
def video_file(
    path: str | Path,
    width: int,
    height: int,
    fps: float = 25.0,
    audio: OpusTrack | None = None,
    tags: dict[str, str] | None = None,
) -> Iterator[VideoWriter]:
    """A video that appears at `path` when the block ends without an error.

    fps: what players are told; the pictures' own times count.  audio: on the pictures' clock; what
    is not there yet can follow by `VideoWriter.sound`.
    Raises InputError for a suffix that is no video, StorageError when the disk is full.
    """
    kind = container_of(path)
    rate = Fraction(fps).limit_denominator(1001)
    with whole_file(path) as file:
        writer = VideoWriter(file, kind, width, height, rate, audio, tags or {})
        try:
            yield writer
            writer.finish()
        except BaseException:
            file.close()  # so that the muxer, when it is collected, writes no trailer
            raise


def _ogg(head: bytes) -> bytes:
    """A file of one silent packet: FFmpeg reads from it what a muxer wants to know of a stream."""
    tags = b"OpusTags" + struct.pack("<II", 0, 0)
    pages = ((head, 2, 0), (tags, 0, 0), (b"\xf8\xff\xfe", 4, BLOCK))
    return b"".join(_page(body, flags, at, n) for n, (body, flags, at) in enumerate(pages))


def _page(body: bytes, flags: int, granule: int, number: int) -> bytes:
    """An Ogg page with one packet below 255 bytes (RFC 3533 section 6)."""
    page = struct.pack("<4sBBqIIIBB", b"OggS", 0, flags, granule, 1, number, 0, 1, len(body)) + body
    return page[:22] + struct.pack("<I", _crc(page)) + page[26:]


def _crc(data: bytes) -> int:
    """CRC-32 of Ogg: polynomial 0x04c11db7, not reflected, no inversion."""
    remainder = 0
    for byte in data:
        remainder ^= byte << 24
        for _ in range(8):
            carry = remainder & 0x8000_0000
            remainder = (remainder << 1 & 0xFFFF_FFFF) ^ (0x04C1_1DB7 if carry else 0)
    return remainder

"""Opus sound: taken out of a video, and put back beside pictures.

A packet's time is that of its first decoded sample on the source's clock, in microseconds.  The
first `pre_skip` samples that a decoder puts out are thrown away (RFC 7845 section 4.2); a cut in
the middle of a stream uses this to begin at the exact sample, after 80 ms of run-up.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 48_000  # Opus counts at 48 kHz whatever the source had (RFC 7845 section 5.1)
BLOCK = 960  # samples in a packet of 20 ms
RUN_UP = 80_000  # us that a decoder needs to converge (RFC 7845 section 4.6)
_SLACK = 480  # samples of jitter in the source's timestamps that are not a gap: 10 ms
_BITS = {1: 24_000, 2: 32_000}  # a second, by channels: clear speech
_LAYOUTS = {1: "mono", 2: "stereo"}

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class OpusPacket:
    time: int  # us
    data: bytes


@dataclass(frozen=True)
class OpusTrack:
    """head: the OpusHead structure (RFC 7845 section 5.1).  packets: in the order of time."""

    head: bytes
    packets: tuple[OpusPacket, ...]

    @property
    def pre_skip(self) -> int:
        """Samples at 48 kHz to throw away at the beginning."""
        return int.from_bytes(self.head[10:12], "little")

    @property
    def channels(self) -> int:
        return self.head[9]

    def shifted(self, by: int) -> OpusTrack:
        """The same sound `by` microseconds later."""
        return replace(self, packets=tuple(OpusPacket(p.time + by, p.data) for p in self.packets))


def read_audio(path: str | Path, start: int, end: int) -> OpusTrack | None:
    """The sound of a video between two times of its clock (us), or None where it has none.

    Opus is copied packet by packet; anything else is decoded and coded as Opus.  Sound that
    cannot be decoded becomes silence, so that what follows stays in time.
    """
    import av

    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError):
        return None  # pictures decide whether a video can be used, not its sound
    with container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        head = bytes(stream.codec_context.extradata or b"")
        if stream.codec_context.name in ("opus", "libopus") and is_plain(head):
            track = _copied(container, stream, head, start, end)
        else:
            track = _transcoded(container, stream, start, end)
    return track if track.packets else None


def sound_blocks(path: str | Path, start: int, end: int) -> Iterator[Samples]:
    """The sound of a video between two times of its clock (us), in stereo: [960, 2] of 20 ms after
    one another, in -1 to 1, as they are asked for.  None where there is no sound; silence for what
    does not decode."""
    import av

    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError):
        return
    with container:
        if container.streams.audio:
            stream = container.streams.audio[0]
            yield from _blocks(_sound(container, stream, 2), start, end, 2)


class OpusCoder:
    """Blocks [960, channels] in -1 to 1, after one another, as Opus.  start: us, of the first."""

    def __init__(self, channels: int, start: int = 0) -> None:
        import av

        coder: Any = av.CodecContext.create("libopus", "w")
        coder.sample_rate, coder.layout, coder.format = RATE, _LAYOUTS[channels], "flt"
        coder.bit_rate = _BITS[channels]
        coder.options = {"frame_duration": "20"}
        coder.open()
        self._av, self._coder = av, coder
        self._layout, self._start, self._coded = _LAYOUTS[channels], start, 0

    @property
    def head(self) -> bytes:
        """The OpusHead structure."""
        return bytes(self._coder.extradata or b"")

    def code(self, block: Samples) -> list[OpusPacket]:
        flat = np.ascontiguousarray(block, np.float32).reshape(1, -1)
        frame = self._av.AudioFrame.from_ndarray(flat, format="flt", layout=self._layout)
        frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
        frame.pts = self._coded * BLOCK
        self._coded += 1
        return self._taken(self._coder.encode(frame))

    def rest(self) -> list[OpusPacket]:
        """What the coder still holds back.  Nothing can be coded after it."""
        return self._taken(self._coder.encode(None)) if self._coded else []

    def _taken(self, coded: Any) -> list[OpusPacket]:
        return [OpusPacket(self._start + p.pts * 1_000_000 // RATE, bytes(p)) for p in coded]


def duration_of(packet: bytes) -> int:
    """Samples at 48 kHz in an Opus packet (RFC 6716 section 3.1); 0 for none."""
    if not packet:
        return 0
    toc = packet[0]
    configuration = toc >> 3
    if configuration < 12:  # SILK
        frame = (480, 960, 1920, 2880)[configuration & 3]
    elif configuration < 16:  # hybrid
        frame = (480, 960)[configuration & 1]
    else:  # CELT
        frame = (120, 240, 480, 960)[configuration & 3]
    count = (1, 2, 2)[toc & 3] if toc & 3 < 3 else (packet[1] & 63 if len(packet) > 1 else 0)
    return frame * count


def is_plain(head: bytes) -> bool:
    """Mono or stereo without a channel mapping: what every player takes."""
    known = len(head) == 19 and head[:8] == b"OpusHead" and head[8] < 16  # RFC 7845 section 5.1
    return known and head[9] in (1, 2) and head[18] == 0


def _copied(container: Any, stream: Any, head: bytes, start: int, end: int) -> OpusTrack:
    import av

    packets: list[OpusPacket] = []
    first = True
    skip = 0
    demuxed = container.demux(stream)
    while True:
        try:
            packet = next(demuxed)
        except (StopIteration, av.FFmpegError):
            break  # a damaged tail: what was read stands
        if packet.pts is None or packet.size == 0:
            continue
        data = bytes(packet)
        time = round(packet.pts * packet.time_base * 1_000_000)
        length = duration_of(data) * 1_000_000 // RATE
        if time >= end:
            break
        if time + length > start - RUN_UP:
            if not packets:
                before = max(0, (start - time) * RATE // 1_000_000)
                skip = max(before, int.from_bytes(head[10:12], "little") if first else 0)
            packets.append(OpusPacket(time, data))
        first = False
    return OpusTrack(_with_skip(head, skip), tuple(packets))


def _with_skip(head: bytes, skip: int) -> bytes:
    return head[:10] + struct.pack("<H", min(skip, 0xFFFF)) + head[12:]


def _transcoded(container: Any, stream: Any, start: int, end: int) -> OpusTrack:
    channels = min(2, max(1, stream.codec_context.channels))
    coder = OpusCoder(channels, start)
    packets: list[OpusPacket] = []
    for block in _blocks(_sound(container, stream, channels), start, end, channels):
        packets += coder.code(block)
    if packets:
        packets += coder.rest()
    return OpusTrack(coder.head, tuple(packets))


def _sound(container: Any, stream: Any, channels: int) -> Iterator[tuple[int, Samples]]:
    """(time in us, samples [n, channels] at 48 kHz) as the source decodes."""
    import av

    resampler = av.AudioResampler(format="flt", layout=_LAYOUTS[channels], rate=RATE)
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue  # the gap is filled with silence
        for frame in frames:
            if frame.pts is None:
                continue
            time = round(frame.pts * frame.time_base * 1_000_000)
            for part in resampler.resample(frame):
                yield time, np.asarray(part.to_ndarray(), np.float32).reshape(-1, channels)


def _blocks(
    sound: Iterator[tuple[int, Samples]], start: int, end: int, channels: int
) -> Iterator[Samples]:
    """[960, channels] from `start` to `end` without a hole: gaps are silence, overlaps cut."""
    total = (end - start) * RATE // 1_000_000
    written = 0  # samples since start, those in `waiting` included
    waiting = np.zeros((0, channels), np.float32)
    started = False
    for time, samples in sound:
        gap = round((time - start) * RATE / 1_000_000) - written
        if abs(gap) > (_SLACK if started else 0):
            if gap > total - written:
                break
            samples = (
                np.concatenate([np.zeros((gap, channels), np.float32), samples])
                if gap > 0
                else samples[-gap:]
            )
        if len(samples) == 0:
            continue
        started = True
        written += len(samples)
        waiting = np.concatenate([waiting, samples])
        while len(waiting) >= BLOCK:
            yield waiting[:BLOCK]
            waiting = waiting[BLOCK:]
        if written >= total:
            return
    if len(waiting):
        yield np.concatenate([waiting, np.zeros((BLOCK - len(waiting), channels), np.float32)])

"""The sending side: a video and an avatar -> a stream of a few bytes a frame, with its sound."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from avatar.avatar import Avatar
from avatar.errors import InputError
from avatar.face import FaceStates
from avatar.storage import whole_file
from codec.container import StreamWriter, read_stream
from codec.face_codec import encode_states
from codec.header import DIGEST, StreamHeader
from codec.packet import FacePacket
from codec.quantize import COARSEST, FINEST
from codec.timing import rate_of
from service.audio import OpusTrack, read_audio
from service.resample import even_times, resampled
from service.states import states_of

_FRAME = 40_000  # us, of a clip with one frame

Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class SenderSettings:
    """fps: None keeps the source's times.  kbps: None sends quality 1, else the finest below
    that rate, every byte but sound counted.  audio: send the sound, too.  effort: 0 sends what was
    tracked, 1 to 3 look for what renders best (`service.refine`)."""

    fps: float | None = None
    kbps: float | None = None
    audio: bool = True
    effort: int = 0


@dataclass(frozen=True)
class Sent:
    """summary: as `facewire info` shows it."""

    summary: dict[str, Any]
    warnings: tuple[str, ...] = ()


def encode_video(
    source: str | Path,
    avatar: Avatar,
    out: str | Path,
    settings: SenderSettings = SenderSettings(),
    frames: slice | None = None,
    progress: Progress | None = None,
) -> Sent:
    """Tracks a video, or a range of its frames, and writes its stream whole or not at all.

    The stream keeps the source's clock: 0 is the video's first frame, whatever was cut.
    Raises VideoError, NoFaceError, InputError, StorageError.
    """
    from enroll.capture import open_video
    from enroll.scene import TrackPrior
    from service.tracking import track_file

    track, warnings = track_file(source, TrackPrior.of(avatar), frames, progress)
    states = states_of(track, avatar)
    if settings.effort:
        from service.refined_states import refined

        states = refined(states, track, source, avatar, settings.effort, frames, progress)
    if settings.fps is not None:
        times = even_times(int(states.time[0]), int(states.time[-1]), settings.fps)
        states = resampled(states, times)
    audio = None
    if settings.audio:
        clock = open_video(Path(source)).info.start  # the file's time of our time 0
        end = int(states.time[-1]) + _period(states)
        audio = read_audio(source, clock + int(states.time[0]), clock + end)
        audio = audio.shifted(-clock) if audio else None
    rate, rounding = rate_of(states.time)
    header = StreamHeader(
        digest=bytes.fromhex(avatar.digest)[:DIGEST],
        layout=avatar.layout,
        rate=rate,
        rounding=rounding,
        window=track.window,
        audio=audio.head if audio else None,
    )
    if settings.kbps is not None:
        header, said = _within(settings.kbps, states, avatar, header)
        warnings += said
    write_stream(out, states, avatar, header, audio)
    return Sent(read_stream(out, avatar.statistics, avatar.digest).summary(), tuple(warnings))


def write_stream(
    out: str | Path,
    states: FaceStates,
    avatar: Avatar,
    header: StreamHeader,
    audio: OpusTrack | None = None,
) -> None:
    """States and sound into a file, in the order of their times.  Raises StorageError."""
    packets = encode_states(states, avatar.statistics, header)
    sound = list(audio.packets) if audio else []
    with whole_file(out) as file:
        writer = StreamWriter(file, header)  # type: ignore[arg-type]
        sent = 0
        for packet in packets:
            writer.write(packet)
            sent += packet.frames
            until = int(states.time[sent]) if sent < len(states) else None
            while sound and (until is None or sound[0].time < until):
                first = sound.pop(0)
                writer.write_audio(first.time, first.data)
        writer.close(int(states.time[-1] - states.time[0]))


def _within(
    kbps: float, states: FaceStates, avatar: Avatar, header: StreamHeader
) -> tuple[StreamHeader, list[str]]:
    """The header with the finest quality whose stream stays at or below the rate."""
    if not kbps > 0:
        raise InputError(f"--kbps {kbps:g} sends nothing", "Give a rate above 0, such as 2.")
    finest, coarsest = FINEST, COARSEST
    if _rate(states, avatar, replace(header, quality=coarsest)) > kbps:
        least = _rate(states, avatar, replace(header, quality=coarsest))
        return replace(header, quality=coarsest), [
            f"{kbps:g} kbps cannot be reached with this clip: the coarsest has {least:.2f} kbps."
        ]
    while coarsest > finest * 1.03:  # below that no rate differs by a percent
        middle = round((finest * coarsest) ** 0.5)
        if _rate(states, avatar, replace(header, quality=middle)) <= kbps:
            coarsest = middle
        else:
            finest = middle
    return replace(header, quality=coarsest), []


def _rate(states: FaceStates, avatar: Avatar, header: StreamHeader) -> float:
    """kbit/s of the face packets, their framing and the header and index, as `info` counts."""
    packets = encode_states(states, avatar.statistics, header)
    seconds = (int(states.time[-1] - states.time[0]) + _period(states)) / 1e6
    return _size(packets, header) * 8e-3 / seconds


def _size(packets: list[FacePacket], header: StreamHeader) -> int:
    """Bytes of a file without sound."""
    file = io.BytesIO()
    writer = StreamWriter(file, replace(header, audio=None))
    for packet in packets:
        writer.write(packet)
    writer.close(0)
    return len(file.getvalue())


def _period(states: FaceStates) -> int:
    return int(np.median(np.diff(states.time))) if len(states) > 1 else _FRAME

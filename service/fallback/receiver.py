"""The receiving side without an avatar: a stream -> pictures -> a video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codec.container import read_stream
from codec.header import CODEC_MTTF
from codec.mttf.decoder import Decoder, Making, check_digest
from codec.mttf.recovery_file import recovery_at_hand
from codec.mttf.runtime import Runtime
from codec.mttf.weights import Weights
from render.lanczos import lanczos
from render.side_by_side import side_by_side
from service.audio import OpusTrack
from service.calls.badge import badged
from service.receiver import Progress, Shown, audio_of
from service.video_out import container_of, playable_size, video_file
from service.watermark.mark import Watermark
from service.watermark.payload import NO_AVATAR


@dataclass(frozen=True)
class Look:
    """Of a video: pixels (the coded size where None), the square in the middle and black beside
    it; watermark, badge: as `decode_file` has them."""

    width: int | None = None
    height: int | None = None
    watermark: bool = True
    badge: bool = True


def is_fallback(path: str | Path) -> bool:
    """Whether a stream needs no avatar.  Raises StreamError as `read_stream`."""
    return read_stream(path).header.codec == CODEC_MTTF


def decode_fallback(
    path: str | Path,
    weights: Weights,
    out: str | Path,
    look: Look = Look(),
    device: str = "cpu",
    progress: Progress | None = None,
) -> Shown:
    """Shows a stream as a video file.

    Raises StreamError, VersionError, StorageError, MismatchError for a stream of other weights.
    """
    stream = read_stream(path, weights.statistics)
    check_digest(stream.header.digest, weights.digest)
    states = stream.states
    decoder = Decoder(Runtime(weights, device), stream.fallback, recovery_at_hand(device))
    sound = audio_of(stream)
    sound = sound.shifted(-int(states.time[0])) if sound else None
    pictures = made(map(decoder.next, states.values), device)
    time = states.time - states.time[0]
    shown = show(out, pictures, time, decoder.side, look, sound, progress)
    warnings = (unrestored(decoder.unrestored),) if decoder.unrestored else ()
    return replace(shown, warnings=warnings)


def made(frames: Iterable[Making], device: str) -> Iterator[NDArray[np.uint8]]:
    """Frames in their order; on a CPU each core makes one."""
    return side_by_side(Making.picture, frames, None if device == "cpu" else 1)


def show(
    out: str | Path,
    pictures: Iterable[NDArray[np.uint8]],
    time: NDArray[np.int64],
    side: int,
    look: Look,
    sound: OpusTrack | None = None,
    progress: Progress | None = None,
) -> Shown:
    """Writes pictures [side, side, 3] at their times [F], microseconds from 0.  Raises
    StorageError, and what the pictures do."""
    width, height = playable_size(out, look.width or side, look.height or side)
    times = time.tolist()
    period = int(np.median(np.diff(times))) if len(times) > 1 else 40_000
    until = [*times[1:], times[-1] + period]
    plain = container_of(out).lossless
    mark = Watermark(NO_AVATAR) if look.watermark and not plain else None
    with video_file(out, width, height, 1e6 / period, sound) as video:
        for index, coded in enumerate(pictures):
            picture = placed(coded, width, height)
            picture = badged(picture) if look.badge and not plain else picture
            picture = picture if mark is None else mark.on(picture, times[index])
            video.picture(picture, times[index], until[index] - times[index])
            if progress:
                progress(index + 1, len(times))
    return Shown(len(times), width, height)


def unrestored(count: int) -> str:
    """What to say of so many key frames whose Portrait Recovery is not here."""
    which = "key frames are shown as they were" if count > 1 else "key frame is shown as it was"
    return (
        f"{count} {which} coded: the weights of Portrait Recovery are not here. "
        "Decode with the Facewire version that coded the file."
    )


def placed(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A square picture as large as fits into the middle of width x height."""
    side = min(width, height)
    if side != picture.shape[0]:
        picture = lanczos(picture, side, side)
    if width == height:
        return picture
    out = np.zeros((height, width, 3), np.uint8)
    top, left = (height - side) // 2, (width - side) // 2
    out[top : top + side, left : left + side] = picture
    return out

"""The receiving side: a stream and an avatar -> pictures of any size -> a video."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar
from avatar.errors import StreamError
from codec.container import Stream, read_stream
from service.audio import OpusPacket, OpusTrack
from service.paper import drawable
from service.surroundings import Surroundings
from service.video_out import container_of, playable_size, video_file
from service.view import View
from service.watermark.mark import Watermark

FIT_TAG = "facewire_fit"  # in the video's metadata, for `facewire compare`

Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class Shown:
    """What became of a stream."""

    frames: int
    width: int
    height: int
    warnings: tuple[str, ...] = ()


class Renderer:
    """States -> pictures, as one view wants them.

    deadline: seconds that a single picture may take; where this machine needs longer, something
    is left out of it (`render.ladder`), and `left_out` says so."""

    def __init__(
        self, avatar: Avatar, view: View, device: str = "auto", deadline: float | None = None
    ) -> None:
        from render.ladder import Ladder, LadderSettings
        from render.portrait import Portrait

        self.view = view
        self._portrait = Portrait(avatar, device=device)
        self._ladder = Ladder(LadderSettings(deadline)) if deadline else None

    @property
    def left_out(self) -> int:
        """Steps down from the best picture: 0 is the best."""
        return self._ladder.rung if self._ladder else 0

    def picture(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        """One state row [D] -> [height, width, 3] RGB."""
        view = self.view
        begun = clock.monotonic()
        seen = self._portrait.render(
            values,
            view.width,
            view.height,
            fit=view.fit,
            background=view.background,
            settings=self._ladder.settings if self._ladder else None,
        )
        if self._ladder:
            now = clock.monotonic()
            self._ladder.took(now, now - begun)
        return seen

    def pictures(self, states: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.uint8]]:
        """The same of many state rows, in their order, and faster."""
        view = self.view
        return self._portrait.render_all(
            states, view.width, view.height, fit=view.fit, background=view.background
        )


def decode_file(
    stream_path: str | Path,
    avatar: Avatar,
    out: str | Path,
    view: View,
    device: str = "auto",
    progress: Progress | None = None,
    watermark: bool = True,
) -> Shown:
    """Renders a stream into a video file (see `service.video_out`), with its sound.

    watermark: in what is for people; a lossless file never carries one.
    Raises StreamError, VersionError, MismatchError for a stream of another avatar, StorageError.
    """
    stream = open_stream(stream_path, avatar)
    width, height = playable_size(out, view.width, view.height)
    warnings = []
    if (width, height) != (view.width, view.height):
        view = View(width, height, view.fit, view.background)
        warnings.append(f"H.264 needs even sizes: rendered at {width}x{height}.")
    avatar = Surroundings.of(stream).around(avatar)
    states = drawable(stream.states, avatar)
    lost = int((~states.visible).sum())
    if lost:
        warnings.append(f"The face was lost in {lost} of {len(states)} frames of the call.")
    start = int(states.time[0])
    sound = audio_of(stream)
    renderer = Renderer(avatar, view, device)
    write_video(
        out,
        renderer,
        states.values,
        (states.time - start).tolist(),
        sound.shifted(-start) if sound else None,
        progress,
        Watermark(avatar.digest) if watermark else None,
    )
    return Shown(len(states), width, height, tuple(warnings))


def write_video(
    out: str | Path,
    renderer: Renderer,
    states: Iterable[NDArray[np.float32]],
    times: list[int],
    sound: OpusTrack | None = None,
    progress: Progress | None = None,
    mark: Watermark | None = None,
) -> None:
    """One picture a state, shown at its time (us, rising from 0).  mark: not on lossless video,
    which shows what was rendered and nothing else."""
    view = renderer.view
    if container_of(out).lossless:
        mark = None
    period = int(np.median(np.diff(times))) if len(times) > 1 else 40_000
    until = [*times[1:], times[-1] + period]
    tags = {FIT_TAG: view.fit}
    with video_file(out, view.width, view.height, 1e6 / period, sound, tags) as video:
        for index, (picture, time) in enumerate(zip(renderer.pictures(states), times)):
            shown = picture if mark is None else mark.on(picture, time)
            video.picture(shown, time, until[index] - time)
            if progress:
                progress(index + 1, len(times))


def open_stream(path: str | Path, avatar: Avatar | None = None) -> Stream:
    """A stream file, checked whole; with its avatar its states can be decoded.

    Raises StreamError, VersionError, MismatchError for a stream of another avatar.
    """
    statistics = avatar.statistics if avatar else None
    stream = read_stream(path, statistics, avatar.digest if avatar else None)
    if stream.frames == 0:
        raise StreamError(f"{path}: the stream holds no frame", "Encode the video again.")
    return stream


def audio_of(stream: Stream) -> OpusTrack | None:
    """The stream's sound, or None."""
    if stream.header.audio is None or not stream.audio:
        return None
    packets = tuple(OpusPacket(time, data) for time, data in stream.audio)
    return OpusTrack(stream.header.audio, packets)

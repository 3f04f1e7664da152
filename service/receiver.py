"""The receiving side: a stream and an avatar -> pictures of any size -> a video."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar
from avatar.errors import InputError, StreamError
from codec.container import Stream, read_stream
from service.audio import OpusPacket, OpusTrack, is_plain
from service.calls.badge import badged
from service.paper import drawable
from service.surroundings import Surroundings
from service.video_out import container_of, playable_size, video_file
from service.view import View
from service.watermark.mark import Watermark

FIT_TAG = "facewire_fit"  # in the video's metadata, for `facewire compare`
_FASTEST = 60  # pictures a second of a stream that is as long as may be
_BEYOND = 1.0  # seconds that sound may begin before the pictures and go on after them
_AGAIN = "Encode the video again."

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
        self._device = device
        self._portrait = Portrait(avatar, device=device)
        self._ladder = Ladder(LadderSettings(deadline)) if deadline else None

    def take(self, avatar: Avatar) -> None:
        """Draws this one from now on, the same person elsewhere; as finely as the one before."""
        from render.portrait import Portrait

        self._portrait = Portrait(avatar, device=self._device)

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
    badge: bool = True,
) -> Shown:
    """As `decode_stream`, of a file.  Raises as that and `open_stream`."""
    stream = open_stream(stream_path, avatar)
    return decode_stream(stream, avatar, out, view, device, progress, watermark, badge)


def decode_stream(
    stream: Stream,
    avatar: Avatar,
    out: str | Path,
    view: View,
    device: str = "auto",
    progress: Progress | None = None,
    watermark: bool = True,
    badge: bool = True,
    longest: float = inf,
) -> Shown:
    """Renders a stream that has frames into a video file (see `service.video_out`), with its sound.

    watermark: in what is for people; a lossless file never carries one.  badge: what says visibly
    that it is rendered, likewise.  longest: seconds, beyond which nothing is rendered.
    Raises StreamError, StateError, MismatchError, StorageError, InputError for what is too long.
    """
    _not_longer(stream.frames / _FASTEST, longest)  # before they are all unpacked
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
    _not_longer(1e-6 * (int(states.time[-1]) - start), longest)
    if sound:
        ends = start, sound.packets[0].time, sound.packets[-1].time
        _not_longer(1e-6 * (max(ends) - min(ends)) - _BEYOND, longest)
    renderer = Renderer(avatar, view, device)
    write_video(
        out,
        renderer,
        states.values,
        (states.time - start).tolist(),
        sound.shifted(-start) if sound else None,
        progress,
        Watermark(avatar.digest) if watermark else None,
        badge,
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
    badge: bool = False,
) -> None:
    """One picture a state, shown at its time (us, rising from 0).  mark, badge: not on lossless
    video, which shows what was rendered and nothing else."""
    view = renderer.view
    if container_of(out).lossless:
        mark, badge = None, False
    period = int(np.median(np.diff(times))) if len(times) > 1 else 40_000
    until = [*times[1:], times[-1] + period]
    tags = {FIT_TAG: view.fit}
    with video_file(out, view.width, view.height, 1e6 / period, sound, tags) as video:
        for index, (picture, time) in enumerate(zip(renderer.pictures(states), times)):
            shown = badged(picture) if badge else picture
            shown = shown if mark is None else mark.on(shown, time)
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
        raise StreamError(f"{path}: the stream holds no frame", _AGAIN)
    return stream


def audio_of(stream: Stream) -> OpusTrack | None:
    """The stream's sound, or None.  Raises StreamError for what cannot be put into a video."""
    head = stream.header.audio
    if head is None or not stream.audio:
        return None
    if not is_plain(head):
        raise StreamError("the stream's sound is no Opus in mono or stereo", _AGAIN)
    packets = tuple(OpusPacket(time, data) for time, data in stream.audio)
    if any(after.time <= before.time for before, after in pairwise(packets)):
        raise StreamError("the stream's sound goes back in time", _AGAIN)
    return OpusTrack(head, packets)


def _not_longer(seconds: float, longest: float) -> None:
    if seconds > longest:
        raise InputError(
            f"the stream is longer than {longest:g} seconds, or than {longest * _FASTEST:.0f} "
            "pictures",
            "Cut the call into shorter ones.",
        )

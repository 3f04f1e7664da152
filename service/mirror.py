"""Your face through the codec, live: camera -> states -> bytes -> states -> picture."""

from __future__ import annotations

import time as clock
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar
from avatar.face import Window
from codec.face_codec import FaceDecoder, FaceEncoder, PacketSettings
from codec.header import DIGEST, StreamHeader
from codec.stream_writer import StreamWriter
from enroll.capture import Frame, Video, open_video
from enroll.crops import cut_window
from enroll.identity import IdentityWatch
from enroll.scene import TrackPrior
from enroll.track_live import CausalTracker
from service.calls.badge import badge_height, badged
from service.calls.threads import finder
from service.display import check_display, left, shown
from service.latest import Latest
from service.live_refiner import LiveRefiner, LiveRefineSettings
from service.live_states import LiveStates
from service.receiver import Renderer
from service.surroundings import Surroundings
from service.surroundings_watch import SurroundingsWatch, WatchSettings
from service.traffic import Rate
from service.video_out import container_of, playable_size, video_file
from service.view import View
from service.watermark.mark import Watermark

_LIVE = PacketSettings(frames=1)  # nothing waits for a frame to come
_GREY = 96
_DEADLINE = 0.05  # seconds a picture in a window may take beside tracking
_PERIOD = 40_000  # us a picture is told to last where the next one's time is not known


@dataclass(frozen=True)
class MirrorSettings:
    """size: pixels a side of each of the two pictures.  seconds: of the source, then stop.
    effort: 1 corrects what was tracked by the avatar's own picture (`service.refine`).
    background, light: the room and its light are sent where they are not the enrolled ones."""

    size: int = 256
    effort: int = 0
    seconds: float | None = None
    device: str = "auto"
    background: bool = True
    light: bool = True


@dataclass(frozen=True)
class Reflection:
    """filmed, shown: [size, size, 3], what the camera saw and what a receiver would see.
    time: us.  kbps: of the last two seconds.  owner: whether the face is the enrolled one, None
    where nobody looks; while it is not, nothing is sent, and a receiver sees grey.  left_out:
    steps down from the best picture, so that it came in time."""

    filmed: NDArray[np.uint8]
    shown: NDArray[np.uint8]
    time: int
    visible: bool
    kbps: float
    owner: bool | None = None
    left_out: int = 0


@dataclass(frozen=True)
class Mirrored:
    """fps: pictures shown a second of wall-clock time."""

    frames: int
    kbps: float
    fps: float


class Mirror:
    """One person before one avatar: frames in, reflections out.  watch: whether it is they who
    were enrolled.  deadline: as `Renderer` has it."""

    def __init__(
        self,
        avatar: Avatar,
        settings: MirrorSettings,
        watch: IdentityWatch | None = None,
        deadline: float | None = None,
    ) -> None:
        self._avatar = avatar
        self._watch = watch
        self._size = settings.size
        self._tracker = CausalTracker(prior=TrackPrior.of(avatar))
        header = StreamHeader(digest=bytes.fromhex(avatar.digest)[:DIGEST], layout=avatar.layout)
        self._encoder = FaceEncoder(avatar.statistics, header, _LIVE)
        self._decoder = FaceDecoder(avatar.statistics, header)
        self._sent = _Counter()
        self._stream = StreamWriter(self._sent, header)  # type: ignore[arg-type]
        view = View(settings.size, settings.size)
        self._renderer = Renderer(avatar, view, settings.device, deadline)
        refiner: LiveRefiner | None = None
        if settings.effort:
            looks = LiveRefineSettings() if deadline else LiveRefineSettings(share=1.0)
            refiner = LiveRefiner(avatar, looks, settings.device)
        self._states = LiveStates(avatar, refiner)
        # A recording of what is seen is the same every time.
        self._finding = finder() if deadline else None
        sent = WatchSettings(settings.background, settings.light, posture=bool(settings.effort))
        self._surroundings = SurroundingsWatch(avatar, sent, self._finding)
        self.rate = Rate()

    def step(self, frame: Frame) -> Reflection:
        """The frame's way through tracker, codec and renderer."""
        tracked = self._tracker.step(frame)
        row, owner = tracked.row, None
        if self._watch is not None:
            owner = self._watch.step(frame.time, frame.image, tracked.points)
        if owner is False:
            return self._stopped(frame, row.window, tracked.visible)
        before = self._sent.bytes
        states = self._states.step(frame, row)
        found = self._surroundings.step(frame, row, states)
        if found is not None:
            self._surround(found)
        visible = bool(states.visible[0])
        packets = self._encoder.encode(frame.time, states.values[0], visible)
        received = states
        for packet in packets:
            self._stream.write(packet)
            received = self._decoder.decode(packet)
        self.rate.add(frame.time, self._sent.bytes - before)
        return Reflection(
            cut_window(frame.image, row.window, self._size),
            self._renderer.picture(received.values[-1]),
            frame.time,
            visible,
            self.rate.now,
            owner,
            self._renderer.left_out,
        )

    def _surround(self, found: Surroundings) -> None:
        self._sent.write(bytes(found.message))
        self._renderer.take(found.around(self._avatar))
        self._states.take(found)

    def _stopped(self, frame: Frame, window: Window, visible: bool) -> Reflection:
        """Somebody else is before the camera."""
        filmed = cut_window(frame.image, window, self._size)
        grey = np.full((self._size, self._size, 3), _GREY, np.uint8)
        self.rate.add(frame.time, 0)
        return Reflection(filmed, grey, frame.time, visible, self.rate.now, owner=False)

    def close(self) -> None:
        self._tracker.close()
        if self._finding is not None:
            self._finding.shutdown(wait=False)


class _Counter:
    """A file that only counts."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self.bytes += len(data)
        return len(data)


def mirror(
    avatar: Avatar,
    source: str,
    out: Path | None = None,
    settings: MirrorSettings | None = None,
    watch: IdentityWatch | None = None,
) -> Mirrored:
    """Runs until the source ends, its time is up or the window is closed.

    source: a camera's number or a video file.  out: a video with both pictures side by side,
    of every frame; without it they are shown in a window, and what is late is dropped.  What is
    for people carries the badge, and the watermark over both pictures.
    watch: as `Mirror` has it.
    Raises VideoError, and InputError where there is no display to show a window on.
    """
    settings = settings or MirrorSettings()
    if out is None:
        check_display("Write it to a file: -o mirror.mp4")
    video = open_video(source)
    glass = Mirror(avatar, settings, watch, _DEADLINE if out is None else None)
    begun = clock.monotonic()
    try:
        seen = _reflections(glass, video, live=out is None, seconds=settings.seconds)
        mark = None if out and container_of(out).lossless else Watermark(avatar.digest)
        if out is None:
            count = _to_window(seen, mark)
        else:
            count = _to_file(seen, out, settings.size, video, mark)
    finally:
        glass.close()
        video.close()
    return Mirrored(count, glass.rate.overall, count / max(clock.monotonic() - begun, 1e-6))


def _reflections(
    glass: Mirror, video: Video, live: bool, seconds: float | None
) -> Iterator[Reflection]:
    frames: Iterable[Frame] = Latest(video) if live else video
    for frame in frames:
        if seconds is not None and frame.time > seconds * 1e6:
            return
        yield glass.step(frame)


def _to_file(
    seen: Iterator[Reflection], out: Path, size: int, video: Video, mark: Watermark | None
) -> int:
    width, height = playable_size(out, 2 * size, size)
    count = 0
    with video_file(out, width, height, video.info.fps or 25.0) as target:
        for reflection in seen:
            picture = np.zeros((height, width, 3), np.uint8)
            picture[:size, : 2 * size] = _labelled(reflection, mark is not None)
            picture = picture if mark is None else mark.on(picture, reflection.time)
            target.picture(picture, reflection.time, _PERIOD)
            count += 1
    return count


def _to_window(seen: Iterator[Reflection], mark: Watermark | None) -> int:
    title = "Facewire: q to leave"
    count = 0
    for reflection in seen:
        count += 1
        picture = _labelled(reflection, mark is not None)
        if not shown(title, picture if mark is None else mark.on(picture, reflection.time)):
            break
    left(title)
    return count


def _labelled(reflection: Reflection, badge: bool) -> NDArray[np.uint8]:
    """Both pictures side by side, with the rate written below, above the badge."""
    import cv2

    rendered = badged(reflection.shown) if badge else reflection.shown
    picture = np.ascontiguousarray(np.concatenate([reflection.filmed, rendered], axis=1))
    text = f"{reflection.kbps:.1f} kbit/s" + ("" if reflection.visible else ", no face")
    if reflection.left_out:
        text += f", {reflection.left_out} steps less fine to keep up"
    if reflection.owner is False:
        text = "not the enrolled face"
    scale = picture.shape[0] / 480
    below = badge_height(picture.shape[0]) if badge else 0
    line = picture.shape[0] - below - round(14 * scale)
    place = (picture.shape[1] // 2 + round(12 * scale), line)
    for colour, width in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(
            picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour,
            max(1, round(width * scale)), cv2.LINE_AA,
        )  # fmt: skip
    return picture

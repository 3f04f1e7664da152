"""Pictures in: a video file or a camera as upright RGB frames with their times.

A video's own timestamps are kept (variable frame rate), its display rotation is applied, and what
cannot be decoded is left out and said, so that a damaged file gives what it still holds.  Pixels
are taken as square and as stored: a sample aspect ratio is reported, not applied.
"""

from __future__ import annotations

import time as clock
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from avatar.errors import MissingError, VideoError

LARGEST_SIDE = 8192  # pixels; a header that claims more is damaged or an attack on memory
MOST_FAULTS = 200  # packets in a row that do not decode before the rest is given up


@dataclass(frozen=True)
class VideoInfo:
    """What is known before decoding.  width, height: pixels after display rotation.

    fps: average, 0 if unknown.  frames: estimate from the header, 0 if unknown.  duration:
    seconds, 0 if unknown.  start: microseconds, the file's time of frame time 0 (audio of the same
    file is aligned with it).  pixel_aspect: sample aspect ratio as the header has it, 1 if none.
    """

    name: str
    width: int
    height: int
    fps: float
    frames: int
    duration: float
    has_audio: bool
    start: int = 0
    pixel_aspect: float = 1.0
    live: bool = False


@dataclass(frozen=True)
class Frame:
    image: NDArray[np.uint8]  # [height, width, 3] RGB, upright
    time: int  # microseconds from the video's first frame


class Video(Protocol):
    """Frames of one source, in order.  A file can be gone through again, a camera cannot."""

    info: VideoInfo

    @property
    def damaged(self) -> bool:
        """Something could not be decoded; known for certain once iteration has ended."""

    @property
    def warnings(self) -> list[str]:
        """In plain words, for the user."""

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...


def open_video(source: str | Path | int, frames: slice | None = None) -> Video:
    """Opens a video file, or the camera of that index (0, 1 ... as a number or as text).

    frames: which frames to deliver, counted in the order shown, step 1 only; times stay those of
    the whole video.  Raises VideoError for what is not a readable video or camera, MissingError
    without PyAV.
    """
    if str(source).isdigit():
        return CameraVideo(int(str(source)))
    return FileVideo(Path(str(source)), frames)


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise MissingError(
            "PyAV, which reads video, is not installed.", "pip install 'facewire[send]'"
        ) from None
    return av


class FileVideo:
    """A video file through PyAV."""

    def __init__(self, path: Path, frames: slice | None = None) -> None:
        self._path = path
        self._range = _checked_range(frames)
        self.damaged = False
        self.warnings: list[str] = []
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise VideoError(f"{path} {what}.", "Give the path of a video file.")
        av = _av()
        with self._open(av) as container:
            self.info = self._look(av, container)

    def _open(self, av: Any) -> Any:
        try:
            # Names are never taken for URLs or devices: only the file protocol is opened.
            return av.open(str(self._path.resolve()), options={"protocol_whitelist": "file"})
        except (av.FFmpegError, OSError, ValueError) as error:
            raise VideoError(
                f"{self._path.name} cannot be read as a video: {_reason(error)}",
                "Check that the file plays in a video player; record or download it again if not.",
            ) from None

    def _look(self, av: Any, container: Any) -> VideoInfo:
        if not container.streams.video:
            raise VideoError(
                f"{self._path.name} holds no picture.", "Give a video file, not sound alone."
            )
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise VideoError(
                f"{self._path.name} is in a format that no decoder here knows.",
                "Convert it to H.264 first, for example with ffmpeg.",
            )
        first = next(_decoded(av, container, stream, []), None)
        if first is None:
            raise VideoError(
                f"{self._path.name}: not one picture in it can be decoded.",
                "The file is damaged, or not a video; record or download it again.",
            )
        width, height = first.width, first.height
        if max(width, height) > LARGEST_SIDE:
            raise VideoError(
                f"{self._path.name} is {width}x{height}: larger than {LARGEST_SIDE} pixels.",
                "Scale it down first.",
            )
        if first.rotation % 180:
            width, height = height, width
        self._promised = int(stream.frames or 0)
        base = float(stream.time_base or 1e-6)
        start = first.pts if first.pts is not None else stream.start_time or 0
        duration = 0.0
        if stream.duration:
            duration = float(stream.duration) * base
        elif container.duration:
            duration = container.duration / 1e6
        fps = float(stream.average_rate or 0.0)
        aspect = float(stream.sample_aspect_ratio or 1.0)
        return VideoInfo(
            name=self._path.name,
            width=width,
            height=height,
            fps=fps,
            frames=int(stream.frames or round(duration * fps)),
            duration=duration,
            has_audio=bool(container.streams.audio),
            start=round(start * base * 1e6),
            pixel_aspect=aspect if aspect > 0 else 1.0,
        )

    def __iter__(self) -> Iterator[Frame]:
        av = _av()
        faults: list[str] = []
        backwards = 0
        last = -1
        first, end = self._range
        with self._open(av) as container:
            stream = container.streams.video[0]
            base = float(stream.time_base or 1e-6)
            step = round(1e6 / self.info.fps) if self.info.fps > 0 else 40_000
            index = 0
            for picture in _decoded(av, container, stream, faults):
                if picture.pts is None:
                    time = last + step if last >= 0 else 0
                else:
                    time = max(round(picture.pts * base * 1e6) - self.info.start, 0)
                if time <= last:
                    backwards += 1
                    continue
                last = time
                if end is not None and index >= end:
                    break
                if index >= first:
                    image = self._image(picture)
                    if image is None:
                        faults.append("a picture of another size")
                        continue
                    yield Frame(image, time)
                index += 1
        self._conclude(faults, backwards, index)

    def samples(self, count: int) -> list[Frame]:
        """Up to `count` key frames spread over the whole file, cheap to get; times as in it."""
        av = _av()
        found: list[Frame] = []
        with self._open(av) as container:
            stream = container.streams.video[0]
            base = float(stream.time_base or 1e-6)
            for k in range(count):
                at = self.info.start / 1e6 + self.info.duration * k / count
                try:
                    container.seek(int(at / base), stream=stream)
                    picture = next(_decoded(av, container, stream, []), None)
                except (av.FFmpegError, OSError, ValueError):
                    continue  # a damaged or unseekable file: fewer samples
                if picture is None or picture.pts is None:
                    continue
                time = max(round(picture.pts * base * 1e6) - self.info.start, 0)
                image = self._image(picture)
                if image is not None and all(time != other.time for other in found):
                    found.append(Frame(image, time))
        return found

    def _image(self, picture: Any) -> NDArray[np.uint8] | None:
        """RGB, upright; None if the picture is not as large as the first one."""
        image = picture.to_ndarray(format="rgb24")
        turns = round(picture.rotation / 90) % 4
        if turns:
            image = np.rot90(image, turns)
        if image.shape[:2] != (self.info.height, self.info.width):
            return None
        return np.ascontiguousarray(image)

    def _conclude(self, faults: list[str], backwards: int, count: int) -> None:
        name = self.info.name
        warnings = []
        if faults:
            self.damaged = True
            warnings.append(
                f"{name} is damaged: {len(faults)} part(s) of it did not decode "
                f"({faults[0]}); {count} frames are used."
            )
        elif self._range == (0, None) and count + backwards < 0.95 * self._promised:
            self.damaged = True
            warnings.append(
                f"{name} is cut short: its header promises {self._promised} frames, {count} decode."
            )
        if backwards:
            warnings.append(
                f"{name}: {backwards} frame(s) with a time that does not rise were dropped."
            )
        self.warnings = warnings

    def close(self) -> None:
        """Nothing stays open between iterations."""


class CameraVideo:
    """A live camera through OpenCV; the times are those of the clock when a picture arrives."""

    def __init__(self, index: int) -> None:
        try:
            import cv2
        except ImportError:
            raise MissingError(
                "OpenCV, which reads cameras, is not installed.", "pip install 'facewire[send]'"
            ) from None
        self.damaged = False
        self.warnings: list[str] = []
        self._cv2 = cv2
        level = cv2.getLogLevel()
        cv2.setLogLevel(0)  # a camera that is not there is said once, by us
        try:
            self._capture = cv2.VideoCapture(index)
        finally:
            cv2.setLogLevel(level)
        working, picture = self._capture.read() if self._capture.isOpened() else (False, None)
        if not working or picture is None:
            self._capture.release()
            raise VideoError(
                f"Camera {index} does not open.",
                "Check that it is connected, that no other program uses it and that this one may; "
                "the first camera is number 0.",
            )
        height, width = picture.shape[:2]
        fps = float(self._capture.get(cv2.CAP_PROP_FPS) or 0.0)
        self.info = VideoInfo(f"camera {index}", width, height, fps, 0, 0.0, False, live=True)
        self._first: NDArray[np.uint8] | None = picture

    def __iter__(self) -> Iterator[Frame]:
        begin = clock.monotonic_ns()
        last = -1
        while self._capture.isOpened():
            if self._first is not None:
                picture, self._first = self._first, None
            else:
                working, picture = self._capture.read()
                if not working or picture is None:
                    self.damaged = True
                    self.warnings.append(f"{self.info.name} stopped delivering pictures.")
                    return
            time = max((clock.monotonic_ns() - begin) // 1000, last + 1)
            last = time
            yield Frame(self._cv2.cvtColor(picture, self._cv2.COLOR_BGR2RGB), time)

    def close(self) -> None:
        self._capture.release()


def _checked_range(frames: slice | None) -> tuple[int, int | None]:
    if frames is None:
        return 0, None
    first, end = frames.start or 0, frames.stop
    if frames.step not in (None, 1) or first < 0 or (end is not None and end <= first):
        raise VideoError(
            f"The range of frames {frames.start}:{frames.stop} is empty or runs backwards.",
            "Give it as A:B with 0 <= A < B; B may be left out.",
        )
    return first, end


def _decoded(av: Any, container: Any, stream: Any, faults: list[str]) -> Iterator[Any]:
    """Pictures in the order shown; appends a reason to `faults` for each packet that fails."""
    if not stream.codec_context.is_open:
        stream.thread_type = "AUTO"
    in_a_row = 0
    packets = container.demux(stream)
    while in_a_row < MOST_FAULTS:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError, ValueError) as error:
            # The container itself breaks here: nothing behind this point can be found.
            faults.append(_reason(error))
            packet = None
        try:
            # None flushes the decoder; so does the empty packet that ends an intact file.
            pictures = stream.codec_context.decode(packet)
        except EOFError:
            return
        except (av.FFmpegError, OSError, ValueError) as error:
            faults.append(_reason(error))
            in_a_row += 1
            pictures = []
        for picture in pictures:
            in_a_row = 0
            if picture.is_corrupt:
                faults.append("a damaged picture was left out")
                continue
            yield picture
        if packet is None or packet.size == 0:
            return


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0] if text else type(error).__name__

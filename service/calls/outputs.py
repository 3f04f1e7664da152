"""Where what is seen in a call goes: a video file, a window, a camera that other programs open."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, MissingError
from service.audio import OpusCoder, OpusTrack
from service.calls.heard import HeardClock, SoundLine
from service.display import check_display, left, shown
from service.video_out import VideoWriter, video_file

Picture = NDArray[np.uint8]
_PERIOD = 40_000  # us that the last picture is shown for
_RATE = 25.0  # pictures a second
_TITLE = "Facewire: q to leave"
_NO_CAMERA = (
    "Linux: modprobe v4l2loopback (package v4l2loopback-dkms). macOS and Windows: install OBS, "
    "and start its virtual camera once."
)


class Output(Protocol):
    """live: it shows a picture also while nobody is there.  hears: it takes sound as well."""

    live: bool
    hears: bool

    async def show(self, picture: Picture, now: int) -> bool:
        """One [H, W, 3] RGB picture, to be seen at `now`, microseconds, rising.  False: whoever
        looked has closed it."""


class Hearing(Output, Protocol):
    """An output that hears."""

    def hear(self, frame: Any, now: int) -> None:
        """A frame of sound as aiortc's Opus decoder gives it, that came at `now`, on the clock of
        the pictures."""


class FileOutput:
    """Into a video that begins with the first picture.  coder: of its sound, None for none."""

    live = False

    def __init__(self, writer: VideoWriter, coder: OpusCoder | None = None) -> None:
        self._writer = writer
        self._coder = coder
        self.hears = coder is not None
        self._clock, self._line = HeardClock(), SoundLine()
        self._sounding: list[Future[None]] = []
        self._first: int | None = None
        # A coder takes milliseconds, in which the line would stand still.
        self._coding = ThreadPoolExecutor(1, thread_name_prefix="coding")

    async def show(self, picture: Picture, now: int) -> bool:
        self._first = now if self._first is None else self._first
        loop, at = asyncio.get_running_loop(), now - self._first
        await loop.run_in_executor(self._coding, self._writer.picture, picture, at, _PERIOD)
        self._raise_faults()
        return True

    def hear(self, frame: Any, now: int) -> None:
        """A frame of sound as aiortc's Opus decoder gives it, that came at `now`, on the clock of
        the pictures.  What comes before the first picture is not kept."""
        time = self._clock.time(now, frame.pts)
        if self._first is not None:
            self._sounding.append(self._coding.submit(self._sound, frame, time - self._first))

    def _sound(self, frame: Any, time: int) -> None:
        assert self._coder is not None
        samples = frame.to_ndarray().reshape(-1, 2).astype(np.float32) / 32768
        for block in self._line.add(time, samples):
            self._writer.sound(self._coder.code(block))

    def _raise_faults(self) -> None:
        for done in [each for each in self._sounding if each.done()]:
            self._sounding.remove(done)
            done.result()

    def close(self) -> None:
        self._coding.shutdown()
        self._raise_faults()
        if self._coder is not None:
            self._writer.sound(self._coder.rest())


class WindowOutput:
    """Into a window.  Raises InputError where there is no display."""

    live = True
    hears = False

    def __init__(self) -> None:
        check_display("Write it to a file: -o call.mp4")

    async def show(self, picture: Picture, now: int) -> bool:
        return shown(_TITLE, picture)

    def close(self) -> None:
        left(_TITLE)


class CameraOutput:
    """Into a virtual camera, which other programs open as they do a real one.

    device: its name, "" for the first that is there.  Raises MissingError without pyvirtualcam,
    InputError where there is no such device."""

    live = True
    hears = False

    def __init__(self, size: int, device: str = "") -> None:
        if importlib.util.find_spec("pyvirtualcam") is None:
            raise MissingError(
                "pyvirtualcam, which feeds a virtual camera, is not installed.",
                "pip install 'facewire[camera]'",
            )
        import pyvirtualcam

        try:
            self._camera: Any = pyvirtualcam.Camera(size, size, _RATE, device=device or None)
        except (RuntimeError, ValueError, OSError) as error:
            which = f"the virtual camera {device}" if device else "a virtual camera"
            said = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"{which} does not open: {said}", _NO_CAMERA) from None

    @property
    def device(self) -> str:
        """What other programs call it."""
        return str(self._camera.device)

    async def show(self, picture: Picture, now: int) -> bool:
        self._camera.send(np.ascontiguousarray(picture))
        return True

    def close(self) -> None:
        self._camera.close()


@contextmanager
def file_output(path: Path, size: int, sound: bool = False) -> Iterator[FileOutput]:
    """A file that is there when the block ends without an error; as `video_file` raises.  sound:
    what is heard goes into it."""
    coder = OpusCoder(2) if sound else None
    track = None if coder is None else OpusTrack(coder.head, ())
    with video_file(path, size, size, _RATE, track) as writer:
        output = FileOutput(writer, coder)
        try:
            yield output
        finally:
            output.close()


@contextmanager
def closed(output: Any) -> Iterator[Any]:
    """An output, closed at the end of the block."""
    try:
        yield output
    finally:
        output.close()

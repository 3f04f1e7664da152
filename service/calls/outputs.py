"""Where what is seen in a call goes: a video file, a window, a camera that other programs open."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, MissingError
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
    """live: it shows a picture also while nobody is there."""

    live: bool

    async def show(self, picture: Picture, now: int) -> bool:
        """One [H, W, 3] RGB picture, to be seen at `now`, microseconds, rising.  False: whoever
        looked has closed it."""


class FileOutput:
    """Into a video that begins with the first picture."""

    live = False

    def __init__(self, writer: VideoWriter) -> None:
        self._writer = writer
        self._first: int | None = None
        # A coder takes milliseconds, in which the line would stand still.
        self._coding = ThreadPoolExecutor(1, thread_name_prefix="coding")

    async def show(self, picture: Picture, now: int) -> bool:
        self._first = now if self._first is None else self._first
        loop, at = asyncio.get_running_loop(), now - self._first
        await loop.run_in_executor(self._coding, self._writer.picture, picture, at, _PERIOD)
        return True

    def close(self) -> None:
        self._coding.shutdown()


class WindowOutput:
    """Into a window.  Raises InputError where there is no display."""

    live = True

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
def file_output(path: Path, size: int) -> Iterator[FileOutput]:
    """A file that is there when the block ends without an error; as `video_file` raises."""
    with video_file(path, size, size, _RATE) as writer:
        output = FileOutput(writer)
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

"""The ffmpeg program that imageio-ffmpeg brings, with VVC, SVT-AV1 and x265 in it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from avatar.errors import FacewireError, MissingError

_LINES = 8  # of the program's own words that a message repeats


class ToolError(FacewireError):
    """ffmpeg ended with an error.  `output` holds all that it said."""

    def __init__(self, message: str, output: str) -> None:
        last = "\n".join(output.strip().splitlines()[-_LINES:])
        super().__init__(f"{message}:\n{last}" if last else message)
        self.output = output


def ffmpeg_program() -> str:
    """Its path.  Raises MissingError where imageio-ffmpeg is not installed."""
    try:
        import imageio_ffmpeg
    except ImportError:
        raise MissingError(
            "imageio-ffmpeg, which brings the classic codecs, is not installed.",
            "pip install 'facewire[bench]'",
        ) from None
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def run_ffmpeg(arguments: Sequence[str], frames: Iterable[NDArray[np.uint8]] = ()) -> str:
    """Runs it to the end, with the frames' bytes on its standard input; returns what it said.
    Raises ToolError where it fails."""
    command = [ffmpeg_program(), "-hide_banner", "-nostats", "-y", *arguments]
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        ) as process:
            assert process.stdin is not None
            try:
                for frame in frames:
                    process.stdin.write(np.ascontiguousarray(frame).data)
                process.stdin.close()
            except BrokenPipeError:
                pass  # it has given up: its exit code and its words say why
            except BaseException:
                process.kill()
                raise
        said.seek(0)
        output = said.read().decode(errors="replace")
    if process.returncode:
        raise ToolError(f"ffmpeg failed with exit code {process.returncode}", output)
    return output


def read_frames(arguments: Sequence[str], width: int, height: int) -> Iterator[NDArray[np.uint8]]:
    """Runs it and yields the rgb24 pictures [height, width, 3] of its standard output."""
    command = [ffmpeg_program(), "-hide_banner", "-nostats", *arguments]
    length = width * height * 3
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
        ) as process:
            assert process.stdout is not None
            try:
                while len(data := process.stdout.read(length)) == length:
                    yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
            finally:
                process.stdout.close()
        said.seek(0)
        output = said.read().decode(errors="replace")
    if process.returncode:
        raise ToolError(f"ffmpeg failed with exit code {process.returncode}", output)
    if data:
        raise ToolError(f"ffmpeg's last picture is cut short at {len(data)} bytes", output)

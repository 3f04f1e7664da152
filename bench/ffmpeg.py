"""The ffmpeg program that imageio-ffmpeg brings, with VVC, SVT-AV1 and x265 in it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from avatar.errors import FacewireError, MissingError

_LINES = 16  # of the program's own words that a message repeats


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


@lru_cache(maxsize=2)
def _offered(kind: Literal["encoders", "filters"]) -> frozenset[str]:
    done = subprocess.run(
        [ffmpeg_program(), "-hide_banner", f"-{kind}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise ToolError(f"ffmpeg does not say which {kind} it has", done.stderr)
    # A row is flags, name and the rest; the legend above has no name where rows have it.
    return frozenset(row.split()[1] for row in done.stdout.splitlines() if len(row.split()) > 2)


def missing_in_ffmpeg(kind: Literal["encoders", "filters"], name: str) -> str:
    """Nothing ("") where ffmpeg is there and has this encoder or filter, else "needs ..."."""
    try:
        there = name in _offered(kind)
    except MissingError:
        return "needs the package imageio-ffmpeg"
    except ToolError as error:
        return f"needs an ffmpeg that runs: {error.message.splitlines()[0]}"
    return "" if there else f"needs an ffmpeg built with {name}"

"""Still pictures: a receiver's own background, a rendered avatar."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError
from avatar.storage import write_whole

LARGEST_SIDE = 16384  # pixels


def read_picture(path: str | Path) -> NDArray[np.uint8]:
    """A PNG, JPEG or the like -> [H, W, 3] RGB.  Raises InputError."""
    import av

    try:
        with av.open(str(Path(path).resolve()), options={"protocol_whitelist": "file"}) as file:
            frame = cast(Any, next(file.decode(video=0)))
            if max(frame.width, frame.height) > LARGEST_SIDE:
                raise InputError(f"{path} is {frame.width}x{frame.height}", "Scale it down first.")
            return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except (av.FFmpegError, OSError, StopIteration, IndexError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as a picture", "Give a PNG or JPEG file."
        ) from error


def write_png(path: str | Path, picture: NDArray[np.uint8]) -> None:
    """[H, W, 3] RGB, written whole or not at all.  Raises StorageError."""
    write_whole(path, png_bytes(picture))


def png_bytes(picture: NDArray[np.uint8]) -> bytes:
    """[H, W, 3] RGB as the bytes of a PNG file."""
    import av

    coder = cast(Any, av.CodecContext.create("png", "w"))
    coder.height, coder.width = picture.shape[:2]
    coder.pix_fmt = "rgb24"
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    packets = [*coder.encode(frame), *coder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)

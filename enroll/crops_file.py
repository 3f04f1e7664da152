"""The `.crops` file: the pictures that a fit learns from, to be carried to a machine that fits.

With it and a `.track` an avatar is enrolled where there is no video decoder and no face tracker.
safetensors: "time" [F] int64 us, "length" [F] int64 bytes, "pictures" uint8, the frames' JPEG or
PNG one after another.  Metadata: "facewire" = "crops", "version", "size", and "sha256" over the
three tensors.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import FacewireError, FormatError, InputError, VersionError
from avatar.face import Window
from avatar.storage import write_whole
from enroll.capture import Frame
from enroll.crops import Crops, cut_window, read_crops

VERSION = 1
SUFFIX = ".crops"
LOSSLESS = 100  # the quality that stands for PNG
_TYPES = {"time": np.int64, "length": np.int64, "pictures": np.uint8}
_AGAIN = "Write it again: facewire track VIDEO -o VIDEO.track --frames VIDEO.crops"

Array = NDArray[Any]


@dataclass(frozen=True)
class CropsSettings:
    """size: side of the pictures in pixels.  quality: of JPEG; 100 is PNG, without any loss."""

    size: int = 512
    quality: int = 95


def write_crops(
    frames: Iterable[Any],  # an open video: `.image`, `.time`
    window: Window,
    path: str | Path,
    settings: CropsSettings = CropsSettings(),
    progress: Callable[[int], None] | None = None,
) -> int:
    """Cuts the window out of every frame and writes them all; returns how many there were.

    Memory holds the compressed pictures, not the frames.  Raises InputError for a size that is
    none or a video without frames, StorageError where the disk is full.
    """
    if not (32 <= settings.size <= 2048 and 1 <= settings.quality <= LOSSLESS):
        raise InputError(
            f"pictures of {settings.size} pixels a side at quality {settings.quality} cannot be "
            "written",
            "Choose 32 to 2048 pixels and a quality of 1 to 100.",
        )
    times, parts = [], []
    for frame in frames:
        parts.append(_packed(cut_window(frame.image, window, settings.size), settings.quality))
        times.append(frame.time)
        if progress is not None:
            progress(len(parts))
    if not parts:
        raise InputError("the video holds no frame", "Check it with: ffmpeg -i VIDEO -f null -")
    tensors: dict[str, Any] = {
        "time": np.asarray(times, np.int64),
        "length": np.asarray([len(part) for part in parts], np.int64),
        "pictures": np.frombuffer(b"".join(parts), np.uint8),
    }
    metadata = {
        "facewire": "crops",
        "version": str(VERSION),
        "size": str(settings.size),
        "sha256": _digest(tensors),
    }
    from safetensors.numpy import save

    write_whole(path, save(tensors, metadata))
    return len(parts)


def load_crops(
    path: str | Path, size: int, times: Array | None = None, into: Array | None = None
) -> Crops:
    """The pictures of a file at size x size, those at `times` as `read_crops` has it, or all.

    Raises FormatError for what is damaged or no such file, VersionError for one from the future,
    InputError where it cannot be opened, holds pictures smaller than `size` or none at one of
    `times`.
    """
    name = Path(path).name
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"{name} cannot be read: {error.strerror or error}.", "Give the path of a .crops file."
        ) from None
    try:
        return _parse(data, name, size, times, into)
    except FacewireError:
        raise
    except Exception as error:  # safetensors raises its own class, derived from Exception alone
        raise FormatError(f"{name} is damaged: {error}", _AGAIN) from None


def _parse(data: bytes, name: str, size: int, times: Array | None, into: Array | None) -> Crops:
    from safetensors.numpy import load

    (length,) = struct.unpack_from("<Q", data)
    metadata = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    if metadata.get("facewire") != "crops":
        raise FormatError(f"{name} holds no frames for a fit.", _AGAIN)
    if int(metadata["version"]) > VERSION:
        raise VersionError(
            f"{name} was written by a newer Facewire (crops version {metadata['version']}, this "
            f"one reads up to {VERSION}).",
            "Upgrade Facewire, or write the file again with this one.",
        )
    tensors = load(data)
    sound = set(tensors) == set(_TYPES) and all(
        tensors[key].dtype == kind and tensors[key].ndim == 1 for key, kind in _TYPES.items()
    )
    if not sound or _digest(tensors) != metadata["sha256"]:
        raise FormatError(f"{name} is damaged: its checksum does not match.", _AGAIN)
    stored = int(metadata["size"])
    if stored < size:
        raise InputError(
            f"{name} holds pictures of {stored} pixels a side, fewer than {size}",
            f"Fit with --size {stored} or less, or write the file again with --size {size}.",
        )
    whole = Window(0, 0, stored, stored, stored)
    wanted = set() if times is None else set(times.tolist())
    ends = np.cumsum(tensors["length"])
    starts = ends - tensors["length"]
    shown = (
        Frame(_unpacked(tensors["pictures"][start:end], stored), int(time))
        for start, end, time in zip(starts, ends, tensors["time"])
        if times is None or time in wanted
    )
    return read_crops(shown, whole, size, tensors["time"] if times is None else times, into)


def _packed(image: NDArray[np.uint8], quality: int) -> bytes:
    import cv2

    # Colour as sharp as brightness: red lips on half the pixels would be learned so.
    options = [
        cv2.IMWRITE_JPEG_QUALITY, quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]  # fmt: skip
    kind, options = (".png", []) if quality == LOSSLESS else (".jpg", options)
    _, data = cv2.imencode(kind, np.ascontiguousarray(image[..., ::-1]), options)
    return bytes(data)


def _unpacked(data: Array, size: int) -> Array:
    import cv2

    image: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if image is None or image.shape != (size, size, 3):
        raise ValueError("a picture in it cannot be decoded")
    return np.ascontiguousarray(image[..., ::-1])


def _digest(tensors: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].shape}".encode())
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()

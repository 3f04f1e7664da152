"""The `.track` file: a face track as safetensors, whole or not at all.

Tensors are those of `FaceTrack` under their own names.  Metadata: "facewire" = "track", "version",
"scene" (camera, window as JSON) and "sha256" over names, types, shapes and bytes of all tensors
and over the scene, so that a flipped bit is an error and not another face.
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from avatar.camera import Pinhole
from avatar.errors import FacewireError, InputError, TrackError, VersionError
from avatar.face import FaceTrack, Window
from avatar.storage import write_whole

VERSION = 1
_TYPES = {
    "time": np.int64,
    "expression": np.float32,
    "rotation": np.float32,
    "translation": np.float32,
    "gaze": np.float32,
    "lids": np.float32,
    "torso": np.float32,
    "confidence": np.float32,
    "box": np.float32,
    "mask": np.uint8,
    "identity": np.float32,
    "torso_reference": np.uint8,
}
_AGAIN = "Track the video again: facewire track VIDEO -o VIDEO.track"


def write_track(track: FaceTrack, path: str | Path) -> None:
    """Raises StorageError where the disk is full or the folder cannot be written."""
    from safetensors.numpy import save

    tensors = {
        name: np.ascontiguousarray(getattr(track, name), kind) for name, kind in _TYPES.items()
    }
    w = track.window
    scene = json.dumps(
        {
            "camera": {"focal": track.camera.focal, "centre": list(track.camera.centre)},
            "window": [w.left, w.top, w.side, w.width, w.height],
        },
        sort_keys=True,
    )
    metadata = {
        "facewire": "track",
        "version": str(VERSION),
        "scene": scene,
        "sha256": _digest(tensors, scene),
    }
    write_whole(path, save(tensors, metadata))


def read_track(path: str | Path) -> FaceTrack:
    """Raises TrackError for what is not a sound track, VersionError for one from the future,
    InputError where the file cannot be opened."""
    name = Path(path).name
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"{name} cannot be read: {error.strerror or error}.", "Give the path of a .track file."
        ) from None
    try:
        return _parse(data, name)
    except FacewireError:
        raise
    except Exception as error:  # safetensors raises its own class, derived from Exception alone
        raise TrackError(f"{name} is damaged: {error}", _AGAIN) from None


def _parse(data: bytes, name: str) -> FaceTrack:
    from safetensors.numpy import load

    metadata = _metadata(data)
    if metadata.get("facewire") != "track":
        raise TrackError(f"{name} is not a face track.", "Give a file that `facewire track` wrote.")
    version = int(metadata["version"])
    if version > VERSION:
        raise VersionError(
            f"{name} was written by a newer Facewire (track version {version}, this one reads up "
            f"to {VERSION}).",
            "Upgrade Facewire, or track the video again with this one.",
        )
    tensors = load(data)
    if set(tensors) != set(_TYPES) or any(
        tensors[key].dtype != np.dtype(kind) for key, kind in _TYPES.items()
    ):
        raise TrackError(f"{name} does not hold what a track of version {version} holds.", _AGAIN)
    if _digest(tensors, metadata["scene"]) != metadata["sha256"]:
        raise TrackError(f"{name} is damaged: its checksum does not match.", _AGAIN)
    scene = json.loads(metadata["scene"])
    left, top, side, width, height = scene["window"]
    u, v = scene["camera"]["centre"]
    return FaceTrack(
        **tensors,
        camera=Pinhole(float(scene["camera"]["focal"]), (float(u), float(v))),
        window=Window(float(left), float(top), float(side), int(width), int(height)),
    )


def _metadata(data: bytes) -> dict[str, str]:
    """The free text of a safetensors header: 8 bytes of length, then JSON."""
    (length,) = struct.unpack_from("<Q", data)
    if length > len(data) - 8:
        raise ValueError("it is cut short")
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    found = header.get("__metadata__", {})
    return found if isinstance(found, dict) else {}


def _digest(tensors: dict[str, Any], scene: str) -> str:
    digest = hashlib.sha256(scene.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()

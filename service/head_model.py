"""A tracked head as a 3D model file, to be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, MismatchError
from avatar.face import EXPRESSIONS, FaceTrack
from avatar.morphable import FaceModel
from avatar.storage import write_whole


def write_head(
    path: str | Path, identity: NDArray[np.floating], expression: NDArray[np.floating]
) -> None:
    """The morphable model with these coefficients, head space in metres, as binary glTF.

    Raises MismatchError for coefficients of another model, StorageError.
    """
    import trimesh

    model = FaceModel.load()
    if len(identity) != model.identities:
        raise MismatchError(
            f"{len(identity)} identity coefficients, the face model has {model.identities}",
            "Track the video again with this version.",
        )
    points = model.vertices(np.asarray(identity), np.asarray(expression))
    mesh = trimesh.Trimesh(points, model.triangles, process=False)
    data = mesh.export(file_type="glb")
    assert isinstance(data, bytes)  # as trimesh does for glb
    write_whole(path, data)


def expression_of(track: FaceTrack, frame: int) -> NDArray[np.float32]:
    """[79] of one frame.  Raises InputError where there is no such frame."""
    if not 0 <= frame < len(track):
        raise InputError(
            f"the track has no frame {frame}", f"It has the frames 0 to {len(track) - 1}."
        )
    return np.asarray(track.expression[frame], np.float32)


def rest() -> NDArray[np.float32]:
    """[79] of a face that does nothing."""
    return np.zeros(EXPRESSIONS, np.float32)

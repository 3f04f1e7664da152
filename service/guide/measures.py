"""What a face does, in a few plain numbers: the tracker's coefficients as angles and openings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.camera import rotation_matrix
from avatar.face import FaceTrack
from avatar.morphable import FaceModel

Array = NDArray[Any]

# Points of MediaPipe's mesh: inner lips up and down, corners of the mouth, outer corners of eyes.
_UPPER, _LOWER, _RIGHT, _LEFT, _EYES = 13, 14, 61, 291, (33, 263)


@dataclass(frozen=True)
class Measures:
    """Of F frames, NaN where no face was seen.  yaw: degrees to the viewer's right; pitch: up.
    mouth: between the lips; smile: how much wider the mouth is than at rest; both in distances
    between the outer corners of the eyes.  lids: 1 at rest, 0 shut, the wider open eye's."""

    time: Array  # [F] us
    yaw: Array
    pitch: Array
    mouth: Array
    smile: Array
    lids: Array


def measures_of(track: FaceTrack) -> Measures:
    """Of every frame of a track, or of the row of a live one."""
    model = FaceModel.load()
    ahead = rotation_matrix(track.rotation)[:, :, 2].astype(
        np.float64
    )  # the face's z in the camera
    yaw = np.degrees(np.arctan2(ahead[:, 0], ahead[:, 2]))
    pitch = np.degrees(np.arcsin(np.clip(ahead[:, 1], -1.0, 1.0)))
    used = [_UPPER, _LOWER, _RIGHT, _LEFT, *_EYES]
    neutral = model.neutral(track.identity)[used].astype(np.float64)
    moved = neutral + np.tensordot(track.expression, model.expression[:, used], 1)
    scale = np.linalg.norm(neutral[4] - neutral[5])
    mouth = (moved[:, 0, 1] - moved[:, 1, 1]) / scale
    width = np.linalg.norm(moved[:, 2] - moved[:, 3], axis=-1)
    smile = (width - np.linalg.norm(neutral[2] - neutral[3])) / scale
    lids = track.lids.max(axis=1).astype(np.float64)
    unseen = track.confidence <= 0
    columns = [np.where(unseen, np.nan, c) for c in (yaw, pitch, mouth, smile, lids)]
    return Measures(track.time, *columns)

"""A frame's tracked numbers in the form in which they are filtered.

Expression, rotation vector, place of the face's middle in the window (u, v), logarithm of its
depth, gaze, lids, torso: 95 numbers.  The middle of the face, not the head's origin: a rotation's
jitter moves the origin, which no landmark shows, and must not move the face.  The logarithm of
depth apart from the place: along the line of sight a landmark says least.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.camera import Pinhole, rotation_matrix, rotation_vector
from avatar.face import EXPRESSIONS
from avatar.morphable import SKIN_POINTS
from enroll.pose_fit import Poses

Array = NDArray[Any]

GROUPS = {
    "expression": slice(0, EXPRESSIONS),
    "rotation": slice(EXPRESSIONS, EXPRESSIONS + 3),
    "place": slice(EXPRESSIONS + 3, EXPRESSIONS + 5),
    "depth": slice(EXPRESSIONS + 5, EXPRESSIONS + 6),
    "gaze": slice(EXPRESSIONS + 6, EXPRESSIONS + 10),
    "lids": slice(EXPRESSIONS + 10, EXPRESSIONS + 12),
    "torso": slice(EXPRESSIONS + 12, EXPRESSIONS + 16),
}
NUMBERS = EXPRESSIONS + 16


def numbers_of(
    poses: Poses, gaze: Array, lids: Array, torso: Array, neutral: Array, camera: Pinhole
) -> Array:
    """[B, 95] of B frames.  neutral: [478, 3], the person at rest."""
    rotation = poses.rotation.astype(np.float64)
    at = rotation @ _middle(neutral) + poses.translation
    parts = [
        poses.expression,
        rotation_vector(rotation),
        camera.project(at),
        np.log(-at[:, 2:]),
        gaze,
        lids,
        torso,
    ]
    return np.concatenate(parts, axis=1)


def columns_of(numbers: Array, neutral: Array, camera: Pinhole) -> dict[str, Array]:
    """[B, 95] -> columns of a face track by their names there."""
    group = {name: numbers[:, columns] for name, columns in GROUPS.items()}
    depth = np.exp(group["depth"][:, 0])
    across = (group["place"][:, 0] - camera.centre[0]) * depth / camera.focal
    down = (group["place"][:, 1] - camera.centre[1]) * depth / camera.focal
    at = np.stack([across, -down, -depth], axis=1)
    rotation = rotation_matrix(group["rotation"])
    return {
        "expression": group["expression"],
        "rotation": group["rotation"],
        "translation": at - rotation @ _middle(neutral),
        "gaze": group["gaze"],
        "lids": group["lids"],
        "torso": group["torso"],
    }


def _middle(neutral: Array) -> Array:
    return np.asarray(neutral[:SKIN_POINTS].mean(axis=0), np.float64)

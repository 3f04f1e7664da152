"""What to tell a person before a camera: light, distance, place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.camera import rotation_matrix
from avatar.face import FaceTrack
from avatar.morphable import SKIN_POINTS, FaceModel

Array = NDArray[Any]

_DARK, _BRIGHT = 60.0, 225.0  # mean of the face's grey values, 0..255
_UNEVEN = 55.0  # difference between the two halves of the face
_FAR, _NEAR = 0.22, 0.75  # the face's height over the picture's
_UNSURE = 0.35  # confidence below which the picture is too poor


@dataclass(frozen=True)
class Advice:
    """light: mean grey of the face, 0..1.  distance: the face's height over the picture's.
    words: what to do, empty where all is well."""

    seen: bool
    confidence: float
    light: float
    distance: float
    words: str


def mesh_points(row: FaceTrack) -> Array:
    """[468, 2] the tracked mesh in the source picture, as shares of its width and height."""
    model, window = FaceModel.load(), row.window
    head = model.vertices(row.identity, row.expression[0])[:SKIN_POINTS]
    placed = head @ rotation_matrix(row.rotation)[0].T + row.translation[0]
    at = row.camera.project(placed) * window.side + (window.left, window.top)
    return np.asarray(at / (window.width, window.height))


def advise(image: NDArray[np.uint8], row: FaceTrack, points: Array) -> Advice:
    """image: [H, W, 3] RGB, of which `row` is the track and `points` the mesh."""
    sure = float(row.confidence[0])
    if sure <= 0:
        return Advice(False, 0.0, 0.0, 0.0, "No face is seen: look into the camera.")
    left, top = np.clip(points.min(axis=0), 0, 1)
    right, bottom = np.clip(points.max(axis=0), 0, 1)
    height, width = image.shape[:2]
    part = image[
        int(top * height) : int(bottom * height) + 1, int(left * width) : int(right * width) + 1
    ]
    grey = part.mean(axis=2)
    half = max(1, grey.shape[1] // 2)
    light, tilt = float(grey.mean()), abs(float(grey[:, :half].mean() - grey[:, -half:].mean()))
    distance = float(bottom - top)
    words = ""
    if distance > _NEAR:
        words = "Go back a little."
    elif distance < _FAR:
        words = "Come closer."
    elif min(left, top, 1 - right, 1 - bottom) < 0.01:
        words = "Move into the middle of the picture."
    elif light < _DARK:
        words = "It is too dark: turn on a light in front of you."
    elif light > _BRIGHT:
        words = "It is too bright: turn away from the light."
    elif tilt > _UNEVEN:
        words = "Light comes from one side only: face the window or lamp."
    elif sure < _UNSURE:
        words = "The face is hard to follow: hold still, and take off what hides it."
    return Advice(True, sure, light / 255, distance, words)

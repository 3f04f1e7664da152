"""Where figures are taken: the whole picture, the face, the mouth and the eyes.

Boxes are [4] left, top, right, bottom, 0..1 of the picture; a frame without a face has NaN.  What
is judged is a box times 1.3 (`render.metrics.face_region`), always at the reference's place, so
that a face drawn elsewhere counts as wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.camera import rotation_matrix
from avatar.face import FaceTrack, Window
from avatar.features import EYES as EYE_LANDMARKS
from avatar.features import LIPS
from avatar.morphable import FaceModel
from render.lanczos import lanczos
from render.metrics import face_region

WHOLE, FACE, MOUTH, EYES = "whole", "face", "mouth", "eyes"
REGIONS = (WHOLE, FACE, MOUTH, EYES)
SIDES = {FACE: 256, MOUTH: 128, EYES: 128}  # pixels that a region is resized to, where it must be

Array = NDArray[Any]
Boxes = Mapping[str, Array]  # a region's name -> [F, 4]


def boxes_of(track: FaceTrack, rows: Array, window: Window) -> dict[str, Array]:
    """The regions of some of a track's frames, [F, 4] each; the picture is the window.

    The face is the tracked box.  Mouth and eyes are the fitted face model's lips and lids.
    """
    seen = track.confidence[rows] > 0
    model = FaceModel.load()
    turn = rotation_matrix(track.rotation[rows].astype(np.float64))
    head = model.vertices(track.identity, track.expression[rows])
    points = head @ np.swapaxes(turn, 1, 2) + track.translation[rows][:, None]
    at = track.camera.project(points)
    found = {FACE: track.box[rows].astype(np.float64)}
    for name, chosen in ((MOUTH, LIPS), (EYES, EYE_LANDMARKS)):
        part = at[:, list(chosen)]
        found[name] = np.concatenate([part.min(axis=1), part.max(axis=1)], axis=1)
    for box in found.values():
        pixels = box * track.window.side + [track.window.left, track.window.top] * 2
        box[:] = (pixels - [window.left, window.top] * 2) / window.side
        inside = np.clip(box, 0.0, 1.0)
        empty = (inside[:, 2] <= inside[:, 0]) | (inside[:, 3] <= inside[:, 1])
        box[~seen | empty] = np.nan
    return found


def cuts(
    frames: NDArray[np.uint8],  # [F, H, W, 3]
    boxes: Array,  # [F, 4]
    side: int | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """The region in every frame that has it.  side: resized to side x side by Lanczos, otherwise
    as large as it is."""
    height, width = frames.shape[1:3]
    for frame, box in zip(frames, boxes, strict=True):
        if np.isfinite(box).all():
            part = frame[face_region(box, width, height)]
            yield part if side is None else lanczos(part, side, side)

"""Where people look in a face: mouth and eyes as the lab cuts them, what lies between lips and
between lids, and hair.

Points are a frame's 478 landmarks [478, 2] in its pixels, x and y from the picture's corner.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.face import Window
from bench.metrics.tracked import Tracked
from bench.regions import EYES, FACE, MOUTH, boxes_of
from render.metrics import face_region

TEETH, IRISES, HAIR = "between the lips", "between the lids", "hair"
PLACES = (FACE, MOUTH, TEETH, EYES, IRISES, HAIR)
PERSON = 0.5  # of a matte
CLEAR = 0.08  # of the face's height: so far above the brows' arches there is nothing of them
LEAST = 12  # pixels that a place must have in a frame to be judged there

# Of the face mesh, each once around: the face's outline, inner lips, lids.
_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
_LIPS = (
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
_LIDS = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
_TOP, _CHIN = 10, 152  # of the forehead, of the face
_BROWS = (105, 334)  # where either arches

Array = NDArray[Any]
Masks = NDArray[np.bool_]  # [F, H, W]


def places(filmed: NDArray[np.uint8], seen: Tracked) -> dict[str, Masks]:
    """By name, of frames [F, H, W, 3] and what the tracker found in them; none of a frame
    without a face, or where a place has next to nothing of it."""
    shape = filmed.shape[1:3]
    side = max(shape)
    found = {name: np.zeros(filmed.shape[:3], bool) for name in PLACES}
    if seen.track is None:
        return found
    whole = Window(0, 0, side, shape[1], shape[0])
    for name, boxes in boxes_of(seen.track, np.arange(len(filmed)), whole).items():
        for mask, box in zip(found[name], boxes, strict=True):
            if np.isfinite(box).all():
                mask[face_region(box, shape[1], shape[0])] = True
    matte = mattes(filmed)
    for f in np.flatnonzero(seen.found):
        points = seen.points[f] * (side / 256)
        found[TEETH][f] = between_lips(points, shape)
        found[IRISES][f] = between_lids(points, shape)
        found[HAIR][f] = hair(filmed[f], points, matte[f])
    for masks in found.values():
        masks[masks.sum(axis=(1, 2)) < LEAST] = False
    return found


def between_lips(points: Array, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """[H, W]"""
    return _inside(points[list(_LIPS)], shape)


def between_lids(points: Array, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """[H, W] of both eyes."""
    right, left = (_inside(points[list(edge)], shape) for edge in _LIDS)
    return right | left


def hair(picture: Array, points: Array, matte: Array) -> NDArray[np.bool_]:
    """[H, W] what of the person (matte [H, W], 0..1) is above the brows, as the head is tilted,
    and nearer in colour to hair than to skin: of a picture [H, W, 3].

    Skin is the median of the face below the brows, hair that of the quarter above them which is
    least like it.  What falls beside the cheeks is left out: there are ears, and the neck.
    """
    up = points[_TOP] - points[_CHIN]
    rows, columns = np.indices(matte.shape) + 0.5
    first = points[list(_BROWS)].mean(axis=0) + CLEAR * up
    above = (columns - first[0]) * up[0] + (rows - first[1]) * up[1] > 0
    person = (matte > PERSON) & above
    face = _inside(points[list(_OVAL)], matte.shape) & ~above
    if not person.any() or not face.any():
        return np.zeros(matte.shape, bool)
    away = np.linalg.norm(picture - np.median(picture[face], axis=0), axis=2)
    least = np.median(picture[person & (away >= np.quantile(away[person], 0.75))], axis=0)
    return np.asarray(person & (np.linalg.norm(picture - least, axis=2) < away))


def mattes(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """[F, H, W], 1 = person."""
    import cv2

    from enroll.matte import SelfieMatte

    height, width = frames.shape[1:3]
    network = SelfieMatte()
    try:
        return np.stack([cv2.resize(network.matte(f), (width, height)) for f in frames])
    finally:
        network.close()


def _inside(edge: Array, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """[H, W] whose pixels' centres lie within a polygon [N, 2]."""
    from skimage.draw import polygon2mask

    return np.asarray(polygon2mask(shape, edge[:, ::-1] - 0.5))

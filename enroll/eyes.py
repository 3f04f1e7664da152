"""Where the eyes look and how far they are open, in the head's own frame.

The landmarks of the eyes are thrown back along their rays onto the fitted head, in its own frame:
what the head's rotation does to the picture of an eye is undone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.camera import Pinhole

Array = NDArray[Any]

# Subject's right eye, then left: outer and inner corner, iris centre, (upper, lower) lid pairs.
CORNERS = ((33, 133), (263, 362))
IRISES = (468, 473)
LIDS = (((160, 144), (159, 145), (158, 153)), ((387, 373), (386, 374), (385, 380)))


def gaze_and_lids(
    points: Array, neutral: Array, rotation: Array, translation: Array, camera: Pinhole
) -> tuple[Array, Array]:
    """Gaze [B, 4] (right eye right, up, left eye right, up; eye widths) and opening [B, 2].

    points: [B, 478, 3] landmarks in the window.  neutral: [478, 3] the person at rest; an opening
    of 1 is that of this shape.  rotation [B, 3, 3], translation [B, 3]: camera <- head.
    A source without irises gives a gaze of 0, straight ahead.
    """
    gaze, lids = [], []
    for (outer, inner), iris, pairs in zip(CORNERS, IRISES, LIDS, strict=True):
        used = [outer, inner, iris, *(a for a, _ in pairs), *(b for _, b in pairs)]
        at = _in_head(points[:, used], neutral[used, 2], rotation, translation, camera)
        width = np.maximum(np.linalg.norm(at[:, 0] - at[:, 1], axis=1), 1e-4)
        gaze.append((at[:, 2] - 0.5 * (at[:, 0] + at[:, 1])) / width[:, None])
        opening = np.nanmean(at[:, 3 : 3 + len(pairs), 1] - at[:, 3 + len(pairs) :, 1], axis=1)
        rest = np.mean([neutral[a, 1] - neutral[b, 1] for a, b in pairs])
        rest_width = float(np.linalg.norm(neutral[outer, :2] - neutral[inner, :2]))
        lids.append(opening / width / max(float(rest) / rest_width, 0.05))
    return np.nan_to_num(np.concatenate(gaze, axis=1)), np.stack(lids, axis=1)


def _in_head(
    points: Array, height: Array, rotation: Array, translation: Array, camera: Pinhole
) -> Array:
    """[B, n, 3] window points -> [B, n, 2] x, y in the head, metres: where the ray of each point
    meets the plane z = height [n] of the head's frame."""
    rays = np.stack(
        [
            (points[..., 0] - camera.centre[0]) / camera.focal,
            -(points[..., 1] - camera.centre[1]) / camera.focal,
            np.full(points.shape[:2], -1.0),
        ],
        axis=-1,
    )
    rays = rays @ rotation  # rows times R: R^-1 applied
    pinhole = -(translation[:, None] @ rotation)
    along = rays[..., 2]
    # A ray that grazes the plane (a head seen from the side) must not shoot to infinity.
    along = np.where(np.abs(along) < 0.2, np.where(along < 0, -0.2, 0.2), along)
    reach = (height - pinhole[..., 2]) / along
    return np.asarray((pinhole + reach[..., None] * rays)[..., :2])

"""How the head meets the shoulders: colour and gradient across the border of the two fields.

The border is the avatar's own, of each state: where the head's opacity falls through a half before
a torso of more than that.  What is drawn and what was filmed are looked at along the same curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from render.person import Person
from render.picture import TILE, pixel_points
from render.portrait import SAMPLING

REACH = 1.5  # pixels from the border to where either side is looked at
_SMOOTH = 2.0  # pixels, before the border's direction is taken

Array = NDArray[Any]


@dataclass(frozen=True)
class Border:
    """at: [N, 2] row and column in pixels.  across: [N, 2] unit vectors out of the head."""

    at: Array
    across: Array


def border(person: Person, values: Array, size: int) -> Border:
    """Of one state [D] in a picture of size x size pixels; may be empty."""
    head, torso = opacities(person, values, size)
    inside = head >= 0.5
    beside = np.pad(inside, 1, mode="edge")
    edge = inside & ~(beside[:-2, 1:-1] & beside[2:, 1:-1] & beside[1:-1, :-2] & beside[1:-1, 2:])
    fall = -np.stack(np.gradient(gaussian_filter(head, _SMOOTH)), axis=-1)
    steep = np.linalg.norm(fall, axis=-1)
    rows = np.nonzero(edge & (torso > 0.5) & (steep > 1e-3))
    return Border(np.stack(rows, axis=-1).astype(float), fall[rows] / steep[rows][:, None])


@torch.no_grad()
def opacities(person: Person, values: Array, size: int) -> tuple[Array, Array]:
    """[size, size] each: the head's and, as if there were no head, the torso's."""
    drive = person.drive(torch.from_numpy(np.asarray(values, np.float32))[None])
    consistency = person.consistency(drive.motion)
    driven = person.head.drive(drive.expression, consistency)
    points = pixel_points(0.0, 0.0, 1.0, 1.0, size, size).reshape(1, -1, 2)
    head, torso = [], []
    for some in points.split(TILE, dim=1):
        head.append(person.head_layers(driven, drive, some, SAMPLING).head_opacity)
        torso.append(person.shoulders(consistency, drive, some)[1])
    shape = (size, size)
    return torch.cat(head, 1).numpy().reshape(shape), torch.cat(torso, 1).numpy().reshape(shape)


def steps(picture: NDArray[np.uint8], along: Border) -> tuple[float, float]:
    """Levels of 255, means over the border and over the channels: by how much colours differ
    across it, and by how much their slopes on either side do, over as many pixels."""
    far_in, near_in, near_out, far_out = (
        _colours(picture, along.at + k * REACH * along.across) for k in (-2, -1, 1, 2)
    )
    slopes = (far_out - near_out) - (near_in - far_in)
    return float(np.abs(near_out - near_in).mean()), float(np.abs(slopes).mean())


def _colours(picture: NDArray[np.uint8], at: Array) -> Array:
    """[N, 3] at [N, 2], bilinear; beyond the picture its edge."""
    planes = np.moveaxis(picture.astype(np.float64), -1, 0)
    return np.stack([map_coordinates(p, at.T, order=1, mode="nearest") for p in planes], axis=-1)

"""The pinhole camera that looks at a person.

Spaces used everywhere in Facewire
    head    right-handed, metres, origin near the centre of the head, x to the viewer's right
            when the face is frontal, y up, z out of the face towards the viewer.
    camera  right-handed, metres, origin at the pinhole, x right, y up, the scene at negative z
            (the OpenGL and NeRF convention).  A frontal head has rotation I and t = (0, 0, -d).
    window  the square of the source picture that an avatar covers: u right, v down, both 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pinhole:
    """focal: in window sides.  centre: principal point (u, v) in the window."""

    focal: float
    centre: tuple[float, float] = (0.5, 0.5)

    def project(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Camera space [..., 3] in metres -> window [..., 2]."""
        depth = -points[..., 2]
        u = self.centre[0] + self.focal * points[..., 0] / depth
        v = self.centre[1] - self.focal * points[..., 1] / depth
        return np.stack([u, v], axis=-1)


def rotation_matrix(rotvec: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rotation vectors [..., 3] in radians -> matrices [..., 3, 3] (Rodrigues' formula)."""
    rotvec = np.asarray(rotvec)
    angle2 = np.sum(rotvec * rotvec, axis=-1)[..., None, None]
    angle = np.sqrt(angle2)
    # sin(a)/a and (1-cos a)/a^2 by their series near 0, where the quotients lose all digits.
    small = angle2 < 1e-8
    safe = np.where(small, 1.0, angle)
    a = np.where(small, 1.0 - angle2 / 6.0, np.sin(safe) / safe)
    b = np.where(small, 0.5 - angle2 / 24.0, (1.0 - np.cos(safe)) / (safe * safe))
    x, y, z = rotvec[..., 0], rotvec[..., 1], rotvec[..., 2]
    zero = np.zeros_like(x)
    k = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    return np.eye(3, dtype=k.dtype) + a * k + b * (k @ k)


def rotation_vector(matrix: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rotation matrices [..., 3, 3] -> rotation vectors [..., 3] in radians, angle below pi."""
    m = np.asarray(matrix)
    axis = np.stack(
        [m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]],
        axis=-1,
    )
    sine = 0.5 * np.linalg.norm(axis, axis=-1)
    cosine = 0.5 * (np.trace(m, axis1=-2, axis2=-1) - 1.0)
    angle = np.arctan2(sine, cosine)
    scale = np.where(sine < 1e-7, 0.5, angle / np.maximum(2.0 * sine, 1e-12))
    return axis * scale[..., None]

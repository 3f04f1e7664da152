"""An avatar looked at without a call: a pose, or once around."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar
from avatar.camera import rotation_matrix, rotation_vector
from avatar.embedding import embed
from avatar.errors import InputError
from avatar.face import EXPRESSIONS

FARTHEST = 90.0  # degrees of yaw, pitch or roll
STRONGEST = 6.0  # standard deviations of an expression coefficient
AROUND = 30.0  # degrees to either side that a turntable shows
NOD = 10.0  # degrees up and down


def posed(
    avatar: Avatar,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    expression: Mapping[int, float] | None = None,
) -> NDArray[np.float32]:
    """[D] a state: the person's mean, turned by degrees (yaw to the viewer's right, pitch up,
    roll clockwise), with some of the 79 expression coefficients set and the others at 0.

    Raises InputError for what lies out of reach.
    """
    for name, angle in (("yaw", yaw), ("pitch", pitch), ("roll", roll)):
        if not abs(angle) <= FARTHEST:
            raise InputError(
                f"{name} {angle:g} is out of reach", "Angles go from -90 to 90 degrees."
            )
    columns = avatar.layout.groups
    values = np.array(avatar.statistics.mean, np.float32)
    if avatar.layout.rotation:
        axes = np.radians([[-pitch, 0.0, 0.0], [0.0, yaw, 0.0], [0.0, 0.0, -roll]])
        x, y, z = rotation_matrix(axes)
        values[columns["rotation"]] = rotation_vector(y @ x @ z)
    if expression is not None:
        values[columns["code"]] = embed(avatar.group("embedding"), _row(expression))[0]
    return values


def turntable(avatar: Avatar, frames: int) -> Iterator[NDArray[np.float32]]:
    """States of one round: left, up, right, down, and back to where it began."""
    for angle in np.linspace(0.0, 2 * np.pi, frames, endpoint=False):
        yield posed(avatar, -AROUND * float(np.sin(angle)), NOD * float(np.sin(2 * angle)))


def _row(expression: Mapping[int, float]) -> NDArray[np.float32]:
    row = np.zeros((1, EXPRESSIONS), np.float32)
    for index, value in expression.items():
        if not 0 <= index < EXPRESSIONS:
            raise InputError(f"expression {index} does not exist", "They are numbered 0 to 78.")
        if not abs(value) <= STRONGEST:
            raise InputError(
                f"expression {index} at {value:g} is out of reach", "Give -6 to 6 deviations."
            )
        row[0, index] = value
    return row

"""Where a person's mouth and eyes are in the window, of a head held so.

Letters: F frames, K features, D numbers of a state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar
from avatar.camera import Pinhole, rotation_matrix
from avatar.face import StateLayout
from avatar.features import LEFT_EYE, LIPS, RIGHT_EYE
from avatar.morphable import FaceModel

Array = NDArray[Any]

FEATURES = (LIPS, RIGHT_EYE, LEFT_EYE)
_ROOM = 0.3  # of a feature's width, beside it: a mouth opens, and is seen by what is around it


@dataclass(frozen=True)
class Features:
    """One person's, at rest: `places`, one [n, 3] for each of `FEATURES`, head space, metres."""

    places: tuple[Array, ...]
    camera: Pinhole
    layout: StateLayout

    @staticmethod
    def of(avatar: Avatar) -> Features:
        neutral = FaceModel.load().neutral(avatar.identity)
        places = tuple(neutral[list(landmarks)] for landmarks in FEATURES)
        return Features(places, avatar.camera, avatar.layout)

    def boxes(self, values: Array) -> Array:
        """States [F, D] -> [F, K, 4]: left, top, right, bottom, 0..1 of the window, or beyond."""
        columns = self.layout.groups
        turn = rotation_matrix(values[:, columns["rotation"]].astype(np.float64))
        away = values[:, None, columns["translation"]].astype(np.float64)
        found = []
        for place in self.places:
            seen = self.camera.project(place @ np.swapaxes(turn, 1, 2) + away)
            least, most = seen.min(axis=1), seen.max(axis=1)
            room = _ROOM * (most[:, :1] - least[:, :1])
            found.append(np.concatenate([least - room, most + room], axis=1))
        return np.stack(found, axis=1)

"""From fitted poses to the numbers of a face track, for many frames or one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.morphable import SKIN_POINTS
from enroll.eyes import gaze_and_lids
from enroll.numbers import numbers_of
from enroll.pose_fit import Poses
from enroll.scene import Scene, TrackSettings

Array = NDArray[Any]


def read_frames(points: Array, poses: Poses, torso: Array, scene: Scene) -> Array:
    """[B, 95] measured numbers (see enroll/numbers.py).  points: [B, 478, 3] in the window."""
    gaze, lids = gaze_and_lids(
        points, scene.neutral, poses.rotation, poses.translation, scene.camera
    )
    return numbers_of(poses, gaze, lids, torso, scene.neutral, scene.camera)


def confidence_of(poses: Poses, points: Array, found: Array, settings: TrackSettings) -> Array:
    """[B] above 0 .. 1: how well the model explains the landmarks, times how sure their source
    was."""
    box = boxes(points)
    height = box[:, 3] - box[:, 1]
    relative = poses.error / np.maximum(height, 1e-6) / settings.error_scale
    return np.asarray(np.clip(found * np.exp(-(relative**2)), 0.01, 1.0))


def boxes(points: Array) -> Array:
    """[B, 4] left, top, right, bottom of the face in the window, over the points there are."""
    xy = points[:, :SKIN_POINTS, :2]
    return np.concatenate([np.nanmin(xy, axis=1), np.nanmax(xy, axis=1)], axis=1)

"""From a face track to what is sent for one avatar."""

from __future__ import annotations

import numpy as np

from avatar.avatar import Avatar
from avatar.calibration import calibrated
from avatar.embedding import embed
from avatar.face import FaceStates, FaceTrack
from codec.quantize import FINEST, Quantizer


def states_of(track: FaceTrack, avatar: Avatar) -> FaceStates:
    """The track's frames as states of this avatar, whatever camera filmed them: its embedding of
    the expression, no farther than this person's go, its calibration of pose and shoulders, in the
    order of its layout.

    A frame whose numbers lie so far from everything enrolled that no quality can send them is
    marked as not visible.
    """
    track = track.on_camera(avatar.camera)
    motion = np.concatenate([track.rotation, track.translation, track.torso], axis=1)
    if "tracker.calibration" in avatar.tensors:
        motion = calibrated(avatar.tensors["tracker.calibration"], motion)
    code = embed(avatar.group("embedding"), track.expression)
    habit = avatar.habit
    parts = {
        "code": code if habit is None else habit.within(code),
        "rotation": motion[:, :3],
        "translation": motion[:, 3:6],
        "gaze": track.gaze,
        "lids": track.lids,
        "torso": motion[:, 6:],
    }
    used = [part for name, part in parts.items() if getattr(avatar.layout, name)]
    values = np.concatenate(used, axis=1).astype(np.float32)
    sane = Quantizer(avatar.statistics, FINEST).sendable(values)
    values = np.where(sane[:, None], values, avatar.statistics.mean).astype(np.float32)
    return FaceStates(track.time, values, (track.confidence > 0) & sane, avatar.layout)

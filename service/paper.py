"""The main paper's own numbers (003, section 3.1): points of reference beside what we send.

It sends 30 codes, or all 79 expression coefficients where there is no embedding, and head pose as
the 9 numbers of a rotation matrix and 3 of translation.  Eyelids, gaze and shoulders have none.
"""

from __future__ import annotations

import numpy as np

from avatar.avatar import Avatar
from avatar.camera import rotation_matrix, rotation_vector
from avatar.embedding import embed
from avatar.errors import MismatchError
from avatar.face import EXPRESSIONS, FaceStates, FaceTrack, StateLayout
from service.states import states_of


def expressions_of(track: FaceTrack, avatar: Avatar) -> FaceStates:
    """The track's coefficients as they are, and its pose as this avatar understands it."""
    known = states_of(track, avatar)
    pose = [known.values[:, avatar.layout.groups[n]] for n in ("rotation", "translation")]
    values = np.concatenate([track.expression, *pose], axis=1).astype(np.float32)
    layout = StateLayout(EXPRESSIONS, avatar.layout.rotation, avatar.layout.translation, 0, 0, 0)
    return FaceStates(track.time, values, known.visible, layout)


def paper_states(states: FaceStates) -> FaceStates:
    """Codes or coefficients, rotation matrices and translations of some states; all else goes."""
    columns = states.layout.groups
    pose = states.values[:, columns["rotation"]].astype(np.float64)
    values = np.concatenate(
        [
            states.values[:, columns["code"]],
            rotation_matrix(pose).reshape(-1, 9),
            states.values[:, columns["translation"]],
        ],
        axis=1,
    )
    layout = StateLayout(states.layout.code, 9, 3, 0, 0, 0)
    return FaceStates(states.time, values.astype(np.float32), states.visible, layout)


def drawable(states: FaceStates, avatar: Avatar) -> FaceStates:
    """States in the avatar's own layout.  What the paper's way does not send is at its mean.

    Raises MismatchError for a layout that is neither.
    """
    if states.layout == avatar.layout:
        return states
    had, wanted = states.layout, avatar.layout
    if (had.rotation, had.translation) != (9, 3) or had.code not in (EXPRESSIONS, wanted.code):
        raise MismatchError(
            f"the stream's states are {had}, the avatar's {wanted}",
            "Decode with the avatar that the stream was made for.",
        )
    columns = had.groups
    code = states.values[:, columns["code"]]
    if had.code == EXPRESSIONS:
        code = embed(avatar.group("embedding"), code)
    matrices = states.values[:, columns["rotation"]].astype(np.float64).reshape(-1, 3, 3)
    values = np.tile(np.asarray(avatar.statistics.mean, np.float32), (len(states), 1))
    values[:, wanted.groups["code"]] = code
    values[:, wanted.groups["rotation"]] = rotation_vector(matrices)
    values[:, wanted.groups["translation"]] = states.values[:, columns["translation"]]
    return FaceStates(states.time, values, states.visible, wanted)

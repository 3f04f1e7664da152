"""Whether a person falls apart where no frame of the enrolment came: holes, floaters, lost faces.

No clip goes there, so that the states are made: the enrolment's mean with the head turned about
the neck, and with the expression 1.3 times as far as its axes go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from avatar.archive import read_avatar
from avatar.avatar import Avatar
from avatar.camera import rotation_matrix, rotation_vector
from avatar.morphable import FaceModel
from bench.figure import Figure
from benchmarks.lab import Lab
from benchmarks.seam import opacities
from benchmarks.wholeness import OPAQUE, detail, floaters, holes, strays
from enroll.identity import Describer, can_describe
from render.portrait import Portrait
from render.tensors import fields_of

SIZE = 256
ANGLES = tuple(range(-30, 31, 5))  # degrees
BANDS = (15, 30)  # degrees up to which the worst is told
BEYOND = 1.3  # times the enrolment's end
WIDEST = 6  # axes of the expression, those that go farthest
# Head space, metres: about where heads turn.  Fitted to the tracks of podium, newsdesk, webcam and
# turning it is 0.05 to 0.19 below the head's middle, and 0.05 behind to 0.02 before it.
NECK = np.array([0.0, -0.1, -0.04])
RIM = 0.006  # metres from where a head is expected to where nothing of it may be,
LONGER = 0.05  # and by how much more where it is turned, by the sine: it is longer than wide
INSET = 6  # pixels that the mesh, which is at rest, may reach beyond a jaw that is not
_TURNS = {"pitch": 0, "yaw": 1, "roll": 2}  # axis of the camera
_LIPS = 13  # of the mesh

Array = NDArray[Any]


@dataclass(frozen=True)
class Look:
    """One picture's figures.  Shares are of the silhouette; identity is the cosine to the mean
    state's picture, detail the face's gradient energy by that picture's."""

    holes: float
    floaters: float
    strays: float
    identity: float
    detail: float


class Sitter:
    """An avatar, and what it is compared with: itself, in the enrolment's mean state."""

    def __init__(self, avatar: Avatar) -> None:
        self.mean = avatar.statistics.mean.astype(np.float64)
        self._avatar, self._camera = avatar, avatar.camera
        self._columns = avatar.layout.groups
        self._portrait, self._fields = Portrait(avatar, "cpu"), fields_of(avatar)
        model = FaceModel.load()
        self._mesh = model.neutral(avatar.identity).astype(np.float64)
        self._triangles = model.triangles
        self._describer = Describer() if can_describe() else None
        (seen, picture), (head, _) = self._drawn(self.mean), self._layers(self.mean)
        points = self._points(self.mean)
        self._head = head >= OPAQUE
        # What the head hides of the shoulders below the mouth may come to light, a neck say.
        self._body = (seen >= OPAQUE) & (np.arange(SIZE)[:, None] > points[_LIPS, 1])
        self._sign, self._sharp = self._face(self.mean, picture)

    def turned(self, axis: int, degrees: float) -> Array:
        """The mean state [D] with the head turned about an axis of the camera through its neck."""
        turn = np.zeros(3)
        turn[axis] = np.radians(degrees)
        pose, place = self._place(self.mean)
        turned = rotation_matrix(turn) @ pose
        state = self.mean.copy()
        state[self._columns["rotation"]] = rotation_vector(turned)
        state[self._columns["translation"]] = place + (pose - turned) @ NECK
        return state

    def exaggerated(self) -> Iterator[tuple[str, Array]]:
        """What it is, and the mean state with the expression beyond either end of an axis."""
        habit = self._avatar.habit
        if habit is None:
            return
        order = np.argsort(-np.linalg.norm(habit.ends, axis=0))[:WIDEST]
        for rank, axis in enumerate(order):
            for sign in (-1.0, 1.0):
                state = self.mean.copy()
                away = sign * BEYOND * habit.ends[:, axis]
                state[self._columns["code"]] = habit.centre + away
                yield f"axis {rank + 1}, {sign:+.0f}", state

    def look(self, state: Array) -> Look:
        seen, picture = self._drawn(state)
        pose, place = self._place(state)
        away = np.cross((pose @ self._place(self.mean)[0].T)[:, 2], (0.0, 0.0, 1.0))
        reach = (RIM + LONGER * np.linalg.norm(away)) * self._camera.focal * SIZE / -place[2]
        sign, sharp = self._face(state, picture)
        return Look(
            holes=holes(seen, self._layers(state), self._covered(state)),
            floaters=floaters(seen),
            strays=strays(seen, self._expected(state), float(reach)),
            identity=float(sign @ self._sign),
            detail=sharp / self._sharp,
        )

    def _drawn(self, state: Array) -> tuple[Array, NDArray[np.uint8]]:
        """Opacity [SIZE, SIZE] of all that is drawn, by what is left of the step from a black wall
        to a white one, and the picture before the black one."""
        black, white = (
            self._portrait.render(state, SIZE, SIZE, background=(level,) * 3) for level in (0, 255)
        )
        left = (white.astype(np.float64) - black).max(-1) / 255.0
        return 1.0 - left, black

    def _layers(self, state: Array) -> list[Array]:
        """[SIZE, SIZE] opacities of head and shoulders, each by itself, of every second pixel."""
        return [np.kron(one, np.ones((2, 2))) for one in opacities(self._fields, state, SIZE // 2)]

    def _place(self, state: Array) -> tuple[Array, Array]:
        """Rotation [3, 3] and translation [3] of the head."""
        columns = self._columns
        return rotation_matrix(state[columns["rotation"]]), state[columns["translation"]]

    def _points(self, state: Array) -> Array:
        """[478, 2] pixels of the mesh at rest."""
        pose, place = self._place(state)
        return np.asarray(self._camera.project(self._mesh @ pose.T + place) * SIZE)

    def _covered(self, state: Array) -> NDArray[np.bool_]:
        """Where the mesh is sure to lie."""
        mask = np.zeros((SIZE, SIZE), np.uint8)
        corners = np.rint(self._points(state)[self._triangles] - 0.5).astype(np.int32)
        for triangle in corners:
            cv2.fillConvexPoly(mask, triangle, 1)
        return np.asarray(binary_erosion(mask, iterations=INSET))

    def _expected(self, state: Array) -> NDArray[np.bool_]:
        """The mean state's head, shifted, scaled and rolled as this one's, and its shoulders."""
        (before, was), (after, now) = self._place(self.mean), self._place(state)
        change = after @ before.T
        roll = np.degrees(np.arctan2(change[1, 0] - change[0, 1], change[0, 0] + change[1, 1]))
        old, new = (self._camera.project(place) * SIZE - 0.5 for place in (was, now))
        move = cv2.getRotationMatrix2D(tuple(map(float, old)), float(roll), float(was[2] / now[2]))
        move[:, 2] += new - old
        head = cv2.warpAffine(self._head.astype(np.float32), move, (SIZE, SIZE))
        return np.asarray((head >= 0.5) | self._body)

    def _face(self, state: Array, picture: NDArray[np.uint8]) -> tuple[Array, float]:
        """The face's descriptor [128], NaN without the network, and its gradient energy."""
        sign = np.full(1, np.nan)
        if self._describer is not None:
            sign = self._describer.describe(picture, self._points(state))
        return sign, detail(picture, self._covered(state))


def gentle(lab: Lab, clip: str, protocol: str) -> Iterator[Figure]:
    """Of one avatar at 256x256, the worst over each band of each turn, and over expressions."""
    who = lab.enrolled(clip, protocol)
    name, sitter = f"gentle {Path(clip).stem}", Sitter(read_avatar(who.avatar))
    yield from worst(name, "mean state", [("", sitter.look(sitter.mean))])
    for turn, axis in _TURNS.items():
        looks = [(angle, sitter.look(sitter.turned(axis, angle))) for angle in ANGLES]
        for band in BANDS:
            some = [(f"{angle:+d} degrees", look) for angle, look in looks if abs(angle) <= band]
            yield from worst(name, f"{turn} to {band} degrees", some)
    faces = [(what, sitter.look(state)) for what, state in sitter.exaggerated()]
    yield from worst(name, f"expression {BEYOND:g} times", faces)


def worst(name: str, where: str, looks: Sequence[tuple[str, Look]]) -> Iterator[Figure]:
    """One figure a measure, and in the note which look it is of."""
    for what, bound in (("holes", 0.1), ("floaters", 0.1), ("strays", 1.0)):
        at, share = max(((at, getattr(look, what)) for at, look in looks), key=lambda x: x[1])
        yield Figure(name, f"{what}, {where}", 100 * share, "%", bound, "at most", at)
    for what in ("identity", "detail"):
        at, least = min(((at, getattr(look, what)) for at, look in looks), key=lambda x: x[1])
        yield Figure(name, f"{what}, {where}", least, "", note=at)


def _row(clip: str, protocol: str) -> Callable[[Lab], Iterator[Figure]]:
    return lambda lab: gentle(lab, clip, protocol)


GENTLE: dict[str, Callable[[Lab], Iterator[Figure]]] = {
    "gentle-podium": _row("podium.mp4", "tail"),
    "gentle-newsdesk": _row("newsdesk.mp4", "10s"),
    "gentle-webcam": _row("webcam.mp4", "tail"),
    "gentle-turning": _row("turning.mp4", "fifths"),
}

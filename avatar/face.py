"""What is known of a face over time: as tracked (`FaceTrack`) and as sent (`FaceStates`).

Letters: F frames, D numbers of a state, N identity coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.camera import Pinhole
from avatar.errors import InputError, StateError

EXPRESSIONS = 79  # 003 section 3.1: the 3DMM's expression coefficients
CODES = 30  # 003 section 3.1: the fine-tuning embedding's width

Array = NDArray[Any]


@dataclass(frozen=True)
class Window:
    """The square of the source that an avatar covers, in source pixels after display rotation.

    left, top, side: of the square.  width, height: of the whole source picture.
    """

    left: float
    top: float
    side: float
    width: int
    height: int


@dataclass(frozen=True)
class FaceTrack:
    """A person followed through a video.  Rows of frames without a face repeat the last pose
    and have confidence 0: a lost face is a state, frames are marked and never dropped.
    """

    time: Array  # [F] int64, microseconds, rising
    expression: Array  # [F, 79] float32, morphable-model coefficients in standard deviations
    rotation: Array  # [F, 3] float32, rotation vector camera <- head, radians
    translation: Array  # [F, 3] float32, camera <- head, metres
    gaze: Array  # [F, 4] float32, per eye (subject's right, left) iris offset right, up; eye widths
    lids: Array  # [F, 2] float32, opening of the (subject's right, left) eye; 1 = at rest
    torso: Array  # [F, 4] float32, shift right, shift down (window sides), roll (rad), log scale
    confidence: Array  # [F] float32, 0 (no face) .. 1
    box: Array  # [F, 4] float32, face box (left, top, right, bottom) in the window
    mask: Array  # [F, 64, 64] uint8, the person's matte over the window, 255 = person
    identity: Array  # [N] float32, morphable-model shape of the person, standard deviations
    camera: Pinhole
    window: Window
    torso_reference: Array = field(
        default_factory=lambda: np.zeros((64, 64), np.uint8)
    )  # [64, 64] uint8, the grey window picture that `torso` is measured against

    def __len__(self) -> int:
        return len(self.time)

    def __post_init__(self) -> None:
        frames = len(self.time)
        for name, shape in {
            "expression": (frames, EXPRESSIONS),
            "rotation": (frames, 3),
            "translation": (frames, 3),
            "gaze": (frames, 4),
            "lids": (frames, 2),
            "torso": (frames, 4),
            "confidence": (frames,),
            "box": (frames, 4),
            "mask": (frames, 64, 64),
        }.items():
            if getattr(self, name).shape != shape:
                raise InputError(
                    f"face track: {name} has shape {getattr(self, name).shape}, not {shape}",
                    "Track the video again with this version: facewire track VIDEO -o VIDEO.track",
                )

    def cut(self, rows: slice | Array) -> FaceTrack:
        """The track of some of the frames."""
        per_frame = (
            "time expression rotation translation gaze lids torso confidence box mask".split()
        )
        return replace(self, **{name: getattr(self, name)[rows] for name in per_frame})

    def on_camera(self, camera: Pinhole) -> FaceTrack:
        """The track as another camera would have it, with all where it was in the window, and as
        large: a head of one size is nearer to a shorter lens."""
        if self.camera == camera:
            return self
        place = self.translation.astype(np.float64)
        depth = -place[:, 2]
        grown = camera.focal / self.camera.focal
        for axis, turned in ((0, 1.0), (1, -1.0)):
            off = self.camera.centre[axis] - camera.centre[axis]
            place[:, axis] += turned * off * depth / self.camera.focal
        place[:, 2] *= grown
        return replace(self, translation=place.astype(self.translation.dtype), camera=camera)


@dataclass(frozen=True)
class StateLayout:
    """The groups of numbers in a state, in the order of the bitstream.  A group of width 0 is
    switched off; the paper's own setting is 30 codes and pose alone (003 section 3.1)."""

    code: int = CODES
    rotation: int = 3
    translation: int = 3
    gaze: int = 4
    lids: int = 2
    torso: int = 4

    @property
    def groups(self) -> dict[str, slice]:
        """Name -> columns, switched-off groups as empty slices."""
        columns, start = {}, 0
        for name in GROUPS:
            width = getattr(self, name)
            columns[name] = slice(start, start + width)
            start += width
        return columns

    @property
    def width(self) -> int:
        return sum(getattr(self, name) for name in GROUPS)


GROUPS = ("code", "rotation", "translation", "gaze", "lids", "torso")
EXPRESSION = ("code", "gaze", "lids")  # those of them that say what the face does


@dataclass(frozen=True)
class FaceStates:
    """What is sent, for F frames: one row of D numbers a frame in `layout`'s order.

    Units: code dimensionless; rotation (rad) and translation (m) camera <- head; gaze, lids
    and torso as in `FaceTrack`.
    """

    time: Array  # [F] int64, microseconds, strictly rising
    values: Array  # [F, D] float32
    visible: Array  # [F] bool, False where the face is lost
    layout: StateLayout = StateLayout()

    def __len__(self) -> int:
        return len(self.time)

    def group(self, name: str) -> Array:
        """One group's columns, [F, width]."""
        return self.values[:, self.layout.groups[name]]

    def __post_init__(self) -> None:
        frames = len(self.time)
        if self.values.shape != (frames, self.layout.width) or self.visible.shape != (frames,):
            raise StateError(
                f"face states: {frames} times, values {self.values.shape}, visible "
                f"{self.visible.shape} do not fit a layout of {self.layout.width} numbers",
                "Give one row of numbers and one flag for every time.",
            )
        if frames > 1 and not np.all(np.diff(self.time) > 0):
            raise StateError(
                "face states: times do not rise",
                "Sort the frames by time and drop those shown at the same microsecond.",
            )
        if not np.all(np.isfinite(self.values)):
            row, column = np.argwhere(~np.isfinite(self.values))[0]
            raise StateError(
                f"face states: number {column} of frame {row} is {self.values[row, column]}",
                "A tracker must not report NaN or infinities; mark the frame as not visible.",
            )

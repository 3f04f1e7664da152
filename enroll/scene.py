"""What stays as it is through a video: the person's shape, the camera, the window."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar
from avatar.camera import Pinhole
from avatar.face import Window
from avatar.morphable import SKIN_POINTS
from enroll.numbers import GROUPS, NUMBERS
from enroll.pose_fit import PoseFit, PoseFitSettings
from enroll.shoulders import Rest, Shoulders
from enroll.smooth import Motion
from enroll.torso import TorsoSettings

Array = NDArray[Any]


@dataclass(frozen=True)
class TrackSettings:
    """identity_frames: how many frames identity and focal length are found on.  error_scale:
    reprojection error, in face heights, at which confidence falls to 1/e.  settle: frames after
    which a live tracker without a prior looks at the person's shape once more.  Pairs: measurement
    noise and drive (see `Motion`) of each group of numbers.
    """

    identity_frames: int = 24
    error_scale: float = 0.06
    settle: int = 45
    longest_gap: float = 0.5  # seconds; a longer one starts the filters anew
    expression: tuple[float, float] = (0.05, 100.0)
    known_expression: tuple[float, float] = (0.5, 30.0)
    rotation: tuple[float, float] = (0.004, 1.5)  # rad
    place: tuple[float, float] = (0.0005, 0.5)  # window sides
    depth: tuple[float, float] = (0.0025, 0.15)  # logarithm
    gaze: tuple[float, float] = (0.006, 6.0)
    lids: tuple[float, float] = (0.03, 60.0)
    torso: tuple[float, float] = (0.0006, 0.3)
    fit: PoseFitSettings = field(default_factory=PoseFitSettings)
    torso_fit: TorsoSettings = field(default_factory=TorsoSettings)

    def motion(self, known: bool) -> Motion:
        """known: whether the person's avatar is there."""
        noise, drive = np.zeros(NUMBERS), np.zeros(NUMBERS)
        for name, columns in GROUPS.items():
            noise[columns], drive[columns] = getattr(self, name)
        if known:
            noise[GROUPS["expression"]], drive[GROUPS["expression"]] = self.known_expression
        return Motion(noise, drive)


@dataclass(frozen=True)
class TrackPrior:
    """What is known of the person before a video is seen.  source_size: width, height of the
    source that `camera` and `window` hold for; for any other they are found again, and so is the
    window where the face is not in it.  rest: where
    head and shoulders were, None where nothing is known of it."""

    identity: Array  # [N]
    camera: Pinhole
    window: Window
    torso_reference: Array  # [64, 64] uint8
    source_size: tuple[int, int]
    rest: Rest | None = None

    @staticmethod
    def of(avatar: Avatar) -> TrackPrior:
        """The prior that an avatar holds of its person."""
        reference = avatar.tensors.get("tracker.torso_reference", np.zeros((64, 64), np.uint8))
        columns, mean = avatar.layout.groups, np.asarray(avatar.statistics.mean, np.float64)
        rest = Rest(mean[columns["translation"]], mean[columns["torso"]], avatar.camera)
        return TrackPrior(
            identity=avatar.identity,
            camera=avatar.camera,
            window=avatar.window,
            torso_reference=np.asarray(reference).astype(np.uint8),
            source_size=(avatar.window.width, avatar.window.height),
            rest=rest if avatar.layout.translation and avatar.layout.torso else None,
        )

    def holds_for(self, size: tuple[int, int]) -> bool:
        return self.source_size == size


@dataclass(frozen=True)
class Scene:
    """identity: [N].  neutral: [478, 3], that person at rest, head space, metres."""

    identity: Array
    neutral: Array
    camera: Pinhole
    window: Window


def find_scene(
    fit: PoseFit,
    points: Array,
    size: tuple[int, int],
    settings: TrackSettings,
    prior: TrackPrior | None = None,
    camera: Pinhole | None = None,
    window: Window | None = None,
) -> Scene:
    """The scene of a video from frames with a face, or from what is known already.

    points: [F, 478, 3] source pixels.  size: width, height of the source.  camera, window: to be
    taken as known, where they are.
    """
    window = window or window_for(points, size, prior)
    identity = None if prior is None else prior.identity
    if prior is not None and prior.holds_for(size):
        camera = prior.camera
    if identity is None or camera is None:
        spread = np.unique(np.linspace(0, len(points) - 1, settings.identity_frames).astype(int))
        identity, camera = fit.identify(in_window(points[spread], window), camera, identity)
    identity = np.asarray(identity, np.float32)
    return Scene(identity, fit.model.neutral(identity), camera, window)


def shoulders_of(prior: TrackPrior | None, settings: TrackSettings) -> Shoulders:
    """Of a video that begins, of whom this is known."""
    if prior is None:
        return Shoulders(settings=settings.torso_fit)
    return Shoulders(prior.torso_reference, prior.rest, settings.torso_fit)


def window_for(points: Array, size: tuple[int, int], prior: TrackPrior | None = None) -> Window:
    """The largest square the source holds, as near to the head's middle as it gets; the prior's,
    where the face is in it.

    points: [F, 478, 3] source pixels, of frames with a face.
    """
    skin = points[:, :SKIN_POINTS, :2]
    first, last = (np.median(edge(skin, axis=1), axis=0) for edge in (np.nanmin, np.nanmax))
    if prior is not None and prior.holds_for(size):
        known = prior.window
        corner = np.array([known.left, known.top])
        if (first >= corner).all() and (last <= corner + known.side).all():
            return known
    width, height = size
    side = min(width, height)
    x, y = 0.5 * (first + last)
    left = round(float(np.clip(x - side / 2, 0, width - side)))
    top = round(float(np.clip(y - side / 2, 0, height - side)))
    return Window(float(left), float(top), float(side), width, height)


def in_window(points: Array, window: Window) -> Array:
    """[..., 3] source pixels -> u, v, z in window sides."""
    corner = np.array([window.left, window.top, 0.0], np.float32)
    return np.asarray((points - corner) / np.float32(window.side), np.float32)

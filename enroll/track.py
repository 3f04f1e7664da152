"""A person followed through a video: the face track that everything else is made from.

Offline (`track_video`) everything is seen first, identity and focal length are found on a spread
of frames, every frame is fitted and the numbers are smoothed without lag.  Live (`CausalTracker`)
the same fit and the same filter run forwards only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar
from avatar.camera import Pinhole, rotation_matrix, rotation_vector
from avatar.errors import NoFaceError
from avatar.face import EXPRESSIONS, FaceTrack, Window
from avatar.morphable import FaceModel
from enroll.capture import Video
from enroll.eyes import gaze_and_lids
from enroll.landmarks import LandmarkSource, MediaPipeMesh
from enroll.matte import MatteSource, SelfieMatte
from enroll.observe import Observations, Observer, observe, over_window
from enroll.pose_fit import PoseFit, PoseFitSettings, Poses
from enroll.smooth import KalmanFilter, Motion
from enroll.torso import TorsoRegistration, TorsoSettings, torso_reference

Array = NDArray[Any]
_CHUNK = 32  # frames fitted at once


@dataclass(frozen=True)
class TrackSettings:
    """identity_frames: how many frames identity and focal length are found on.  error_scale:
    reprojection error, in face heights, at which confidence falls to 1/e.  The pairs are
    measurement noise and drive (see Motion) of each group.
    """

    identity_frames: int = 32
    error_scale: float = 0.05
    expression: tuple[float, float] = (0.12, 60.0)
    rotation: tuple[float, float] = (0.006, 1.0)  # rad
    place: tuple[float, float] = (0.0012, 0.5)  # window sides at a face a third of it
    depth: tuple[float, float] = (0.01, 0.3)  # logarithm
    gaze: tuple[float, float] = (0.012, 6.0)
    lids: tuple[float, float] = (0.05, 40.0)
    torso: tuple[float, float] = (0.001, 0.3)
    fit: PoseFitSettings = field(default_factory=PoseFitSettings)
    torso_fit: TorsoSettings = field(default_factory=TorsoSettings)


@dataclass(frozen=True)
class TrackPrior:
    """What is known of the person before a video is seen.  source_size: width, height of the
    source that `camera` and `window` hold for; for any other they are found again."""

    identity: Array
    camera: Pinhole
    window: Window
    torso_reference: Array
    source_size: tuple[int, int]

    @staticmethod
    def of(avatar: Avatar) -> TrackPrior:
        reference = avatar.tensors.get("tracker.torso_reference", np.zeros((64, 64)))
        return TrackPrior(
            identity=avatar.identity,
            camera=avatar.camera,
            window=avatar.window,
            torso_reference=np.asarray(reference).astype(np.uint8),
            source_size=(avatar.window.width, avatar.window.height),
        )


def track_video(
    video: Video,
    settings: TrackSettings = TrackSettings(),
    prior: TrackPrior | None = None,
    progress: Callable[[int, int], None] | None = None,
    landmarks: LandmarkSource | None = None,
    matte: MatteSource | None = None,
) -> FaceTrack:
    """Follows the largest steady face through the video.

    progress: called with frames done and their estimated number.  Raises NoFaceError where no
    face is seen at all, VideoError for an empty video.
    """
    observer = Observer(landmarks or MediaPipeMesh(), matte or SelfieMatte())
    try:
        seen = observe(video, observer, progress)
    finally:
        observer.close()
    return track_observations(seen, (video.info.width, video.info.height), settings, prior)


def track_observations(
    seen: Observations,
    size: tuple[int, int],
    settings: TrackSettings = TrackSettings(),
    prior: TrackPrior | None = None,
) -> FaceTrack:
    """The offline track of what was seen; size: width and height of the source, pixels."""
    found = np.isfinite(seen.points[:, 0, 0])
    if not found.any():
        raise NoFaceError(
            "No face is seen in the video.",
            "Use a video in which one person looks at the camera, well lit, the face at least a "
            "tenth of the picture's height.",
        )
    model = FaceModel.load()
    fit = PoseFit(model, settings.fit)
    window = window_for(seen.points[found], size, prior)
    points = in_window(seen.points, window)
    rows = np.nonzero(found & ~seen.repeated)[0]
    if len(rows) == 0:
        rows = np.nonzero(found)[0]
    identity, camera = identify(fit, points[rows], settings, prior, size)
    neutral = model.neutral(identity)
    poses = _fit_all(fit, points[rows], neutral, camera)
    mask, grey = over_window(seen.matte, window), over_window(seen.grey, window)
    reference = _reference(prior, grey, mask, points, rows, poses)
    torso = torso_motion(reference, grey[rows], settings)
    gaze, lids = gaze_and_lids(points[rows], neutral, poses.rotation, poses.translation, camera)
    numbers = numbers_of(poses, gaze, lids, torso, points[rows], neutral, camera)
    smoothed = _smoothed(seen.time[rows] / 1e6, numbers, settings)
    columns = columns_of(smoothed, neutral, camera)
    confidence = confidence_of(poses.error, points[rows], seen.confidence[rows], settings)
    box = boxes(points[rows])
    # Frames without a face, and pictures shown again, take the row of the frame before them.
    source = np.maximum(np.searchsorted(rows, np.arange(len(seen)), side="right") - 1, 0)
    return FaceTrack(
        time=seen.time,
        **{name: value[source].astype(np.float32) for name, value in columns.items()},
        confidence=np.where(found, confidence[source], 0.0).astype(np.float32),
        box=box[source].astype(np.float32),
        mask=mask,
        identity=identity.astype(np.float32),
        camera=camera,
        window=window,
        torso_reference=reference,
    )


def window_for(points: Array, size: tuple[int, int], prior: TrackPrior | None) -> Window:
    """The largest square the source holds, as near to the head's middle as it gets.

    points: [F, 478, 3] source pixels, of frames with a face.
    """
    if prior is not None and prior.source_size == size:
        return prior.window
    width, height = size
    side = min(width, height)
    low, high = points[..., :2].min(axis=1), points[..., :2].max(axis=1)
    x, y = np.median(0.5 * (low + high), axis=0)
    left = round(float(np.clip(x - side / 2, 0, width - side)))
    top = round(float(np.clip(y - side / 2, 0, height - side)))
    return Window(float(left), float(top), float(side), width, height)


def in_window(points: Array, window: Window) -> Array:
    """[..., 3] source pixels -> u, v, z in window sides."""
    corner = np.array([window.left, window.top, 0.0], np.float32)
    return np.asarray((points - corner) / np.float32(window.side), np.float32)


def identify(
    fit: PoseFit,
    points: Array,
    settings: TrackSettings,
    prior: TrackPrior | None,
    size: tuple[int, int],
) -> tuple[Array, Pinhole]:
    """Identity and camera from a spread of frames, or from what is known.  points: [F, 478, 3]."""
    if prior is not None and prior.source_size == size:
        return np.asarray(prior.identity, np.float32), prior.camera
    spread = np.unique(np.linspace(0, len(points) - 1, settings.identity_frames).astype(int))
    identity, camera, _ = fit.identify(points[spread])
    if prior is not None:
        identity = np.asarray(prior.identity, np.float32)
    return identity, camera


def _fit_all(fit: PoseFit, points: Array, neutral: Array, camera: Pinhole) -> Poses:
    parts = [
        fit.fit(points[k : k + _CHUNK], neutral, camera) for k in range(0, len(points), _CHUNK)
    ]
    return Poses(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("expression", "rotation", "translation", "error")
        )
    )


def _reference(
    prior: TrackPrior | None, grey: Array, mask: Array, points: Array, rows: Array, poses: Poses
) -> Array:
    if prior is not None:
        return prior.torso_reference
    # The frame whose head is nearest to where it mostly is.
    place = poses.translation
    nearest = int(np.argmin(np.linalg.norm(place - np.median(place, axis=0), axis=1)))
    frame = rows[nearest]
    return torso_reference(grey[frame], mask[frame], float(points[frame, :468, 1].max()))


def torso_motion(reference: Array, grey: Array, settings: TrackSettings) -> Array:
    registration = TorsoRegistration(reference, settings.torso_fit)
    return np.array([registration.step(picture) for picture in grey]).reshape(-1, 4)


# The numbers that are smoothed: expression, rotation vector, place of the face's middle in the
# window (u, v), logarithm of its depth, gaze, lids, torso.  The middle, not the head's origin: a
# rotation's jitter moves the origin, which no landmark shows, and must not move the face.
_GROUPS = {
    "expression": slice(0, EXPRESSIONS),
    "rotation": slice(EXPRESSIONS, EXPRESSIONS + 3),
    "place": slice(EXPRESSIONS + 3, EXPRESSIONS + 5),
    "depth": slice(EXPRESSIONS + 5, EXPRESSIONS + 6),
    "gaze": slice(EXPRESSIONS + 6, EXPRESSIONS + 10),
    "lids": slice(EXPRESSIONS + 10, EXPRESSIONS + 12),
    "torso": slice(EXPRESSIONS + 12, EXPRESSIONS + 16),
}
_NUMBERS = EXPRESSIONS + 16


def _middle(neutral: Array) -> Array:
    return np.asarray(neutral[:468].mean(axis=0), np.float64)


def numbers_of(
    poses: Poses,
    gaze: Array,
    lids: Array,
    torso: Array,
    points: Array,
    neutral: Array,
    camera: Pinhole,
) -> Array:
    """[B, 95] what is smoothed."""
    at = poses.rotation.astype(np.float64) @ _middle(neutral) + poses.translation
    return np.concatenate(
        [
            poses.expression,
            rotation_vector(poses.rotation.astype(np.float64)),
            camera.project(at),
            np.log(-at[:, 2:]),
            gaze,
            lids,
            torso,
        ],
        axis=1,
    )


def columns_of(numbers: Array, neutral: Array, camera: Pinhole) -> dict[str, Array]:
    """[B, 95] -> the track's columns."""
    group = {name: numbers[:, columns] for name, columns in _GROUPS.items()}
    depth = np.exp(group["depth"][:, 0])
    at = np.stack(
        [
            (group["place"][:, 0] - camera.centre[0]) * depth / camera.focal,
            -(group["place"][:, 1] - camera.centre[1]) * depth / camera.focal,
            -depth,
        ],
        axis=1,
    )
    rotation = rotation_matrix(group["rotation"])
    return {
        "expression": group["expression"],
        "rotation": group["rotation"],
        "translation": at - rotation @ _middle(neutral),
        "gaze": group["gaze"],
        "lids": group["lids"],
        "torso": group["torso"],
    }


def motion(settings: TrackSettings) -> Motion:
    noise, drive = np.zeros(_NUMBERS), np.zeros(_NUMBERS)
    for name, columns in _GROUPS.items():
        noise[columns], drive[columns] = getattr(settings, name)
    return Motion(noise, drive)


def _smoothed(time: Array, numbers: Array, settings: TrackSettings) -> Array:
    """Smooths each run of frames; a gap of more than half a second starts a new one."""
    out = np.empty_like(numbers)
    kalman = KalmanFilter(motion(settings))
    breaks = np.nonzero(np.diff(time) > 0.5)[0] + 1
    for run in np.split(np.arange(len(time)), breaks):
        out[run] = kalman.smooth(time[run], numbers[run])
    return out


def confidence_of(error: Array, points: Array, found: Array, settings: TrackSettings) -> Array:
    """[B] 0..1: how well the model explains the landmarks, times how sure their source was."""
    height = np.ptp(points[:, :468, 1], axis=1)
    relative = error / np.maximum(height, 1e-6) / settings.error_scale
    return np.asarray(found * np.exp(-(relative**2)))


def boxes(points: Array) -> Array:
    """[B, 4] left, top, right, bottom of the face, window."""
    xy = points[:, :468, :2]
    return np.concatenate([xy.min(axis=1), xy.max(axis=1)], axis=1)

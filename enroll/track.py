"""A person followed through a video: the face track that everything else is made from.

Everything is seen first; identity and focal length are found on a spread of frames, every frame
is fitted, and the numbers are smoothed without lag.  Live, `CausalTracker` runs the same fit and
the same filter forwards only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import NoFaceError
from avatar.face import FaceTrack
from avatar.morphable import FaceModel
from enroll.capture import Video
from enroll.landmarks import LandmarkSource
from enroll.matte import MatteSource, SelfieMatte
from enroll.mesh import MediaPipeMesh, steady_face
from enroll.numbers import columns_of
from enroll.observe import Observations, Observer, observe, over_window
from enroll.pose_fit import PoseFit, Poses
from enroll.reading import boxes, confidence_of, read_frames
from enroll.scene import Scene, TrackPrior, TrackSettings, find_scene, in_window, shoulders_of
from enroll.smooth import KalmanFilter
from enroll.track_live import CausalTracker, TrackedFrame

__all__ = [
    "CausalTracker",
    "TrackPrior",
    "TrackSettings",
    "TrackedFrame",
    "track_observations",
    "track_video",
]

Array = NDArray[Any]
Progress = Callable[[float, float], None]


def track_video(
    video: Video,
    settings: TrackSettings | None = None,
    prior: TrackPrior | None = None,
    progress: Progress | None = None,
    landmarks: LandmarkSource | None = None,
    matte: MatteSource | None = None,
) -> FaceTrack:
    """Follows the largest steady face through the video.

    prior: what is known of the person (of an avatar: `TrackPrior.of`).  progress: called with
    frames done and their estimated number.  landmarks, matte: other networks than MediaPipe's;
    they are closed.  What has to be said (several faces) is added to `video.warnings`.
    Raises NoFaceError where no face is seen at all, VideoError where nothing decodes,
    MissingError without MediaPipe.
    """
    mesh = landmarks or MediaPipeMesh(near=steady_face(video))
    observer = Observer(mesh, matte or SelfieMatte())
    try:
        seen = observe(video, observer, progress)
    finally:
        observer.close()
    if isinstance(mesh, MediaPipeMesh) and mesh.crowded:
        video.warnings.append(
            f"{video.info.name}: more than one face is seen; the largest steady one is followed."
        )
    return track_observations(seen, (video.info.width, video.info.height), settings, prior)


def track_observations(
    seen: Observations,
    size: tuple[int, int],
    settings: TrackSettings | None = None,
    prior: TrackPrior | None = None,
) -> FaceTrack:
    """The offline track of what was seen; size: width and height of the source, pixels."""
    settings = settings or TrackSettings()
    found = np.isfinite(seen.points[..., 0]).any(axis=1)
    # A picture shown again has nothing new to tell; the very first one cannot be.
    rows = np.nonzero(found & ~seen.repeated)[0]
    if len(rows) == 0:
        raise NoFaceError(
            "No face is seen in the video.",
            "Use a video in which one person looks at the camera, well lit, the face at least a "
            "tenth of the picture's height.",
        )
    fit = PoseFit(FaceModel.load(), settings.fit)
    scene = find_scene(fit, seen.points[rows], size, settings, prior)
    points = in_window(seen.points[rows], scene.window)
    poses = fit.fit_all(points, scene.neutral, scene.camera)
    mask, grey = over_window(seen.matte, scene.window), over_window(seen.grey, scene.window)
    usual = _usual(poses)
    shoulders = shoulders_of(prior, settings)
    torso = shoulders.all(
        grey[rows],
        mask[rows],
        usual,
        float(boxes(points[usual : usual + 1])[0, 3]),
        poses.translation,
        scene.camera,
    )
    measured = read_frames(points, poses, torso, scene)
    # A cut may fall on a frame without a face: the next one with a face starts anew.
    cut = np.diff(np.cumsum(seen.cut)[rows], prepend=0) > 0
    kalman = KalmanFilter(settings.motion(known=prior is not None))
    smoothed = _smoothed(seen.time[rows] / 1e6, cut, measured, kalman, settings.longest_gap)
    confidence = confidence_of(poses, points, seen.confidence[rows], settings)
    columns = {
        **columns_of(smoothed, scene.neutral, scene.camera),
        "box": boxes(points),
        "confidence": confidence,
    }
    return _track(seen, found, rows, columns, scene, mask, shoulders.reference)


def _track(
    seen: Observations,
    found: Array,
    rows: Array,
    columns: dict[str, Array],
    scene: Scene,
    mask: Array,
    reference: Array,
) -> FaceTrack:
    """Frames without a face, and pictures shown again, take the row of the frame before them
    (before the first, that of the first)."""
    source = np.maximum(np.searchsorted(rows, np.arange(len(seen)), side="right") - 1, 0)
    full = {name: value[source].astype(np.float32) for name, value in columns.items()}
    full["confidence"] = np.where(found, full["confidence"], np.float32(0))
    return FaceTrack(
        time=seen.time,
        **full,
        mask=mask,
        identity=scene.identity,
        camera=scene.camera,
        window=scene.window,
        torso_reference=reference,
    )


def _usual(poses: Poses) -> int:
    """The frame whose head is nearest to where it mostly is."""
    away = poses.translation - np.median(poses.translation, axis=0)
    return int(np.argmin(np.linalg.norm(away, axis=1)))


def _smoothed(
    time: Array, cut: Array, numbers: Array, kalman: KalmanFilter, longest_gap: float
) -> Array:
    """Anew after a gap and after a cut: what was before does not lead there."""
    out = np.empty_like(numbers)
    breaks = np.nonzero((np.diff(time) > longest_gap) | cut[1:])[0] + 1
    for run in np.split(np.arange(len(time)), breaks):
        out[run] = kalman.smooth(time[run], numbers[run])
    return out

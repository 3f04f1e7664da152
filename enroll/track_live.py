"""The tracker of a live call: a frame in, its numbers out, nothing of the future."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.camera import Pinhole
from avatar.face import EXPRESSIONS, FaceTrack, Window
from avatar.morphable import SKIN_POINTS, FaceModel
from enroll.capture import Frame
from enroll.landmarks import LandmarkSource
from enroll.matte import MatteSource, SelfieMatte
from enroll.mesh import MediaPipeMesh
from enroll.numbers import columns_of
from enroll.observe import Observer, Sight, over_window
from enroll.pose_fit import PoseFit, Poses
from enroll.reading import boxes, confidence_of, read_frames
from enroll.scene import (
    Scene,
    TrackPrior,
    TrackSettings,
    find_scene,
    in_window,
    shoulders_of,
    window_for,
)
from enroll.smooth import KalmanFilter

Array = NDArray[Any]
_WARM_STEPS = 3  # Gauss-Newton steps from the frame before
_BUFFER = 24  # frames kept for a second look at the person's shape


@dataclass(frozen=True)
class TrackedFrame:
    """One frame of a live track: `row` is a face track of that one frame.  points: [478, 3]
    landmarks in its pixels, None where no face is seen."""

    row: FaceTrack
    points: Array | None = None

    @property
    def visible(self) -> bool:
        return bool(self.row.confidence[0] > 0)


class CausalTracker:
    """`step` takes the frames in order.  With a prior (an avatar's) the numbers are those of the
    offline tracker but for the smoother's look ahead; without one, identity and focal length are
    found on the first face and once more a little later, and the numbers step there.
    """

    def __init__(
        self,
        settings: TrackSettings | None = None,
        prior: TrackPrior | None = None,
        landmarks: LandmarkSource | None = None,
        matte: MatteSource | None = None,
    ) -> None:
        settings = settings or TrackSettings()
        self._settings = settings
        self._prior = prior
        self._fit = PoseFit(FaceModel.load(), settings.fit)
        self._observer = Observer(landmarks or MediaPipeMesh(), matte or SelfieMatte())
        self._kalman = KalmanFilter(settings.motion(known=prior is not None))
        self._scene: Scene | None = None
        self._shoulders = shoulders_of(prior, settings)
        self._poses: Poses | None = None
        self._last: FaceTrack | None = None
        self._seen_at = -(10**12)
        self._kept: list[Array] = []
        self._count = 0

    def step(self, frame: Frame) -> TrackedFrame:
        """The numbers of one frame; where no face is seen, the last ones with confidence 0."""
        height, width = frame.image.shape[:2]
        sight = self._observer.see(frame.image)
        if sight.cut:
            self._anew()
        if sight.landmarks is None:
            row = self._lost(frame.time, sight, (width, height))
        elif sight.repeated and self._last is not None and self._last.confidence[0] > 0:
            row = replace(self._last, time=np.array([frame.time], np.int64))
        else:
            row = self._found(frame.time, sight, sight.landmarks.points[None], (width, height))
        self._last = row
        return TrackedFrame(row, sight.landmarks.points if sight.landmarks else None)

    def close(self) -> None:
        self._observer.close()

    def _found(self, time: int, sight: Sight, points: Array, size: tuple[int, int]) -> FaceTrack:
        settings = self._settings
        scene = self._know(points, size)
        seen = in_window(points, scene.window)
        if time - self._seen_at > settings.longest_gap * 1e6:
            self._anew()
        self._seen_at = time
        poses = self._fit.fit(
            seen, scene.neutral, scene.camera, self._poses, _WARM_STEPS if self._poses else None
        )
        self._poses = poses
        mask = over_window(sight.matte[None], scene.window)
        grey = over_window(sight.grey[None], scene.window)[0]
        chin = float(seen[0, :SKIN_POINTS, 1].max())
        torso = self._shoulders.step(grey, mask[0], chin, poses.translation[0], scene.camera)[None]
        measured = read_frames(seen, poses, torso, scene)
        filtered = self._kalman.step(time / 1e6, measured[0])[None]
        sure = np.array([sight.landmarks.confidence if sight.landmarks else 0.0])
        columns = {
            **columns_of(filtered, scene.neutral, scene.camera),
            "box": boxes(seen),
            "confidence": confidence_of(poses, seen, sure, settings),
        }
        return FaceTrack(
            time=np.array([time], np.int64),
            **{name: value.astype(np.float32) for name, value in columns.items()},
            mask=mask,
            identity=scene.identity,
            camera=scene.camera,
            window=scene.window,
            torso_reference=self._shoulders.reference,
        )

    def _anew(self) -> None:
        """After a gap or a cut: nothing of before leads there."""
        self._kalman.reset()
        self._poses = None

    def _know(self, points: Array, size: tuple[int, int]) -> Scene:
        settings, prior = self._settings, self._prior
        if (
            self._scene is not None
            and (self._scene.window.width, self._scene.window.height) != size
        ):
            self._scene = self._poses = None
            self._shoulders = shoulders_of(self._prior, self._settings)
            self._kalman.reset()
        settled = prior is not None and prior.holds_for(size)
        if self._scene is None:
            # One frame tells no focal length; that of the enrolment is the likeliest.
            known = prior.camera if prior is not None else Pinhole(settings.fit.focal)
            self._scene = find_scene(self._fit, points, size, settings, prior, known)
            self._kept, self._count = [], 0
        elif not settled and self._count < settings.settle:
            self._count += 1
            if self._count % max(settings.settle // _BUFFER, 1) == 0:
                self._kept.append(points[0])
            if self._count == settings.settle:
                # The window stays: what is cut from it must not jump.
                kept, window = np.array(self._kept), self._scene.window
                self._scene = find_scene(self._fit, kept, size, settings, prior, window=window)
                self._poses, self._kept = None, []
                self._kalman.reset()
        return self._scene

    def _lost(self, time: int, sight: Sight, size: tuple[int, int]) -> FaceTrack:
        now = np.array([time], np.int64)
        nothing = np.zeros(1, np.float32)
        if self._last is not None:
            mask = over_window(sight.matte[None], self._last.window)
            return replace(self._last, time=now, confidence=nothing, mask=mask)
        prior = self._prior
        middle = np.full((1, 478, 3), 0.5, np.float32) * np.array([*size, 0], np.float32)
        window: Window = window_for(middle, size, prior)
        camera = prior.camera if prior else Pinhole(self._settings.fit.focal)
        people = self._fit.model.identities
        return FaceTrack(
            time=now,
            expression=np.zeros((1, EXPRESSIONS), np.float32),
            rotation=np.zeros((1, 3), np.float32),
            # As far away as makes a head a third of the window.
            translation=np.array([[0, 0, -0.5 * camera.focal]], np.float32),
            gaze=np.zeros((1, 4), np.float32),
            lids=np.ones((1, 2), np.float32),
            torso=np.zeros((1, 4), np.float32),
            confidence=nothing,
            box=np.array([[0.33, 0.33, 0.67, 0.67]], np.float32),
            mask=over_window(sight.matte[None], window),
            identity=prior.identity if prior else np.zeros(people, np.float32),
            camera=camera,
            window=window,
            torso_reference=self._shoulders.reference,
        )

"""Our head pose against another program's: the 4x4 matrices of MediaPipe's face_landmarker.task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar.camera import rotation_vector
from avatar.morphable import FaceModel
from enroll.capture import open_video
from enroll.mesh import MediaPipeMesh
from enroll.pose_fit import PoseFit
from enroll.scene import TrackSettings, find_scene, in_window


def theirs(images: list[np.ndarray], task: Path) -> np.ndarray:
    """[F, 3, 3] rotations camera <- canonical face."""
    mediapipe = pytest.importorskip("mediapipe")
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=task.read_bytes()),
        output_facial_transformation_matrixes=True,
    )
    found = []
    with vision.FaceLandmarker.create_from_options(options) as network:
        for image in images:
            picture = mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(image))
            matrix = network.detect(picture).facial_transformation_matrixes[0]
            left, _, right = np.linalg.svd(matrix[:3, :3])
            found.append(left @ right)
    return np.stack(found)


def test_head_pose_agrees_on_a_real_clip(clips: Path, models: Path):
    """`turning.mp4`, yaw over 40 degrees: the same turns, but for what is constant (the two
    programs' notion of straight ahead), to 2 degrees where the yaw goes over 40."""
    video = open_video(clips / "enrol" / "turning.mp4")
    images = [frame.image for index, frame in enumerate(video) if index % 40 == 0]
    mesh = MediaPipeMesh()
    points = np.stack([mesh.find(image).points for image in images])
    mesh.close()
    fit = PoseFit(FaceModel.load())
    scene = find_scene(fit, points, images[0].shape[1::-1], TrackSettings())
    ours = fit.fit_all(in_window(points, scene.window), scene.neutral, scene.camera).rotation
    other = theirs(images, models / "face_landmarker.task")
    apart = np.degrees(rotation_vector(ours.astype(float) @ other.transpose(0, 2, 1)))
    yaw = np.degrees(rotation_vector(other))[:, 1]
    assert np.ptp(yaw) > 25
    assert np.abs(apart.mean(axis=0)).max() < 8
    assert apart.std(axis=0).max() < 2.0

"""Points on a face: where they are in a picture, whatever network found them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from avatar.errors import MissingError

MESH_POINTS = 478  # MediaPipe's 468 vertices and 5 points for each iris
CROP = 3.0  # the picture shown to the mesh is this many face widths, where there are several faces

Array = NDArray[Any]


@dataclass(frozen=True)
class Landmarks:
    """One face in one picture.

    points: [478, 3] float32, x right and y down in source pixels (pixel centres at .5), z towards
    the picture in the same unit, relative (MediaPipe's weak-perspective depth; NaN where a source
    has no such point).  confidence: 0..1, as far as the source can tell.
    """

    points: Array
    confidence: float = 1.0

    @property
    def box(self) -> Array:
        """[4] left, top, right, bottom in source pixels."""
        xy = self.points[:, :2]
        return np.concatenate([np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)])


class LandmarkSource(Protocol):
    """Finds and follows one face.  `find` takes the frames in order."""

    def find(self, image: NDArray[np.uint8]) -> Landmarks | None:
        """image: [H, W, 3] RGB.  None where no face is seen."""

    def close(self) -> None: ...


def quiet_mediapipe() -> Any:
    """The mediapipe module, without its chatter.  Raises MissingError where not installed."""
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import mediapipe
        from absl import logging
    except ImportError:
        raise MissingError(
            "MediaPipe, which finds the face, is not installed.",
            "pip install 'facewire[send]' (mediapipe 0.10.21 is the version that carries its "
            "models)",
        ) from None
    if not hasattr(mediapipe, "solutions"):
        raise MissingError(
            f"MediaPipe {mediapipe.__version__} does not carry the face mesh.",
            "pip install mediapipe==0.10.21",
        )
    logging.set_verbosity(logging.ERROR)
    return mediapipe


class MediaPipeMesh:
    """MediaPipe's face mesh with irises (FaceMesh, refine_landmarks), one face."""

    def __init__(self, confidence: float = 0.5) -> None:
        mediapipe = quiet_mediapipe()
        self._mesh = mediapipe.solutions.face_mesh.FaceMesh(
            max_num_faces=1,
            refine_landmarks=True,
            min_detection_confidence=confidence,
            min_tracking_confidence=confidence,
        )

    def find(self, image: NDArray[np.uint8]) -> Landmarks | None:
        faces = self._mesh.process(image).multi_face_landmarks
        if not faces:
            return None
        height, width = image.shape[:2]
        scale = np.array([width, height, width], np.float32)
        return Landmarks(_numbers(faces[0]) * scale)

    def close(self) -> None:
        self._mesh.close()


def _numbers(face: Any) -> Array:
    """[478, 3] float32 of a NormalizedLandmarkList.

    Read from its wire format where each landmark is 17 bytes (tag and length, then three tagged
    floats): 20 times as fast as asking protobuf for 1434 attributes.
    """
    data = face.SerializeToString()
    if len(data) == 17 * MESH_POINTS:
        rows = np.frombuffer(data, np.uint8).reshape(MESH_POINTS, 17)
        tags = rows[:, [0, 1, 2, 7, 12]]
        if np.array_equal(tags, np.broadcast_to((10, 15, 13, 21, 29), tags.shape)):
            floats = rows[:, [3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16]]
            return np.ascontiguousarray(floats).view("<f4").astype(np.float32)
    return np.array([(p.x, p.y, p.z) for p in face.landmark], np.float32)

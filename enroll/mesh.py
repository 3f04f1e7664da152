"""MediaPipe's face mesh with irises, held to one person where there are several."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from enroll.capture import Video
from enroll.landmarks import MESH_POINTS, Landmarks, quiet_mediapipe

CROP = 2.2  # the mesh is shown this many face sizes of the picture where there are several faces
LOOK = 15  # frames between two looks for other faces
SAMPLES = 6  # key frames that are looked at for the steadiest face

Array = NDArray[Any]


class MediaPipeMesh:
    """FaceMesh (refine_landmarks) for one face.

    near: [x, y] in picture sizes, where the person to follow mostly is; None: the largest face.
    `crowded` tells, once frames were seen, whether there was ever more than one face.
    """

    def __init__(self, near: Array | None = None, confidence: float = 0.5) -> None:
        mediapipe = quiet_mediapipe()
        self._mesh = mediapipe.solutions.face_mesh.FaceMesh(
            max_num_faces=1,
            refine_landmarks=True,
            min_detection_confidence=confidence,
            min_tracking_confidence=confidence,
        )
        self._finder = FaceFinder(confidence)
        self._near = near
        self._region: tuple[int, int, int, int] | None = None  # left, top, right, bottom
        self._following = False
        self._count = 0
        self.crowded = False

    def find(self, image: NDArray[np.uint8]) -> Landmarks | None:
        self._count += 1
        if not self._following:
            if not self._choose(image):
                return None
        elif self._count % LOOK == 0:
            self.crowded |= len(self._finder.find(image)) > 1
        found = self._look(image)
        if found is not None and not self._following:
            # The detector's box is rough: the mesh settles once it looks where the face was.
            found = self._look(image) or found
        self._following = found is not None
        if found is None:
            self._region = None
            return None
        if self._region is not None and self._left_region(found, image):
            # The next frame is shown about where the face is now.
            self._region = _around(found.box, image.shape)
            self._mesh.reset()
        self._near = _middle(found.box) / np.array(image.shape[1::-1])
        return found

    def forget(self) -> None:
        self._following = False
        self._mesh.reset()

    def close(self) -> None:
        self._mesh.close()
        self._finder.close()

    def _choose(self, image: NDArray[np.uint8]) -> bool:
        """Decides what the mesh is shown; False where there is no face."""
        faces = self._finder.find(image)
        self._region = None
        if len(faces) == 0:
            return False
        if len(faces) > 1:
            self.crowded = True
            size = np.sqrt(np.prod(faces[:, 2:] - faces[:, :2], axis=1))
            if self._near is None:
                best = int(np.argmax(size))
            else:
                near = self._near * np.array(image.shape[1::-1])
                away = np.linalg.norm(0.5 * (faces[:, :2] + faces[:, 2:]) - near, axis=1)
                best = int(np.argmin(away / size))
            self._region = _around(faces[best], image.shape)
            self._mesh.reset()
        return True

    def _look(self, image: NDArray[np.uint8]) -> Landmarks | None:
        left, top, right, bottom = self._region or (0, 0, image.shape[1], image.shape[0])
        shown = np.ascontiguousarray(image[top:bottom, left:right])
        faces = self._mesh.process(shown).multi_face_landmarks
        if not faces:
            return None
        height, width = shown.shape[:2]
        points = _numbers(faces[0]) * np.array([width, height, width], np.float32)
        return Landmarks(points + np.array([left, top, 0], np.float32))

    def _left_region(self, found: Landmarks, image: NDArray[np.uint8]) -> bool:
        """Whether the face comes near an edge of the region that is not one of the picture."""
        assert self._region is not None
        left, top, right, bottom = self._region
        box = found.box
        margin = 0.15 * (box[2] - box[0])
        height, width = image.shape[:2]
        return bool(
            (left > 0 and box[0] - left < margin)
            or (top > 0 and box[1] - top < margin)
            or (right < width and right - box[2] < margin)
            or (bottom < height and bottom - box[3] < margin)
        )


class FaceFinder:
    """All faces in a picture, MediaPipe's short-range detector."""

    def __init__(self, confidence: float = 0.5) -> None:
        mediapipe = quiet_mediapipe()
        self._detection = mediapipe.solutions.face_detection.FaceDetection(
            model_selection=0, min_detection_confidence=confidence
        )

    def find(self, image: NDArray[np.uint8]) -> Array:
        """[K, 4] left, top, right, bottom in pixels; K may be 0."""
        found = self._detection.process(image).detections or []
        height, width = image.shape[:2]
        boxes = [each.location_data.relative_bounding_box for each in found]
        corners = [(b.xmin, b.ymin, b.xmin + b.width, b.ymin + b.height) for b in boxes]
        scale = np.array([width, height, width, height], np.float32)
        return np.array(corners, np.float32).reshape(-1, 4) * scale

    def close(self) -> None:
        self._detection.close()


def steady_face(video: Video) -> Array | None:
    """[2] where in the picture (0..1) the largest steady face of a file is; None where that
    cannot be told beforehand, as with a camera.

    Faces of key frames over the whole file are taken for one where they are near one another;
    the one with the largest area over all of them wins, so that a passer-by close to the camera
    does not.
    """
    samples = getattr(video, "samples", None)
    if samples is None:
        return None
    finder = FaceFinder()
    people: list[tuple[Array, float]] = []  # last box, area over all
    size = np.array([1.0, 1.0])
    try:
        for frame in samples(SAMPLES):
            size = np.array(frame.image.shape[1::-1], float)
            for box in finder.find(frame.image):
                people = _counted(people, box)
    finally:
        finder.close()
    if not people:
        return None
    box, _ = max(people, key=lambda person: person[1])
    return np.asarray(_middle(box) / size)


def _counted(people: list[tuple[Array, float]], box: Array) -> list[tuple[Array, float]]:
    area = float(np.prod(box[2:] - box[:2]))
    for index, (last, sum_of_areas) in enumerate(people):
        if np.linalg.norm(_middle(last) - _middle(box)) < max(box[2] - box[0], last[2] - last[0]):
            return [*people[:index], (box, sum_of_areas + area), *people[index + 1 :]]
    return [*people, (box, area)]


def _middle(box: Array) -> Array:
    return 0.5 * (box[:2] + box[2:])


def _around(box: Array, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """A region of CROP face sizes about a box, within the picture."""
    middle, half = _middle(box), 0.5 * CROP * float(max(box[2] - box[0], box[3] - box[1]))
    left, top = np.maximum(np.floor(middle - half), 0).astype(int)
    right, bottom = np.minimum(np.ceil(middle + half), shape[1::-1]).astype(int)
    return int(left), int(top), int(right), int(bottom)


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

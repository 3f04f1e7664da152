"""A clip as our tracker sees it: landmarks, head pose and expression of every frame.

Pictures are tracked with what the reference's track found of the person (shape, camera), so that
only what moves can differ.  The reference is tracked once for all that is compared with it.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import NoFaceError
from avatar.face import FaceTrack

FPS = 25
_KEPT = 4  # clips in memory: a reference and what is compared with it now, twice
_SCALE = 256  # landmarks are in 1/256 of the picture's side, as the field's are at 256x256

Array = NDArray[Any]


@dataclass(frozen=True)
class Tracked:
    """points: [F, 478, 2] in 1/256 of the picture, NaN where no face was found.  track: None
    where there was none at all."""

    points: Array
    track: FaceTrack | None

    @property
    def found(self) -> NDArray[np.bool_]:
        """[F]"""
        return np.asarray(np.isfinite(self.points[..., 0]).any(axis=1))


def missing() -> str:
    """What the tracker needs, "" where it is here."""
    from importlib.util import find_spec

    if find_spec("mediapipe") is None or find_spec("cv2") is None:
        return "needs pip install 'facewire[send]'"
    return ""


def tracked(reference: NDArray[np.uint8], pictures: NDArray[np.uint8]) -> tuple[Tracked, Tracked]:
    """Both clips [F, H, W, 3]; the pictures as the reference's person."""
    mine = _once(reference, None)
    return mine, _once(pictures, mine.track)


_seen: OrderedDict[tuple[int, ...], Tracked] = OrderedDict()


def _once(frames: NDArray[np.uint8], person: FaceTrack | None) -> Tracked:
    data = np.ascontiguousarray(frames)
    key = (*frames.shape, zlib.crc32(data.data), 0 if person is None else id(person))
    if key not in _seen:
        _seen[key] = _track(data, person)
        while len(_seen) > _KEPT:
            _seen.popitem(last=False)
    _seen.move_to_end(key)
    return _seen[key]


def _track(frames: NDArray[np.uint8], person: FaceTrack | None) -> Tracked:
    from enroll.mesh import MediaPipeMesh
    from enroll.observe import Observer, observe
    from enroll.scene import TrackPrior
    from enroll.track import track_observations

    observer = Observer(MediaPipeMesh(), _NoMatte())
    try:
        seen = observe(_Frames(frames), observer)
    finally:
        observer.close()
    height, width = frames.shape[1:3]
    points = seen.points[..., :2] * (_SCALE / max(height, width))
    prior = None
    if person is not None:
        window, empty = person.window, np.zeros((64, 64), np.uint8)
        prior = TrackPrior(person.identity, person.camera, window, empty, (width, height))
    try:
        return Tracked(points, track_observations(seen, (width, height), prior=prior))
    except NoFaceError:
        return Tracked(points, None)


class _NoMatte:
    """Shoulders are not judged here."""

    def matte(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.ones(image.shape[:2], np.float32)

    def close(self) -> None:
        pass


class _Frames:
    """Arrays as a video."""

    def __init__(self, frames: NDArray[np.uint8]) -> None:
        from enroll.capture import VideoInfo

        count, height, width = frames.shape[:3]
        self._frames = frames
        self.info = VideoInfo("clip", width, height, FPS, count, count / FPS, False)
        self.damaged = False
        self.warnings: list[str] = []

    def __iter__(self) -> Iterator[Any]:
        from enroll.capture import Frame

        for index, image in enumerate(self._frames):
            yield Frame(image, index * 1_000_000 // FPS)

    def close(self) -> None:
        pass

"""Whether the face before the camera is the enrolled one: a descriptor made at enrolment, looked
at again during a call.

The network is MobileFaceNet (Chen et al., CCBR 2018), which the user brings.  A sign is a face's
descriptor, [128] float32 of length 1.  It tells who somebody is, so that it stays with its owner:
never in the archive that others receive.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.assets import find_asset, has_asset
from avatar.errors import FormatError

NETWORK = "MobileFaceNet.onnx"
SIGN = 128
# Eyes, nose tip and corners of the mouth in the 112x112 crop of ArcFace's alignment.
_PLACES = np.array([[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]])
_POINTS = [468, 473, 4, 61, 291]  # the same five in MediaPipe's mesh with irises
_LOOKS = 12  # frames of an enrolment that its sign is the mean of

Array = NDArray[Any]


@dataclass(frozen=True)
class IdentitySettings:
    """threshold: cosine below which it is somebody else; `python -m benchmarks.identity` measures
    what it lets through.  every: microseconds between two looks.  memory: looks that are averaged,
    so that one bad picture stops nobody."""

    threshold: float = 0.39
    every: int = 1_000_000
    memory: int = 3


class Describer:
    """Raises MissingError where $FACEWIRE_MODELS does not hold the network."""

    def __init__(self) -> None:
        import cv2

        self._cv2: Any = cv2
        self._network = cv2.dnn.readNetFromONNX(str(find_asset(NETWORK)))

    def describe(self, image: NDArray[np.uint8], points: Array) -> Array:
        """image: [H, W, 3] RGB.  points: [478, 3] landmarks in pixels -> [128] of length 1."""
        cv2 = self._cv2
        five = points[_POINTS, :2].astype(np.float64)
        place, _ = cv2.estimateAffinePartial2D(five, _PLACES, method=cv2.LMEDS)
        crop = cv2.warpAffine(image, place, (112, 112), flags=cv2.INTER_AREA).astype(np.float32)
        crop = (crop / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        self._network.setInput(crop.transpose(2, 0, 1)[None].astype(np.float32))
        out = self._network.forward().ravel()
        return np.asarray(out / np.linalg.norm(out), np.float32)


def can_describe() -> bool:
    return has_asset(NETWORK)


def mean_sign(looks: Sequence[Array]) -> Array:
    """Of one person's descriptors, at least one."""
    total = np.sum(looks, axis=0)
    return np.asarray(total / np.linalg.norm(total), np.float32)


def sign_of_video(path: Path, looks: int = _LOOKS) -> Array | None:
    """The sign of who a video shows; None where no face is found in the frames looked at.

    Raises VideoError, MissingError.
    """
    from enroll.capture import open_video
    from enroll.mesh import MediaPipeMesh

    describer, mesh, video = Describer(), MediaPipeMesh(), open_video(path)
    step = max(1, video.info.frames // looks)
    found = []
    try:
        for index, frame in enumerate(video):
            if index % step == 0 and (face := mesh.find(frame.image)) is not None:
                found.append(describer.describe(frame.image, face.points))
    finally:
        mesh.close()
        video.close()
    return mean_sign(found) if found else None


def face_of(avatar: Path) -> Path:
    """The file beside an avatar's in which its owner keeps the sign."""
    return avatar.with_suffix(".face")


def sign_bytes(sign: Array) -> bytes:
    return np.asarray(sign, "<f4").tobytes()


def parse_sign(data: bytes) -> Array:
    """Raises FormatError for what is no sign."""
    sign = np.frombuffer(data, "<f4") if len(data) == 4 * SIGN else np.full(1, np.nan)
    if not abs(float(np.linalg.norm(sign)) - 1.0) < 1e-3:
        raise FormatError("this is no descriptor of a face", "Enrol again; it is made then.")
    return sign


class IdentityWatch:
    """Looks at a live face now and then.  sign: of the one who was enrolled."""

    def __init__(
        self, sign: Array, settings: IdentitySettings = IdentitySettings(), describer: Any = None
    ) -> None:
        self._sign = sign
        self._settings = settings
        self._describer = describer or Describer()
        self._looks: deque[float] = deque(maxlen=settings.memory)
        self._next = 0
        self.owner = True

    def step(self, now: int, image: NDArray[np.uint8], points: Array | None) -> bool:
        """Whether the face is the enrolled one, as far as is known.  points: None where no face is
        seen; whoever comes back is looked at anew, and at once."""
        if points is None:
            self._looks.clear()
            self._next = now
        elif now >= self._next:
            self._next = now + self._settings.every
            self._looks.append(float(self._describer.describe(image, points) @ self._sign))
            self.owner = float(np.mean(self._looks)) >= self._settings.threshold
        return self.owner


def watch_beside(avatar: Path) -> IdentityWatch | None:
    """By the sign beside an avatar's file; None where there is none, or no network to compare with
    it.  Raises FormatError."""
    face = face_of(avatar)
    if not (face.exists() and can_describe()):
        return None
    return IdentityWatch(parse_sign(face.read_bytes()))

"""face-alignment's 68 landmarks as a second source (Bulat and Tzimiropoulos, ICCV 2017).

For pictures in which MediaPipe finds nothing, and to check one network against another.  It knows
no irises: gaze then stays straight ahead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.assets import find_asset
from avatar.errors import MissingError
from enroll.landmarks import MESH_POINTS, Landmarks

DETECTOR = "s3fd-619a316812.pth"
NETWORK = "2DFAN4-11f355bf06.pth.tar"

# The mesh's vertex for each of the 68 from the 18th on.  The first 17 lie on the outline of the
# cheek as the camera sees it: no vertex of the face is always there.
FIRST = 17
# fmt: off
VERTICES = (
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows
    168, 197, 5, 4, 98, 97, 2, 326, 327,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # outer lips
    78, 82, 13, 312, 308, 317, 14, 87,  # inner lips
)
# fmt: on

Array = NDArray[Any]


class AlignmentLandmarks:
    """Follows the largest face, or the one that is where the last one was.

    network: with `get_landmarks_from_image(image) -> [[68, 2], ...] | None`; None: face-alignment
    with the weights of `folder` or $FACEWIRE_MODELS.  Raises MissingError where they are missing.
    """

    def __init__(self, network: Any = None, folder: str | Path | None = None) -> None:
        self._network = network or _network(folder)
        self._last: Array | None = None

    def find(self, image: NDArray[np.uint8]) -> Landmarks | None:
        faces = self._network.get_landmarks_from_image(image)
        if not faces:
            self._last = None
            return None
        seen = np.stack([np.asarray(face, np.float32)[:, :2] for face in faces])  # [K, 68, 2]
        middle, size = seen.mean(axis=1), np.ptp(seen, axis=1).max(axis=-1)
        if self._last is None:
            best = int(np.argmax(size))
        else:
            best = int(np.argmin(np.linalg.norm(middle - self._last, axis=1)))
        self._last = middle[best]
        points = np.full((MESH_POINTS, 3), np.nan, np.float32)
        points[list(VERTICES), :2] = seen[best, FIRST:] + 0.5  # pixel centres are at .5 here
        return Landmarks(points)

    def forget(self) -> None:
        self._last = None

    def close(self) -> None:
        self._network = None


def _network(folder: str | Path | None) -> Any:
    detector, weights = find_asset(DETECTOR, folder), find_asset(NETWORK, folder)
    try:
        import torch
        from face_alignment import FaceAlignment, LandmarksType
        from face_alignment.models import FAN
    except ImportError:
        raise MissingError(
            "face-alignment, a second source of landmarks, is not installed.",
            "pip install 'facewire[enroll]'",
        ) from None

    class Local(FaceAlignment):  # type: ignore[misc]
        """Takes the weights from our folder: the library's own way is to download them."""

        def _load_native(self, name: str, size: int, device: str, dtype: Any) -> Any:
            network = FAN(size)
            network.load_state_dict(torch.load(weights, map_location=device, weights_only=True))
            return network.to(device, dtype=dtype).eval()

    return Local(
        LandmarksType.TWO_D,
        device="cpu",
        face_detector_kwargs={"path_to_detector": str(detector)},
        compile=False,
    )

"""CSIM and AED by dlib's descriptor: a ResNet with 29 layers, 128 numbers (D. King, 2017).

Two pictures whose descriptors are nearer than 0.6 are taken for one person, as dlib's own example
does: AED-DLIB is on that scale.  The cosine of strangers is high, too, because descriptors are not
centred.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.assets import find_asset, has_asset
from bench.metrics.identity import descriptors
from bench.metrics.metric import Frames, Metric
from bench.metrics.tracked import missing as tracker_missing
from bench.regions import WHOLE

NETWORK = "dlib_face_recognition_resnet_model_v1.dat"
# dlib's five landmarks in MediaPipe's mesh: outer and inner corner of the subject's left eye, of
# the right one, and where the nose ends.
PLACES = (263, 362, 33, 133, 2)


def csim(reference: Frames, pictures: Frames) -> NDArray[np.float64]:
    """[F] -1..1; NaN between described frames and where no face is found in both."""
    mine, theirs = descriptors(reference, pictures, _describer)
    lengths = np.linalg.norm(mine, axis=1) * np.linalg.norm(theirs, axis=1)
    return np.asarray(np.einsum("fd,fd->f", mine, theirs) / lengths)


def aed(reference: Frames, pictures: Frames) -> NDArray[np.float64]:
    """[F], below 0.6 for one person; NaN as above."""
    mine, theirs = descriptors(reference, pictures, _describer)
    return np.asarray(np.linalg.norm(mine - theirs, axis=1))


class Describer:
    """Raises MissingError where $FACEWIRE_MODELS does not hold the network."""

    def __init__(self) -> None:
        import dlib

        self._dlib: Any = dlib
        self._network = dlib.face_recognition_model_v1(str(find_asset(NETWORK)))

    def describe(self, image: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[Any]:
        """image: [H, W, 3] RGB.  points: [478, 2] landmarks in pixels -> [128].  dlib cuts the
        face by its five landmarks; the box is not looked at."""
        height, width = image.shape[:2]
        box = self._dlib.rectangle(0, 0, width - 1, height - 1)
        five = [self._dlib.point(int(x), int(y)) for x, y in np.rint(points[list(PLACES), :2])]
        face = self._dlib.full_object_detection(box, five)
        found = self._network.compute_face_descriptor(np.ascontiguousarray(image), face)
        return np.asarray(found, np.float64)


@lru_cache(maxsize=1)
def _describer() -> Describer:
    return Describer()


def missing() -> str:
    if needs := tracker_missing():
        return needs
    if find_spec("dlib") is None:
        return f"needs pip install 'facewire[dlib]' and {NETWORK}"
    return "" if has_asset(NETWORK) else f"needs {NETWORK} in a folder that $FACEWIRE_MODELS names"


DLIB_IDENTITY = (
    Metric("CSIM-DLIB", "of 1", True, "dlib's cosine", csim, missing, (WHOLE,)),
    Metric("AED-DLIB", "", False, "dlib's distance", aed, missing, (WHOLE,)),
)

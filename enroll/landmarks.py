"""Points on a face: where they are in a picture, whatever network found them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from avatar.errors import MissingError

MESH_POINTS = 478  # MediaPipe's 468 vertices and 5 points for each iris

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

    def forget(self) -> None:
        """The next frame comes after a cut: where the face was says nothing about it."""

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

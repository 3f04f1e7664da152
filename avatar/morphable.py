"""The linear face model: mean, identity and expression on MediaPipe's mesh.

003 section 3.1 drives its fields with the 79 expression coefficients of a PCA-linear model after
Blanz and Vetter (SIGGRAPH 1999): vertices = mean + identity . S + expression . E.  The arrays are
learned by benchmarks/learn_face_model.py and shipped in avatar/data, see the README there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import FormatError
from avatar.face import EXPRESSIONS

MODEL_FILE = Path(__file__).parent / "data" / "face_model.safetensors"
SKIN_POINTS = 468  # the mesh; behind them 5 points (centre, then 4 around) for each iris
POINTS = 478
RIGHT_IRIS, LEFT_IRIS = slice(468, 473), slice(473, 478)  # the subject's right and left

Array = NDArray[Any]


@dataclass(frozen=True)
class FaceModel:
    """Head space (avatar/camera.py), metres; coefficients in standard deviations.

    mean: [478, 3].  identity: [N, 478, 3].  expression: [79, 478, 3], zero on the irises, which
    gaze moves.  noise: [478] standard deviation of a landmark's jitter in metres.  mirror: [478]
    the point on the other side of the face.  triangles: [T, 3] int32, counterclockwise seen from
    outside.
    """

    mean: Array
    identity: Array
    expression: Array
    noise: Array
    mirror: Array
    triangles: Array

    def __post_init__(self) -> None:
        shapes = {
            "mean": (POINTS, 3),
            "identity": (self.identity.shape[0], POINTS, 3),
            "expression": (EXPRESSIONS, POINTS, 3),
            "noise": (POINTS,),
            "mirror": (POINTS,),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise FormatError(
                    f"face model: {name} has shape {getattr(self, name).shape}, not {shape}",
                    "Reinstall Facewire, or learn the model again with learn_face_model.py.",
                )

    @property
    def identities(self) -> int:
        return int(self.identity.shape[0])

    def neutral(self, identity: Array) -> Array:
        """[..., N] -> [..., 478, 3]: the person at rest."""
        return self.mean + np.tensordot(np.asarray(identity, np.float32), self.identity, 1)

    def vertices(self, identity: Array, expression: Array) -> Array:
        """[..., N] and [..., 79] -> [..., 478, 3] in head space, metres."""
        moved = np.tensordot(np.asarray(expression, np.float32), self.expression, 1)
        return np.asarray(self.neutral(identity) + moved)

    @staticmethod
    def load(path: Path = MODEL_FILE) -> FaceModel:
        """The model that ships with Facewire (or another of the same shape)."""
        return _load(path)


@cache
def _load(path: Path) -> FaceModel:
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
        return FaceModel(
            mean=arrays["mean"].astype(np.float32),
            identity=arrays["identity"].astype(np.float32),
            expression=arrays["expression"].astype(np.float32),
            noise=arrays["noise"].astype(np.float32),
            mirror=arrays["mirror"].astype(np.int32),
            triangles=arrays["triangles"].astype(np.int32),
        )
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise FormatError(
            f"the face model {path.name} cannot be read: {error}", "Reinstall Facewire."
        ) from None
    except Exception as error:  # safetensors raises its own class, which derives from Exception
        raise FormatError(
            f"the face model {path.name} is damaged: {error}", "Reinstall Facewire."
        ) from None

"""Whether a drawn person is in one piece: holes, floaters, what stands where nobody is.

All of it from opacities [H, W], 0..1, of a picture, and given as shares of the silhouette.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, binary_fill_holes, distance_transform_edt, label

OPAQUE = 0.5  # opacity of what hides more than it shows
VISIBLE = 0.1  # and of what can be seen at all

_LUMA = np.array([0.299, 0.587, 0.114])  # BT.601
_ROUND = np.ones((3, 3), bool)  # corners touch, too

Array = NDArray[Any]
Mask = NDArray[np.bool_]


def holes(seen: Array, layers: list[Array], face: Mask) -> float:
    """Share of the silhouette through which the wall shows.

    seen: of head and shoulders together.  layers: of each by itself.  face: where the face is sure
    to be.  That and what one layer encloses is the person; what only both enclose is a gap, as
    between hair and a shoulder.
    """
    whole = face | (seen >= OPAQUE)
    for layer in layers:
        piece = _largest(layer >= OPAQUE)
        whole |= binary_fill_holes(piece) & ~piece
    return float((whole & (seen < OPAQUE)).sum() / max(whole.sum(), 1))


def floaters(seen: Array) -> float:
    """What can be seen and does not hang together with the person, of the silhouette."""
    visible = seen >= VISIBLE
    person = _largest(visible)
    return float((visible & ~person).sum() / max(person.sum(), 1))


def strays(seen: Array, expected: Mask, reach: float) -> float:
    """What is opaque farther than `reach` pixels from where the person is expected, of that."""
    away = distance_transform_edt(~expected)
    return float(((seen >= OPAQUE) & (away > reach)).sum() / max(expected.sum(), 1))


def detail(picture: NDArray[np.uint8], face: Mask) -> float:
    """Mean squared gradient of the luma within the face, squared levels a pixel; NaN for none."""
    inner = binary_erosion(face, _ROUND)  # a gradient takes in the pixels beside it
    if not inner.any():
        return float("nan")
    down, right = np.gradient(picture @ _LUMA)
    return float((down**2 + right**2)[inner].mean())


def _largest(mask: Mask) -> Mask:
    """The largest of its pieces."""
    pieces, count = label(mask, _ROUND)
    if count < 2:
        return mask
    return np.asarray(pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:]))

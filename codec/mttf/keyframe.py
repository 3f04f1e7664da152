"""Key frames by a classic codec, intra only: a picture to an elementary stream and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codec.mttf.classic import decode_pictures, encode_pictures

Picture = NDArray[np.uint8]


def encode_key(picture: Picture, name: str, qp: int) -> bytes:
    """One [S, S, 3] RGB picture, S even, as one intra frame.  Raises as `encode_pictures`."""
    return encode_pictures([picture], name, qp)


def decode_key(data: bytes, number: int, side: int) -> Picture:
    """What `encode_key` wrote -> [side, side, 3] RGB.  Raises as `decode_pictures`."""
    return next(decode_pictures(data, number, side, 1))

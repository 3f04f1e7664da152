"""Pictures of a page's camera, and what it shows: JPEG."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError

_SIDES = (32, 1280)  # pixels that a picture may have
_MORE = f"Send a JPEG of up to {_SIDES[1]} pixels a side."


def read_jpeg(data: bytes) -> NDArray[np.uint8]:
    """[H, W, 3] RGB.  Raises InputError for what is no JPEG of a fair size, before decoding it."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            if max(image.size) > _SIDES[1] or min(image.size) < _SIDES[0]:
                raise InputError(f"a picture of {image.size} cannot be taken", _MORE)
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise InputError("this is no picture", _MORE) from None


def write_jpeg(picture: NDArray[np.uint8], quality: int = 88) -> bytes:
    """[H, W, 3] RGB as JPEG."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality)
    return out.getvalue()

"""RGB to 4:2:0 and back, BT.709 in limited range (ITU-R BT.709-6, sections 3 and 4).

Our own rather than a library's: a scaler's default rounding is a cast of one or two steps over the
whole picture, and the same bytes should show the same picture with every version of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_KR, _KB = 0.2126, 0.0722
_LUMA = np.array([_KR, 1 - _KR - _KB, _KB])


def to_planes(picture: NDArray[np.uint8], bits: int = 8) -> NDArray[np.uint16]:
    """[H, W, 3] RGB, H and W even -> [3 H / 2, W]: Y, then Cb and Cr, each a quarter of it, as
    PyAV takes 4:2:0 pictures.  A chroma sample is the mean of its four pixels."""
    rgb = picture.astype(np.float64) / 255
    luma = rgb @ _LUMA
    blue = (rgb[..., 2] - luma) / (2 * (1 - _KB))
    red = (rgb[..., 0] - luma) / (2 * (1 - _KR))
    height, width = luma.shape
    unit = 1 << (bits - 8)
    quarters = [
        c.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)).reshape(-1, width)
        for c in (blue, red)
    ]
    planes = np.concatenate([219 * luma + 16, *(224 * c + 128 for c in quarters)])
    return np.clip(np.rint(planes * unit), 0, (256 << (bits - 8)) - 1).astype(np.uint16)


def from_planes(planes: NDArray[np.uint16], bits: int = 8) -> NDArray[np.uint8]:
    """The inverse; chroma is taken bilinearly between the middles of its pixels."""
    width = planes.shape[1]
    height = planes.shape[0] * 2 // 3
    exact = planes.astype(np.float64) / (1 << (bits - 8))
    luma = (exact[:height] - 16) / 219
    blue, red = (
        _doubled(c.reshape(height // 2, width // 2))
        for c in np.split((exact[height:] - 128) / 224, 2)
    )
    r = luma + 2 * (1 - _KR) * red
    b = luma + 2 * (1 - _KB) * blue
    g = (luma - _KR * r - _KB * b) / (1 - _KR - _KB)
    return np.clip(np.rint(255 * np.stack([r, g, b], axis=-1)), 0, 255).astype(np.uint8)


def _doubled(x: NDArray[np.float64]) -> NDArray[np.float64]:
    for axis in (0, 1):
        x = np.moveaxis(x, axis, 0)
        before, after = np.concatenate([x[:1], x[:-1]]), np.concatenate([x[1:], x[-1:]])
        out = np.empty((2 * len(x), *x.shape[1:]))
        out[0::2], out[1::2] = 0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after
        x = np.moveaxis(out, 0, axis)
    return x

"""Picture metrics: PSNR, SSIM, MS-SSIM, gradient energy, and the face region they are taken on.

Pictures are [H, W, C] RGB, 0..255, uint8 or float.  Sources: SSIM, Wang et al. 2004 (Gaussian
window, sigma 1.5, 11 x 11, K 0.01 and 0.03); MS-SSIM, Wang et al. 2003 (five scales).  Both are
taken on every channel and averaged, over the positions where the window fits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, MismatchError
from render.lanczos import lanczos

PSNR_LIMIT = 100.0  # of equal pictures, so that a mean over frames stays finite
FACE_SCALE = 1.3  # the judged region is the tracked face box times this
FACE_SIZE = 256  # pixels, at which MS-SSIM of the face is taken
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003

_RADIUS = 5
_SIGMA = 1.5
_TAPS = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
_TAPS /= _TAPS.sum()
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_BLOCK = 32
_BAND = np.zeros((_BLOCK, _BLOCK + 2 * _RADIUS), np.float32)
for _row in range(_BLOCK):
    _BAND[_row, _row : _row + len(_TAPS)] = _TAPS

Picture = NDArray[Any]


def psnr(reference: Picture, picture: Picture) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and channels, at most 100."""
    _same(reference, picture)
    difference = np.asarray(reference, np.float32) - np.asarray(picture, np.float32)
    error = float(np.mean(np.square(difference), dtype=np.float64))
    return PSNR_LIMIT if error <= 0 else min(PSNR_LIMIT, float(10 * np.log10(255.0**2 / error)))


def ssim(reference: Picture, picture: Picture) -> float:
    """Structural similarity, at most 1.  Pictures must be at least 11 pixels each way."""
    return float(ssim_map(reference, picture).mean())


def ssim_map(reference: Picture, picture: Picture) -> NDArray[np.float64]:
    """[H-10, W-10] structural similarity about each pixel five and more from the border, the mean
    of the channels."""
    structure, luminance = _similarity(_planes(reference), _planes(picture))
    return np.asarray(np.mean(structure * luminance, axis=0, dtype=np.float64))


def ms_ssim(reference: Picture, picture: Picture) -> float:
    """Multi-scale structural similarity over five scales, at most 1.  Pictures must be more
    than 160 pixels each way, so that the window fits the smallest scale."""
    _same(reference, picture)
    least = 2 * _RADIUS * 2 ** (len(SCALE_WEIGHTS) - 1)
    if min(reference.shape[:2]) <= least:
        raise InputError(
            f"MS-SSIM over five scales needs more than {least} pixels each way, not "
            f"{reference.shape[1]}x{reference.shape[0]}",
            "Resize both pictures first, or use ssim.",
        )
    a, b = _planes(reference), _planes(picture)
    product = np.ones(len(a))
    for scale, weight in enumerate(SCALE_WEIGHTS):
        structure, luminance = _similarity(a, b)
        last = scale == len(SCALE_WEIGHTS) - 1
        term = np.mean(structure * luminance if last else structure, axis=(1, 2), dtype=np.float64)
        product *= np.maximum(term, 0.0) ** weight  # a negative base has no real power
        if not last:
            a, b = _halved(a), _halved(b)
    return float(product.mean())


def gradient_energy(picture: Picture) -> float:
    """Mean squared gradient of the luma (BT.601), in squared levels a pixel: how much detail a
    picture shows, be it right or wrong."""
    return float(np.mean(gradient_map(picture), dtype=np.float64))


def gradient_map(picture: Picture) -> NDArray[np.float32]:
    """[H-1, W-1] squared gradient of the luma from each pixel to the next right and down."""
    luma = np.asarray(picture, np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    down, right = luma[1:, :-1] - luma[:-1, :-1], luma[:-1, 1:] - luma[:-1, :-1]
    return np.asarray(down * down + right * right)


def face_region(box: NDArray[Any], width: int, height: int) -> tuple[slice, slice]:
    """The judged part of a picture of width x height: rows and columns of the tracked face box
    (left, top, right, bottom; 0..1 of the picture) times 1.3, cut at the picture's edge."""
    left, top, right, bottom = (float(v) for v in box)
    if not np.all(np.isfinite(box)) or right <= left or bottom <= top:
        raise InputError(
            f"face box {tuple(round(float(v), 3) for v in box)} is empty",
            "Judge only frames in which the face is tracked.",
        )
    grow_x, grow_y = (FACE_SCALE - 1) / 2 * (right - left), (FACE_SCALE - 1) / 2 * (bottom - top)
    columns = _span(left - grow_x, right + grow_x, width)
    rows = _span(top - grow_y, bottom + grow_y, height)
    return rows, columns


def face_psnr(reference: Picture, picture: Picture, box: NDArray[Any]) -> float:
    """PSNR in dB on the face box (0..1 of the picture) times 1.3."""
    region = face_region(box, reference.shape[1], reference.shape[0])
    return psnr(reference[region], picture[region])


def face_ms_ssim(reference: Picture, picture: Picture, box: NDArray[Any]) -> float:
    """MS-SSIM on the face box (0..1 of the picture) times 1.3, both resized to 256x256."""
    region = face_region(box, reference.shape[1], reference.shape[0])
    return ms_ssim(
        lanczos(reference[region], FACE_SIZE, FACE_SIZE),
        lanczos(picture[region], FACE_SIZE, FACE_SIZE),
    )


def _span(first: float, last: float, size: int) -> slice:
    """Of 0..1 on an axis of `size` pixels: those whose centres lie within, at least one."""
    start = min(max(round(first * size), 0), size - 1)
    return slice(start, min(max(round(last * size), start + 1), size))


def _same(reference: Picture, picture: Picture) -> None:
    if reference.shape != picture.shape or reference.size == 0:
        raise MismatchError(
            f"pictures of shapes {reference.shape} and {picture.shape} cannot be compared",
            "Resize one to the other's size first.",
        )


def _planes(picture: Picture) -> NDArray[np.float32]:
    """[C, H, W] around 0: variances do not mind, and float32 keeps more of their digits."""
    if min(picture.shape[:2]) <= 2 * _RADIUS:
        raise InputError(
            f"SSIM needs pictures of 11 pixels or more each way, not "
            f"{picture.shape[1]}x{picture.shape[0]}",
            "Resize both pictures first.",
        )
    planes = np.moveaxis(np.atleast_3d(picture).astype(np.float32), 2, 0) - np.float32(127.5)
    return np.ascontiguousarray(planes)


def _similarity(a: Picture, b: Picture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Maps of (contrast x structure) and of luminance, [C, H-10, W-10], of planes [C, H, W]."""
    _same(a, b)
    mean_a, mean_b, square, product = _blurred(np.stack([a, b, a * a + b * b, a * b]))
    covariance = product - mean_a * mean_b
    variances = square - mean_a * mean_a - mean_b * mean_b
    structure = (2 * covariance + _C2) / (variances + _C2)
    mean_a += np.float32(127.5)
    mean_b += np.float32(127.5)
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a * mean_a + mean_b * mean_b + _C1)
    return structure, luminance


def _blurred(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gaussian-weighted means of [..., H, W] where the whole window fits: [..., H-10, W-10].

    A block of rows is one small matrix product with a banded matrix: four times the arithmetic
    of eleven shifted sums and a quarter of their time.
    """
    *many, height, width = planes.shape
    rows = np.empty((*many, height - 2 * _RADIUS, width), np.float32)
    for start in range(0, rows.shape[-2], _BLOCK):
        size = min(_BLOCK, rows.shape[-2] - start)
        band = _BAND[:size, : size + 2 * _RADIUS]
        np.matmul(
            band,
            planes[..., start : start + size + 2 * _RADIUS, :],
            out=rows[..., start : start + size, :],
        )
    result = np.empty((*many, height - 2 * _RADIUS, width - 2 * _RADIUS), np.float32)
    for start in range(0, result.shape[-1], _BLOCK):
        size = min(_BLOCK, result.shape[-1] - start)
        band = _BAND[:size, : size + 2 * _RADIUS].T
        result[..., start : start + size] = rows[..., start : start + size + 2 * _RADIUS] @ band
    return result


def _halved(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over 2 x 2 pixels, [C, H, W] -> [C, ceil(H/2), ceil(W/2)].  An odd side is padded by
    black before its first row or column and every mean is over four, as in pytorch-msssim."""
    _, height, width = planes.shape
    if height % 2 or width % 2:
        black = np.float32(-127.5)  # planes are around 0
        planes = np.pad(planes, ((0, 0), (height % 2, 0), (width % 2, 0)), constant_values=black)
    return (
        planes[:, ::2, ::2] + planes[:, 1::2, ::2] + planes[:, ::2, 1::2] + planes[:, 1::2, 1::2]
    ) * np.float32(0.25)

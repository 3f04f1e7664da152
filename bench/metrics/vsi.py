"""VSI, the visual saliency-induced index: Zhang, Shen and Li, IEEE TIP 23(10), 2014.

Saliency is SDSP's (Zhang, Gu and Li, ICIP 2013): a band-pass of the Lab picture, a bias to the
centre and one to warm colours, found at 256x256.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics.fsim import similarity
from bench.metrics.gradient import averaged, scharr

C_SALIENCY, C_GRADIENT, C_COLOUR = 1.27, 386.0, 130.0  # VSI, section III
ALPHA, BETA = 0.40, 0.020  # its powers of the gradient's and the colours' similarity
_FREQUENCY, _BANDWIDTH, _CENTRE, _WARM = 0.021, 1.34, 145.0, 0.001  # SDSP, section 2
_SIDE = 256
_LMN = np.array([[0.06, 0.63, 0.27], [0.30, 0.04, -0.35], [0.34, -0.60, 0.17]])
_XYZ = np.array(  # sRGB to CIE XYZ
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_WHITE = np.array([0.9642120, 1.0, 0.8251883])  # D50, as the authors' program has it

Array = NDArray[Any]


def vsi(reference: Array, picture: Array) -> float:
    """Of RGB pictures [H, W, 3] in 0..255, at most 1."""
    a, b = (_seen(image.astype(np.float64)) for image in (reference, picture))
    weight = np.maximum(a[..., 3], b[..., 3])
    score = weight * similarity(a[..., 3], b[..., 3], C_SALIENCY)
    score = score * similarity(scharr(a[..., 0]), scharr(b[..., 0]), C_GRADIENT) ** ALPHA
    colour = similarity(a[..., 1], b[..., 1], C_COLOUR) * similarity(a[..., 2], b[..., 2], C_COLOUR)
    # A negative similarity has a complex power; its real part is the authors' program's.
    score = score * np.real(colour.astype(complex) ** BETA)
    total = float(weight.sum())
    return float(score.sum()) / total if total > 0 else 1.0


def saliency(image: Array) -> Array:
    """[H, W, 3] RGB in 0..255 -> [H, W], 0..1."""
    lab = _lab(_resized(image, _SIDE, _SIDE, corners=False) / 255)
    band, centre = _filters()
    found = np.fft.ifft2(np.fft.fft2(lab, axes=(0, 1)) * band[..., None], axes=(0, 1)).real
    strength = np.sqrt((found**2).sum(axis=2))
    chroma = lab[..., 1:]
    low, high = chroma.min(axis=(0, 1)), chroma.max(axis=(0, 1))
    warm = (((chroma - low) / np.maximum(high - low, 1e-12)) ** 2).sum(axis=2)
    salient = strength * centre * (1 - np.exp(-warm / _WARM**2))
    height, width = image.shape[:2]
    salient = _resized(salient[..., None], height, width, corners=True)[..., 0]
    low, high = salient.min(), salient.max()
    return np.asarray((salient - low) / max(high - low, 1e-12))


def _seen(image: Array) -> Array:
    """[H, W, 4]: L, M, N and saliency, averaged to about 256 pixels."""
    return averaged(np.concatenate([image @ _LMN.T, saliency(image)[..., None]], 2), padded=True)


def _lab(rgb: Array) -> Array:
    """sRGB 0..1 [..., 3] -> CIE L*a*b*."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _XYZ.T / _WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), (903.3 * xyz + 16) / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


@lru_cache(maxsize=1)
def _filters() -> tuple[Array, Array]:
    """[256, 256] the log-Gabor band-pass, frequency 0 at the corner; [256, 256] the centre's
    bias."""
    line = np.arange(-_SIDE / 2, _SIDE / 2) / _SIDE
    v, u = np.meshgrid(line, line, indexing="ij")
    radius = np.hypot(u, v)
    inside = np.fft.ifftshift(np.where(radius <= 0.5, radius, 0.0))
    with np.errstate(divide="ignore"):  # a radius of 0 has no logarithm and lets nothing through
        band = np.exp(-(np.log(inside / _FREQUENCY) ** 2) / (2 * _BANDWIDTH**2))
    away = (u * _SIDE + 1) ** 2 + (v * _SIDE + 1) ** 2
    return band, np.exp(-away / _CENTRE**2)


def _resized(image: Array, height: int, width: int, corners: bool) -> Array:
    """Bilinear, without a wider kernel where it shrinks.  corners: those of both pictures meet,
    otherwise their edges."""
    for axis, size in ((0, height), (1, width)):
        count = image.shape[axis]
        if corners:
            at = np.linspace(0, count - 1, size)
        else:
            at = np.clip((np.arange(size) + 0.5) * (count / size) - 0.5, 0, count - 1)
        first = np.minimum(at.astype(int), max(count - 2, 0))
        share = (at - first).reshape([-1 if a == axis else 1 for a in range(3)])
        after = np.minimum(first + 1, count - 1)
        image = image.take(first, axis) * (1 - share) + image.take(after, axis) * share
    return image

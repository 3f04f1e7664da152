"""DISTS: Ding, Ma, Wang and Simoncelli, IEEE TPAMI 44(5), 2022.

VGG-16 with Hann-weighted root mean squares in the place of the largest values; of each channel the
similarity of means, which is texture (their Eq. 5), and of what goes together, which is structure
(Eq. 6), weighted by alpha and beta (Eq. 7).  Both files are the user's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics.backbones import VGG16, judged, load_tensors
from bench.metrics.metric import Frames, Metric

Tensor = Any
WEIGHTS = "dists/weights.pt"
LEAST = 32  # pixels: below it the deepest features have one place
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, for 0 .. 1
_C1 = _C2 = 1e-6


def dists(reference: Frames, pictures: Frames) -> NDArray[np.float64]:
    """[F], 0 for equal pictures; of the pictures' own size, where the authors' example shrinks
    what is larger than 256."""
    tensors, weights = load_tensors(VGG16.file), load_tensors(WEIGHTS)
    return judged(lambda a, b: distance(a, b, tensors, weights), reference, pictures)


def distance(
    a: Tensor, b: Tensor, tensors: Mapping[str, Tensor], weights: Mapping[str, Tensor]
) -> Tensor:
    """Eq. 7: a, b [B, 3, H, W] in 0 .. 1 -> [B].  weights: alpha, beta [1, N, 1, 1] of the
    picture's own channels and then every layer's."""
    alpha, beta = (weights[name].flatten() for name in ("alpha", "beta"))
    whole = alpha.sum() + beta.sum()
    similar, at = a.new_zeros(len(a)), 0
    for x, y in zip(_features(a, tensors), _features(b, tensors), strict=True):
        mx, my = x.mean((2, 3)), y.mean((2, 3))  # [B, C]
        texture = (2 * mx * my + _C1) / (mx * mx + my * my + _C1)
        vx, vy = (((z - m[:, :, None, None]) ** 2).mean((2, 3)) for z, m in ((x, mx), (y, my)))
        together = (x * y).mean((2, 3)) - mx * my
        structure = (2 * together + _C2) / (vx + vy + _C2)
        here = slice(at, at + x.shape[1])
        similar = similar + (alpha[here] * texture + beta[here] * structure).sum(1)
        at = here.stop
    return 1 - similar / whole


def _features(x: Tensor, tensors: Mapping[str, Tensor]) -> list[Tensor]:
    """The picture itself first, Eq. 3."""
    mean, deviation = (x.new_tensor(v)[:, None, None] for v in (_MEAN, _DEVIATION))
    return [x, *VGG16.features(tensors, (x - mean) / deviation, pooled)]


def pooled(x: Tensor) -> Tensor:
    """Eq. 2: sqrt(g * x^2) at every second place, g the Hann window over 3x3."""
    from torch.nn import functional

    line = x.new_tensor([0.25, 0.5, 0.25])
    kernel = (line[:, None] * line).expand(x.shape[1], 1, 3, 3)
    return (functional.conv2d(x * x, kernel, None, 2, 1, 1, x.shape[1]) + 1e-12).sqrt()


def missing() -> str:
    return VGG16.missing(WEIGHTS)


DISTS = Metric("DISTS", "", False, "Ding et al. 2022", dists, missing, least=LEAST)

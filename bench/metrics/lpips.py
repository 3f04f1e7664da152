"""LPIPS: Zhang, Isola, Efros, Shechtman and Wang, CVPR 2018, version 0.1 of its authors' program.

Their Eq. 1: features of a classifier, each place's scaled to length 1, their squared differences
weighted by channel ("linear heads", learned from what people said) and averaged over the places,
summed over the layers.  Both files are the user's; without either of them it is not computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics.backbones import ALEXNET, VGG16, Backbone, judged, load_tensors
from bench.metrics.metric import Frames, Metric

Tensor = Any
# Of pictures in -1 .. 1: ImageNet's mean and deviation, as its authors' program rounds them.
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_EDGE = 1e-10  # beside a feature's length
LEAST = 31  # pixels: AlexNet's deepest features of fewer have no place


@dataclass(frozen=True)
class Lpips:
    """heads: the authors' file of linear heads."""

    backbone: Backbone
    heads: str

    def missing(self) -> str:
        return self.backbone.missing(self.heads)

    def figures(self, reference: Frames, pictures: Frames) -> NDArray[np.float64]:
        """[F], 0 for equal pictures."""
        tensors, heads = load_tensors(self.backbone.file), load_tensors(self.heads)
        return judged(lambda a, b: self.distance(a, b, tensors, heads), reference, pictures)

    def distance(
        self, a: Tensor, b: Tensor, tensors: Mapping[str, Tensor], heads: Mapping[str, Tensor]
    ) -> Tensor:
        """Eq. 1: a, b [B, 3, H, W] in 0 .. 1 -> [B].  heads: `lin{i}.model.1.weight` [1, C, 1, 1]
        of layer i."""
        shift, scale = (a.new_tensor(v)[:, None, None] for v in (_SHIFT, _SCALE))
        mine, theirs = (
            self.backbone.features(tensors, (2 * x - 1 - shift) / scale) for x in (a, b)
        )
        total = a.new_zeros(len(a))
        for i, (x, y) in enumerate(zip(mine, theirs, strict=True)):
            difference = (_unit(x) - _unit(y)) ** 2
            total = total + (difference * heads[f"lin{i}.model.1.weight"]).sum(1).mean((1, 2))
        return total


def _unit(x: Tensor) -> Tensor:
    return x / ((x * x).sum(1, keepdim=True).sqrt() + _EDGE)


BY_ALEXNET = Lpips(ALEXNET, "lpips/alex.pth")
BY_VGG = Lpips(VGG16, "lpips/vgg.pth")

LPIPS = (
    Metric(
        "LPIPS", "", False, "Zhang et al. 2018, version 0.1, AlexNet",
        BY_ALEXNET.figures, BY_ALEXNET.missing, least=LEAST,
    ),
    Metric(
        "LPIPS-VGG", "", False, "Zhang et al. 2018, version 0.1, VGG-16",
        BY_VGG.figures, BY_VGG.missing, least=LEAST,
    ),
)  # fmt: skip

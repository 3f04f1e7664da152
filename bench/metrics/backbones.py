"""The two classifiers whose features LPIPS and DISTS compare: AlexNet and VGG-16 without their
heads, from torchvision's files of weights, which the user brings.

B pictures; a layer's features are [B, C, h, w] after its ReLU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.assets import find_asset, has_asset
from avatar.errors import FormatError
from bench.metrics.metric import Frames

Tensor = Any
_BATCH = 4  # pictures at a time: VGG's features of one of 256x256 are 60 MB


@dataclass(frozen=True)
class Layer:
    """A convolution with a ReLU.  number: its index in torchvision's `features`.  pooled: whether
    the features are pooled before it.  given: whether what it gives is compared."""

    number: int
    pooled: bool = False
    given: bool = False
    stride: int = 1
    padding: int = 1


@dataclass(frozen=True)
class Backbone:
    """file: torchvision's weights.  pool: side of the pooling window, stride 2."""

    title: str
    file: str
    layers: tuple[Layer, ...]
    pool: int

    def missing(self, *others: str) -> str:
        """ "" where this file, the other files and torch are here, else what is needed."""
        if find_spec("torch") is None:
            return "needs pip install 'facewire[play]' (torch)"
        lacking = [file for file in (self.file, *others) if not has_asset(file)]
        if not lacking:
            return ""
        return f"needs {' and '.join(lacking)} in a folder that $FACEWIRE_MODELS names"

    def features(
        self,
        tensors: Mapping[str, Tensor],
        pictures: Tensor,
        pooling: Callable[[Tensor], Tensor] | None = None,
    ) -> list[Tensor]:
        """Of the layers that are given.  tensors: `load_tensors(file)`.  pictures: [B, 3, H, W] as
        the network takes them.  pooling: in the place of the largest value of each window."""
        from torch.nn import functional

        found, x = [], pictures
        for layer in self.layers:
            if layer.pooled:
                x = pooling(x) if pooling else functional.max_pool2d(x, self.pool, 2)
            weight, bias = (tensors[f"features.{layer.number}.{n}"] for n in ("weight", "bias"))
            x = functional.conv2d(x, weight, bias, layer.stride, layer.padding).relu()
            if layer.given:
                found.append(x)
        return found


# A. Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014.
ALEXNET = Backbone(
    "AlexNet",
    "alexnet-owt-7be5be79.pth",
    (
        Layer(0, given=True, stride=4, padding=2),
        Layer(3, pooled=True, given=True, padding=2),
        Layer(6, pooled=True, given=True),
        Layer(8, given=True),
        Layer(10, given=True),
    ),
    pool=3,
)

# K. Simonyan and A. Zisserman, ICLR 2015, configuration D: conv1_2, 2_2, 3_3, 4_3 and 5_3.
VGG16 = Backbone(
    "VGG-16",
    "vgg16-397923af.pth",
    (
        Layer(0), Layer(2, given=True),
        Layer(5, pooled=True), Layer(7, given=True),
        Layer(10, pooled=True), Layer(12), Layer(14, given=True),
        Layer(17, pooled=True), Layer(19), Layer(21, given=True),
        Layer(24, pooled=True), Layer(26), Layer(28, given=True),
    ),
    pool=2,
)  # fmt: skip


@lru_cache(maxsize=8)
def load_tensors(file: str) -> dict[str, Tensor]:
    """A known file of weights, without a classifier's last layers.  Raises MissingError where it
    is not there, FormatError where it holds no tensors."""
    import torch

    path = find_asset(file)
    try:
        held = torch.load(path, weights_only=True, map_location="cpu")
        return {n: t.float() for n, t in held.items() if not n.startswith("classifier.")}
    except (RuntimeError, AttributeError, EOFError, ValueError) as error:
        raise FormatError(f"{path} holds no weights ({error})", "Get the file again.") from None


def judged(
    of: Callable[[Tensor, Tensor], Tensor], reference: Frames, pictures: Frames
) -> NDArray[np.float64]:
    """of: of two batches [B, 3, H, W] in 0 .. 1, one figure each [B].  -> [F]."""
    import torch

    found = []
    with torch.inference_mode():
        for start in range(0, len(reference), _BATCH):
            a, b = (
                torch.from_numpy(frames[start : start + _BATCH].copy())
                .permute(0, 3, 1, 2).float() / 255
                for frames in (reference, pictures)
            )  # fmt: skip
            found.append(of(a, b).double().numpy())
    return np.concatenate(found)

"""The network as sender and receiver run it: arrays in and out, no gradients, one picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import FormatError
from codec.mttf.backend import nn, torch
from codec.mttf.weights import Weights

Picture = NDArray[np.uint8]


class Runtime:
    """Pictures are [R, R, 3] uint8 RGB, R one of `settings.sides`; vectors [2 N_F] float32."""

    def __init__(self, weights: Weights, device: str = "cpu") -> None:
        """Raises FormatError where the tensors do not fit the network, MissingError without
        torch."""
        self.settings = weights.settings
        self._device = device
        net = weights.settings.network()
        try:
            net.load_state_dict({n: torch.from_numpy(a) for n, a in weights.tensors.items()})
        except RuntimeError as error:
            raise FormatError(
                f"the weights do not fit the network {weights.settings.name}: {error}",
                "Train them again.",
            ) from None
        self._net = fused(net.eval().requires_grad_(False)).to(device)

    def vectors(self, picture: Picture) -> NDArray[np.float32]:
        with torch.inference_mode():
            out = self._net.vectors(self._tensor(picture))
        return np.asarray(out[0].cpu().numpy(), np.float32)

    def hold(self, key: Picture) -> Any:
        with torch.inference_mode():
            return self._net.hold(self._tensor(key))

    def generate(self, held: Any, vectors: NDArray[np.float32]) -> Picture:
        with torch.inference_mode():
            given = torch.from_numpy(np.asarray(vectors, np.float32))[None].to(self._device)
            made = self._net.generate(held, given).picture
            made = (made[0].permute(1, 2, 0) * 255 + 0.5).to(torch.uint8)
        return np.ascontiguousarray(made.cpu().numpy())

    def _tensor(self, picture: Picture) -> Any:
        x = torch.from_numpy(np.array(picture, copy=True)).to(self._device)
        return (x.permute(2, 0, 1).float() / 255)[None].contiguous()


def fused(net: Any) -> Any:
    """Every batch normalisation taken into the convolution before it."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for module in net.modules():
        if isinstance(module, nn.Sequential) and len(module) == 3:
            convolution, norm, _ = module
            if isinstance(norm, nn.BatchNorm2d):
                module[0] = fuse_conv_bn_eval(convolution, norm)
                module[1] = nn.Identity()
    return net

"""The network as sender and receiver run it: arrays in and out, no gradients, one picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import FormatError, StreamError
from codec.mttf.backend import half_precision, nn, torch
from codec.mttf.packet import FARTHEST
from codec.mttf.vectors import STEP
from codec.mttf.weights import Weights

Picture = NDArray[np.uint8]
Mesh = NDArray[np.float32]
Face = tuple[int, ...]


class Runtime:
    """Pictures are [R, R, 3] uint8 RGB, R one of `settings.sides`; vectors [D] float32; meshes
    [482, 2] float32, 0 .. 1 of the picture, None where no face is seen.

    guided: whether it looks at meshes.
    """

    def __init__(self, weights: Weights, device: str = "cpu", half: bool | None = None) -> None:
        """half: pictures are generated in bfloat16; None: where that is quicker.  Raises
        FormatError where the tensors do not fit the network, MissingError without torch."""
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
        self._half = half_precision(device) if half is None else half
        self._net = fused(net.eval().requires_grad_(False)).to(device)
        self.guided = self._net.told > 0

    def vectors(self, picture: Picture, mesh: Mesh | None = None) -> NDArray[np.float32]:
        with torch.inference_mode():
            out = self._net.vectors(self._tensor(picture), self._mesh(mesh))
        return np.asarray(out[0].cpu().numpy(), np.float32)

    def face(self, mesh: Mesh | None) -> Face:
        """What a key frame says of its face, in steps; empty where there is nothing to say."""
        given = self._mesh(mesh)
        with torch.inference_mode():
            said = None if given is None else self._net.face(given)
        if said is None:
            return ()
        return tuple((said[0] / STEP).round().clamp(-FARTHEST, FARTHEST).int().tolist())

    def hold(self, key: Picture, face: Face = ()) -> Any:
        """Raises StreamError for a face that is not of this network."""
        with torch.inference_mode():
            told = torch.tensor([face], dtype=torch.float32, device=self._device) * STEP
            if face and told.shape[1] != self._net.told:
                raise StreamError(f"a face of {len(face)} numbers", field="face")
            return self._net.hold(self._tensor(key), told if face else None)

    def generate(self, held: Any, vectors: NDArray[np.float32]) -> Picture:
        kind = torch.device(self._device).type
        with torch.inference_mode():
            given = torch.from_numpy(np.asarray(vectors, np.float32))[None].to(self._device)
            with torch.autocast(kind, torch.bfloat16, enabled=self._half):
                made = self._net.generate(held, given).picture.float()
            made = (made[0].permute(1, 2, 0) * 255 + 0.5).to(torch.uint8)
        return np.ascontiguousarray(made.cpu().numpy())

    def _mesh(self, mesh: Mesh | None) -> Any:
        if mesh is None or not self.guided:
            return None
        return torch.from_numpy(np.asarray(mesh, np.float32))[None].to(self._device)

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

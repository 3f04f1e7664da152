"""Portrait Recovery: a key frame coded at a low quality is restored before anything is made of it.

After the Portrait Recovery module of A. Tang et al., "Dynamic hybrid compression for face video";
of which only that it is one is public, so that the network is ours: a residual one, convolutional
throughout, run once a key frame.  It is float, and nothing that is coded is predicted from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import FormatError
from codec.mttf.backend import Module, functional, nn, torch
from codec.mttf.classic import CODECS, NUMBERS
from codec.mttf.keyframe import decode_key
from codec.mttf.packet import RESTORER, KeyFrame

Picture = NDArray[np.uint8]
Tensor = Any

COARSE = 32  # the QP from which on key frames are coarse
LEVELS = 15  # of how coarse one is, as a key frame's codec byte has room for


def level_of(codec: str, qp: int) -> int:
    """1 .. LEVELS: where a QP lies between `COARSE` and the codec's largest."""
    share = (qp - COARSE) / (CODECS[codec].worst - COARSE)
    return 1 + round((LEVELS - 1) * min(max(share, 0.0), 1.0))


@dataclass(frozen=True)
class RecoverySettings:
    """fold: pixels of a block's side whose colours become channels: what runs on a quarter of the
    pixels sees twice as far.  width: channels.  blocks: of two convolutions, and their sum."""

    fold: int = 2
    width: int = 48
    blocks: int = 4


@dataclass(frozen=True)
class RecoveryWeights:
    """tensors: by the names of the network's `state_dict()`, float32.  digest: sha256 of the file,
    hex.  card: how they were trained, JSON values."""

    settings: RecoverySettings
    tensors: dict[str, Any]
    digest: str
    card: dict[str, Any]


class RecoveryNet(Module):
    """picture [B, 3, H, W] in 0 .. 1, H and W multiples of `fold`; level [B] 1 .. LEVELS ->
    [B, 3, H, W].  Residual blocks as in EDSR (B. Lim et al., 2017): nothing cuts the sum off.
    Untrained it changes nothing: the last convolution starts as zeros."""

    def __init__(self, settings: RecoverySettings) -> None:
        super().__init__()
        self.settings = settings
        width, colours = settings.width, 3 * settings.fold**2
        self.first = nn.Conv2d(colours + 1, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1),
            )
            for _ in range(settings.blocks)
        )
        self.last = nn.Conv2d(width, colours, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, picture: Tensor, level: Tensor) -> Tensor:
        x = functional.pixel_unshuffle(picture - 0.5, self.settings.fold)
        plane = (level.to(x) / LEVELS)[:, None, None, None].expand(-1, 1, *x.shape[2:])
        x = self.first(torch.cat([x, plane], dim=1))
        for block in self.blocks:
            x = x + block(x)
        return picture + functional.pixel_shuffle(self.last(x), self.settings.fold)


class Recovery:
    """The network as sender and receiver run it.  Pictures are [R, R, 3] uint8 RGB, R a multiple
    of the network's `fold`.

    name: what a key frame calls the weights.
    """

    def __init__(self, weights: RecoveryWeights, device: str = "cpu") -> None:
        """Raises FormatError where the tensors do not fit the network, MissingError without
        torch."""
        self.name = bytes.fromhex(weights.digest)[:RESTORER]
        self._device = device
        net = RecoveryNet(weights.settings)
        try:
            net.load_state_dict({n: torch.from_numpy(a) for n, a in weights.tensors.items()})
        except RuntimeError as error:
            raise FormatError(
                f"the weights do not fit the network of Portrait Recovery: {error}",
                "Train them again.",
            ) from None
        net = net.eval().requires_grad_(False)
        self._net = net.to(device, memory_format=torch.channels_last)

    def restored(self, picture: Picture, level: int) -> Picture:
        with torch.inference_mode():
            x = torch.from_numpy(np.array(picture, copy=True)).to(self._device)
            x = (x.permute(2, 0, 1).float() / 255)[None]
            made = self._net(x, torch.tensor([float(level)], device=self._device))[0]
            made = (made.permute(1, 2, 0) * 255 + 0.5).clamp(0, 255).to(torch.uint8)
        return np.ascontiguousarray(made.cpu().numpy())

    def measured(
        self, key: KeyFrame, shown: Picture, wanted: Picture, qp: int
    ) -> tuple[KeyFrame, Picture]:
        """A key frame, how it decodes, what was coded, at which QP -> as it is sent and seen:
        restored where that is nearer in squared error, else as it was."""
        level = level_of(NUMBERS[key.codec].name, qp)
        made = self.restored(shown, level)
        if _error(made, wanted) < _error(shown, wanted):
            return replace(key, recovery=level, restorer=self.name), made
        return key, shown


@dataclass(frozen=True)
class Received:
    """restored: as the sender saw it; False where the weights that it names are not here."""

    picture: Picture
    restored: bool


def receive(key: KeyFrame, recovery: Recovery | None) -> Received:
    """A key frame as its stream says; as it decodes where that cannot be.  Raises StreamError for
    one that does not decode."""
    picture = decode_key(key.data, key.codec, key.side)
    if not key.recovery:
        return Received(picture, True)
    if recovery is None or recovery.name != key.restorer:
        return Received(picture, False)
    return Received(recovery.restored(picture, key.recovery), True)


def _error(picture: Picture, wanted: Picture) -> int:
    return int(np.sum((picture.astype(np.int64) - wanted) ** 2))

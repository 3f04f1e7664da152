"""From a few candidate motions to one for every place, FOMM section 3.2.

B pictures, M candidates, H hints, g the motion grid's side; motions are x, y in -1 .. 1, where to
look in the key frame.
"""

from __future__ import annotations

from typing import Any

from codec.mttf.backend import Module, nn, torch
from codec.mttf.blocks import UNet, deformed, identity_grid
from codec.mttf.motion import Motion

Tensor = Any


class DenseMotion(Module):
    """FOMM's Eq. 7, T = sum_k M_k T_k with masks M that sum to 1, and the occlusion O of Eq. 8.

    A network sees the key frame through each candidate, and the hints.  Before training all masks
    are equal and the occlusion is open.
    """

    def __init__(self, candidates: int, hints: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.net = UNet(3 * candidates + hints, widths, candidates + 1)
        nn.init.normal_(self.net.last.weight, std=1e-3)
        nn.init.zeros_(self.net.last.bias)
        self.net.last.bias.data[-1] = 3.0

    def forward(self, key: Tensor, flows: Tensor, hints: Tensor) -> Motion:
        """key: [B, 3, g, g].  flows: [B, M, g, g, 2].  hints: [B, H, g, g].  The picture moves as
        a whole: foreground and background alike."""
        out = self.net(torch.cat([deformed(key, flows), hints], dim=1)).float()
        masks = out[:, :-1].softmax(1)[..., None]  # [B, M, g, g, 1]
        motion = (masks * flows).sum(1)
        return Motion(motion, motion, torch.sigmoid(out[:, -1:]))


def affine(turn: Tensor, key: Tensor, frame: Tensor, side: int) -> Tensor:
    """Eq. 4 about each point: T_k(z) = p_key + J_k (z - p_frame), J_k the turns [B, K, 2, 2], p the
    points of key and frame [B, K, 2] -> [B, K, g, g, 2]."""
    off = identity_grid(side, key)[:, None] - frame[:, :, None, None]  # [B, K, g, g, 2]
    return key[:, :, None, None] + torch.einsum("bkij,bkyxj->bkyxi", turn, off)


def with_rest(flows: Tensor) -> Tensor:
    """[B, K, g, g, 2] -> [B, K + 1, g, g, 2], the first staying in place: the background's."""
    stay = identity_grid(flows.shape[2], flows)[:, None].expand(len(flows), 1, -1, -1, -1)
    return torch.cat([stay, flows], dim=1)

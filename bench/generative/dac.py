"""DAC: Konuko, Valenzise and Lathuiliere, "Ultra-low bitrate video conferencing using deep image
animation", ICASSP 2021.  Ten key points, 20 numbers a frame.

FOMM without its Jacobians: each point's surroundings move as the point does.  Its adaptive
refresh of the key frame is the codec's (`bench.generative.codecs`).
"""

from __future__ import annotations

from typing import Any

from bench.generative.dense import with_rest
from bench.generative.keypoints import hints, points_of
from bench.generative.method import HeldKey
from bench.generative.points import PointMethod
from bench.generative.settings import POINTS, MethodSettings
from codec.mttf.blocks import identity_grid

Tensor = Any


class Dac(PointMethod):
    """K = 10 key points, x and y each."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__(settings, POINTS + 1, POINTS)

    def candidates(self, held: HeldKey, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """FOMM's Eq. 4 with J_k = 1: T_k(z) = p_key + (z - p_frame)."""
        key, frame = points_of(held.own), points_of(vectors)
        stay = identity_grid(held.side, key)[:, None]  # [1, 1, g, g, 2]
        flows = stay + (key - frame)[:, :, None, None]
        return with_rest(flows), hints(key, frame, held.side)

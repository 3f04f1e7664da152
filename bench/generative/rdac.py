"""RDAC: Konuko, Lathuiliere and Valenzise, "Predictive coding for animation-based video
compression", ICIP 2023.  DAC animates the first key frame; what that is off is coded and added.

After 002's description (section 3.2.2): the key frame at QP 17 to 32, and residuals that begin anew
after eight frames.  How finely these are coded is not said there: here the finer, the finer the key
frame is.  DAC renews key frames, RDAC does not: what the first one no longer explains is in the
residuals.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from bench.codec import Clip, Outcome
from bench.generative.residual import (
    ResidualSettings,
    corrected,
    decode_residuals,
    encode_residuals,
)
from bench.mttf_codec import NetworkCodec
from codec.mttf.classic import CODECS
from codec.mttf.kind import NetworkKind

POINTS = (32.0, 27.0, 22.0, 17.0)  # QPs of the key frame, 002's
# From the key frame's QP by VVC to the residual's by HEVC, whose coarsest goes with the coarsest
# key frame.  Of what our fallback left of two seconds of podium, QPs 49 to 34 took 12 to 78 kbit/s.
_COARSER = 19


@dataclass(frozen=True)
class PredictiveCodec:
    """animation: predicts every picture from its bytes alone; what it is off comes beside them."""

    animation: NetworkCodec

    @property
    def name(self) -> str:
        return self.animation.name

    @property
    def title(self) -> str:
        return self.animation.title

    @property
    def points(self) -> tuple[float, ...]:
        return self.animation.points

    @property
    def network(self) -> NetworkKind:
        return self.animation.network

    def missing(self) -> str:
        return self.animation.missing()

    def code(self, clip: Clip, point: float) -> Outcome:
        """Raises as `NetworkCodec.code`."""
        found = self.animation.code(clip, point)
        worst = CODECS[ResidualSettings.codec].worst
        settings = ResidualSettings(min(int(point) + _COARSER, worst))
        start = time.perf_counter()
        sent = encode_residuals(list(clip.frames), list(found.frames), settings)
        coded = time.perf_counter()
        side, count = clip.frames.shape[1], len(clip.frames)
        off = decode_residuals(sent, side, count)
        shown = np.stack([corrected(made, one) for one, made in zip(off, found.frames)])
        end = time.perf_counter()
        said = f"residuals by {settings.codec} at QP {settings.qp}, anew every {settings.window}"
        # Who sends has to animate as well, to know what is off.
        encode, decode = found.encode_seconds or 0.0, found.decode_seconds or 0.0
        return replace(
            found,
            parts={**found.parts, "residuals": len(sent)},
            frames=shown,
            settings=f"{found.settings}, {said}",
            encode_seconds=encode + decode + coded - start,
            decode_seconds=decode + end - coded,
        )


def rdac(network: NetworkKind) -> PredictiveCodec:
    """network: DAC's."""
    title = "RDAC: DAC lite with coded residuals"
    return PredictiveCodec(NetworkCodec("rdac", title, network, refreshed=False, points=POINTS))

"""The methods as the lab runs them: their own key frames, their numbers by our entropy coder.

002's common test conditions send one key frame a clip; DAC renews it where it no longer explains
the picture (its adaptive refresh), as our MTTF does, within the same rate.  Two strategies of 002
build on DAC: HDAC (Konuko, Lathuiliere and Valenzise, ICIP 2022) adds a base layer, MRDAC (Konuko
and Valenzise, MMSP 2024) makes frames from several key frames; both with what our fallback does of
that, which nobody trained: `codec.mttf.fusion`, `codec.mttf.ramp`.  A third, RDAC, codes what DAC
is off (`bench.generative.rdac`).
"""

from __future__ import annotations

from bench.generative.rdac import PredictiveCodec, rdac
from bench.generative.settings import METHODS
from bench.mttf_codec import LAYERS, NetworkCodec

REFRESHED = ("dac",)
_TITLES = {"bilayer": "Bi-layer"}  # where it is not the name in capitals


def generative_codecs() -> list[NetworkCodec | PredictiveCodec]:
    """Each by the name of its method, or of the strategy."""
    methods = [
        NetworkCodec(
            kind.method,
            f"{_TITLES.get(kind.method, kind.method.upper())} lite, {kind.numbers} numbers a frame",
            kind,
            refreshed=kind.method in REFRESHED,
        )
        for kind in METHODS.values()
    ]
    dac = METHODS["dac-lite"]
    strategies = [
        NetworkCodec("hdac", "HDAC: DAC lite with a base layer", dac, layered=True, points=LAYERS),
        NetworkCodec("mrdac", "MRDAC: DAC lite from two key frames", dac, two_sided=True),
    ]
    return [*methods, *strategies, rdac(dac)]

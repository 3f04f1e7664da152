"""The methods as the lab runs them: their own key frames, their numbers by our entropy coder.

002's common test conditions send one key frame a clip; DAC renews it where it no longer explains
the picture (its adaptive refresh), as our MTTF does, within the same rate.  Two strategies of 002
build on DAC: HDAC (Konuko, Lathuiliere and Valenzise, ICIP 2022) adds a base layer, MRDAC (Konuko
and Valenzise, MMSP 2024) makes frames from several key frames; both with what our fallback does of
that, which nobody trained: `codec.mttf.fusion`, `codec.mttf.ramp`.
"""

from __future__ import annotations

from bench.generative.settings import METHODS
from bench.mttf_codec import LAYERS, NetworkCodec

REFRESHED = ("dac",)


def generative_codecs() -> list[NetworkCodec]:
    """Each by the name of its method, or of the strategy."""
    methods = [
        NetworkCodec(
            kind.method,
            f"{kind.method.upper()} lite, {kind.numbers} numbers a frame",
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
    return methods + strategies

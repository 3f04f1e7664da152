"""The methods as the lab runs them: their own key frames, their numbers by our entropy coder.

002's common test conditions send one key frame a clip; DAC renews it where it no longer explains
the picture (its adaptive refresh), as our MTTF does, within the same rate.
"""

from __future__ import annotations

from bench.generative.settings import METHODS
from bench.mttf_codec import NetworkCodec

REFRESHED = ("dac",)


def generative_codecs() -> list[NetworkCodec]:
    """Each by the name of its method."""
    return [
        NetworkCodec(
            kind.method,
            f"{kind.method.upper()} lite, {kind.numbers} numbers a frame",
            kind,
            refreshed=kind.method in REFRESHED,
        )
        for kind in METHODS.values()
    ]

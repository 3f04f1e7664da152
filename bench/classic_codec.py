"""The classic codecs as the lab compares them: as they are, and at fewer pixels or frames.

At a few kbit/s a codec often does better on a smaller or slower clip that the receiver scales
back; the convex hull of all variants of a codec is the honest rival.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from avatar.errors import InputError
from bench.classic import ENCODERS, ClassicSettings, code
from bench.codec import Clip, Outcome
from bench.ffmpeg import missing_in_ffmpeg
from render.lanczos import lanczos

LEAST_SECONDS = 8.0  # of a clip; below, the key frame is most of the rate and tells nothing
REDUCTIONS = {1: "", 2: "-half", 4: "-quarter"}  # by how much each side shrinks before coding
SLOWER = {1: "", 2: "-slow"}  # every how-many-th frame is coded; the receiver repeats it

# Quantisers from the cheapest to the best.  VVC's are those of the common test conditions, and
# those below reach the few kbit/s of a face codec.
POINTS = {
    "vvc": (52.0, 47.0, 42.0, 37.0, 32.0),
    "av1": (63.0, 58.0, 52.0, 45.0, 38.0),
    "hevc": (51.0, 46.0, 41.0, 36.0, 31.0),
    "aom": (63.0, 58.0, 52.0, 45.0, 38.0),
    "h264": (51.0, 46.0, 41.0, 36.0, 31.0),
    "vp9": (63.0, 58.0, 52.0, 45.0, 38.0),
}


@dataclass(frozen=True)
class Classic:
    """A codec of ffmpeg, one key frame and low delay.  reduction: it codes pictures so many times
    smaller each way, and the receiver scales them back by Lanczos.  skip: it codes every
    skip-th frame, and the receiver repeats it."""

    name: str
    title: str
    points: tuple[float, ...]
    encoder: str  # a key of bench.classic.ENCODERS
    reduction: int = 1
    skip: int = 1
    preset: str | None = None

    @property
    def family(self) -> str:
        return self.encoder

    def missing(self) -> str:
        library = ENCODERS[self.encoder].arguments
        return missing_in_ffmpeg("encoders", library[library.index("-c:v") + 1])

    def code(self, clip: Clip, point: float) -> Outcome:
        if point != int(point):
            raise InputError(f"{self.title} has no quantiser {point}", "Choose a whole number.")
        height, width = clip.frames.shape[1:3]
        small = [
            lanczos(frame, max(1, width // self.reduction), max(1, height // self.reduction))
            for frame in clip.frames[:: self.skip]
        ]
        settings = ClassicSettings(
            self.encoder, int(point), clip.fps / self.skip, self.preset, threads=1
        )
        coded = code(small, settings)
        large = [lanczos(frame, width, height) for frame in coded.frames]
        shown = [large[f // self.skip] for f in range(len(clip.frames))]
        return Outcome(
            {"stream": coded.size},
            np.stack(shown),
            self._said(int(point)),
            packets=len(coded.frames),
            encode_seconds=coded.encode_seconds,
            decode_seconds=coded.decode_seconds,
        )

    def _said(self, quality: int) -> str:
        encoder = ENCODERS[self.encoder]
        said = f"{encoder.quantiser} {quality} {' '.join(encoder.arguments)}"
        said = said.replace("{preset}", self.preset or encoder.preset).replace("{beyond}", "never")
        if self.reduction > 1:
            said += f", coded at 1/{self.reduction} of each side, scaled back by Lanczos"
        if self.skip > 1:
            said += f", every {self.skip}nd frame coded and repeated"
        return said


def classic_codecs() -> list[Classic]:
    """Every encoder at every reduction."""
    found = []
    for key, encoder in ENCODERS.items():
        whole = Classic(key, encoder.name, POINTS.get(key, (float(encoder.worst),)), key)
        for skip, slow in SLOWER.items():
            for reduction, ending in REDUCTIONS.items():
                size = f" at 1/{reduction}" if reduction > 1 else ""
                rate = f", 1/{skip} of the frames" if skip > 1 else ""
                name, title = key + ending + slow, encoder.name + size + rate
                found.append(replace(whole, name=name, title=title, reduction=reduction, skip=skip))
    return found

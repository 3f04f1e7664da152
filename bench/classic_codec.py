"""The classic codecs as the lab compares them: as they are, and at fewer pixels or frames.

At a few kbit/s a codec often does better on a smaller or slower clip that the receiver scales
back; the convex hull of all variants of a codec is the honest rival.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar.errors import InputError
from bench.classic import ENCODERS, ClassicSettings, code
from bench.codec import Clip, Outcome
from bench.ffmpeg import missing_in_ffmpeg
from render.lanczos import lanczos

LEAST_SECONDS = 8.0  # of a clip; below, the key frame is most of the rate and tells nothing
REDUCTIONS = {1: "", 2: "-half", 4: "-quarter"}  # by how much each side shrinks before coding
SLOWER = {1: "", 2: "-slow"}  # every how-many-th frame is coded; the receiver repeats it

# Quantisers from the cheapest to the best, by encoder and reduction: fewer pixels are worth a few
# kbit/s only when they are coded finer.  VVC's at full size are those of the common test
# conditions.
POINTS = {
    "vvc": {1: (52, 47, 42, 37, 32), 2: (47, 42, 37, 32), 4: (42, 37, 32, 27)},
    "av1": {1: (63, 58, 52, 45, 38), 2: (58, 50, 42, 34), 4: (50, 42, 34, 26)},
    "hevc": {1: (51, 46, 41, 36, 31), 2: (46, 41, 36, 31), 4: (41, 36, 31, 26)},
    "aom": {1: (63, 58, 52, 45, 38), 2: (58, 50, 42, 34), 4: (50, 42, 34, 26)},
    "h264": {1: (51, 46, 41, 36, 31), 2: (46, 41, 36, 31), 4: (41, 36, 31, 26)},
    "vp9": {1: (63, 58, 52, 45, 38), 2: (58, 50, 42, 34), 4: (50, 42, 34, 26)},
}
SLOW_POINTS = 3  # of those, the cheapest, where frames are left out


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

    @property
    def reduced(self) -> bool:
        return self.reduction > 1 or self.skip > 1

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
        for skip, slow in SLOWER.items():
            for reduction, ending in REDUCTIONS.items():
                points = tuple(map(float, POINTS.get(key, {}).get(reduction, (encoder.worst,))))
                points = points[:SLOW_POINTS] if skip > 1 else points
                size = f" at 1/{reduction}" if reduction > 1 else ""
                rate = f", 1/{skip} of the frames" if skip > 1 else ""
                name, title = key + ending + slow, encoder.name + size + rate
                found.append(Classic(name, title, points, key, reduction, skip))
    return found

"""The layer: small pictures by a classic codec, inter coded, that generated ones are fused with.

    encoder = LayerEncoder(LayerSettings(kbps), side); encoder.add(picture, time) ...; .close()
    LayerDecoder(encoder.chunks, side).at(frame)

Each chunk is a group that decodes by itself.  What few bits are spent on (fewer pixels, or fewer
pictures and straight lines between them) is chosen for every group by what comes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, StreamError
from codec.mttf.classic import CODECS, decode_pictures, encode_pictures
from codec.mttf.fusion import FACTORS, enlarged
from codec.mttf.packet import Layer
from codec.mttf.ramp import mixed
from codec.mttf.reduced import reduced

Picture = NDArray[np.uint8]
_FRAMING = 24  # bytes of a chunk beside its data, at the most
_BODY = (1 << 16) - _FRAMING
_LEAST = 16  # pixels of a side that every encoder takes
# Factor and step, the cheapest first; what a few kbps buy is most often the third.
_SHAPES = ((4, 8), (4, 4), (2, 4), (2, 2), (2, 1), (1, 2), (1, 1))
_USUAL = 2


@dataclass(frozen=True)
class LayerSettings:
    """kbps: of the layer alone, kept by every group.  codec: of `classic.CODECS`, not vvc.
    frames, seconds: that make a group at the most.  tries: QPs of a shape."""

    kbps: float
    codec: str = "av1"
    frames: int = 250
    seconds: float = 10.0
    tries: int = 4


@dataclass(frozen=True)
class Base:
    """picture: [side / f, side / f, 3].  noise: as `Layer.noise`."""

    picture: Picture
    noise: int


class LayerEncoder:
    """chunks: one a group.  missed: frames without a layer, because the rate is too low for any."""

    def __init__(self, settings: LayerSettings, side: int) -> None:
        """side: of the pictures.  Raises InputError for a rate or codec that cannot be."""
        if not 0 < settings.kbps < float("inf"):
            raise InputError(
                f"a layer of {settings.kbps:g} kbps is none", "Give a rate above 0, such as 4."
            )
        if settings.codec not in CODECS or settings.codec == "vvc":
            raise InputError(f"no layer by {settings.codec!r}", "Choose av1, hevc or h264.")
        self.settings = settings
        self.chunks: list[Layer] = []
        self.missed = 0
        self._side = side
        self._frame = 0  # the group's first
        self._pictures: list[Picture] = []
        self._times: list[int] = []

    def add(self, picture: Picture, time: int) -> None:
        """picture: [side, side, 3].  time: microseconds."""
        full = len(self._pictures) >= self.settings.frames
        if full or (self._times and time - self._times[0] >= self.settings.seconds * 1e6):
            self._end(time)
        self._pictures.append(picture)
        self._times.append(time)

    def close(self) -> None:
        """The last picture was given."""
        if self._pictures:
            period = np.median(np.diff(self._times)) if len(self._times) > 1 else 40_000
            self._end(self._times[-1] + int(period))

    def _end(self, time: int) -> None:
        budget = int(self.settings.kbps * 125e-6 * (time - self._times[0])) - _FRAMING
        best = self._best(min(budget, _BODY))
        if best is not None:
            self.chunks.append(best)
        else:
            self.missed += len(self._pictures)
        self._frame += len(self._pictures)
        self._pictures, self._times = [], []

    def _best(self, budget: int) -> Layer | None:
        """Of the shapes from the usual one up the last that gains; else the first below that
        does, or fits at all."""
        shapes = [s for s in _SHAPES if self._side // s[0] >= _LEAST]
        usual = min(_USUAL, len(shapes) - 1)
        best, least = self._tried(shapes[usual], budget)
        for others in (shapes[usual + 1 :], shapes[:usual][::-1]):
            begun = best
            for shape in others:
                layer, error = self._tried(shape, budget)
                if error >= least:
                    if best is not None:
                        break
                    continue
                best, least = layer, error
            if best is not begun:
                break
        return best

    def _tried(self, shape: tuple[int, int], budget: int) -> tuple[Layer | None, float]:
        layer = self._layer(*shape, budget)
        return layer, float("inf") if layer is None else self._left(layer)

    def _layer(self, factor: int, step: int, budget: int) -> Layer | None:
        """The finest of one shape that takes no more than `budget` bytes."""
        codec, count = CODECS[self.settings.codec], len(self._pictures)
        side = self._side // factor
        places = _places(count, step)
        small = [reduced(self._pictures[place], side) for place in places]
        data = encode_pictures(small, codec.name, codec.worst)
        if len(data) > budget:
            return None
        low, high = codec.worst // 3, codec.worst
        for _ in range(self.settings.tries):
            middle = (low + high) // 2
            tried = encode_pictures(small, codec.name, middle)
            if len(tried) <= budget:
                data, high = tried, middle
            else:
                low = middle + 1
        layer = Layer(self._frame, count, step, codec.number, side, 0, data)
        error = np.mean(
            [
                (shown.astype(np.float64) - reduced(picture, side)) ** 2
                for shown, picture in zip(_shown(layer), self._pictures)
            ]
        )
        noise = min(round(4 * float(np.sqrt(error))), 255)
        return Layer(self._frame, count, step, codec.number, side, noise, data)

    def _left(self, layer: Layer) -> float:
        """Mean squared error of the layer by itself at full size."""
        return float(
            np.mean(
                [
                    ((enlarged(shown, self._side).astype(np.float32) - picture) ** 2).mean()
                    for shown, picture in zip(_shown(layer), self._pictures)
                ]
            )
        )


class LayerDecoder:
    """The layer's picture of one frame after another."""

    def __init__(self, layers: Sequence[Layer], side: int) -> None:
        """side: of the pictures that it is fused with.  Raises StreamError for a layer of another
        size than `fusion.FACTORS` allow."""
        for layer in layers:
            if layer.side not in [side // factor for factor in FACTORS]:
                raise StreamError(f"a layer of {layer.side} for {side} pixels", field="side")
        self._waiting = sorted(layers, key=lambda layer: layer.frame)
        self._layer: Layer | None = None
        self._pictures: Iterator[Picture] = iter(())

    def at(self, frame: int) -> Base | None:
        """frame: one after the other from 0 on.  None where no layer has it.  Raises StreamError
        for a layer that does not decode."""
        while self._waiting and self._waiting[0].frame <= frame:
            self._layer = self._waiting.pop(0)
            self._pictures = _shown(self._layer)
        layer = self._layer
        if layer is None or frame >= layer.frame + layer.count:
            return None
        return Base(next(self._pictures), layer.noise)


def _shown(layer: Layer) -> Iterator[Picture]:
    """A picture for every frame of a group: those that were coded, and lines between them."""
    coded = decode_pictures(layer.data, layer.codec, layer.side, layer.pictures, "layer")
    places = _places(layer.count, layer.step)
    before = next(coded)
    yield before
    for last, place in zip(places, places[1:]):
        after = next(coded)
        for frame in range(last + 1, place + 1):
            yield mixed(before, after, frame - last, place - last)
        before = after


def _places(count: int, step: int) -> list[int]:
    """Frames of a group that are coded: the first, every `step`th from there and the last."""
    return [*range(0, count - 1, step), count - 1]

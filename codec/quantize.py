"""Face states to integers and back.  Sections are those of docs/bitstream.md."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import StateStatistics
from avatar.errors import MismatchError, StateError, StreamError
from codec.header import CODEC_LOSSLESS16, StreamHeader
from codec.predict import Ints

BOUND = 32767  # section 5: |symbol|
QUALITY_ONE = 256  # section 4: the header's quality field at quality 1
_KEY_SCALE_LIMIT = 1 << 26


class Quantizer:
    """q = rint((x - mean) / (step * quality)); x = mean + q * step * quality, section 5.

    quality: the header's field, quality in 1/256; larger is coarser.
    Everything is IEEE float64 in the order written, then float32: the same on every machine.
    """

    def __init__(self, statistics: StateStatistics, quality: int) -> None:
        self.mean = np.asarray(statistics.mean, np.float64)
        self.step = np.asarray(statistics.step, np.float64) * (quality / QUALITY_ONE)
        self.scale = np.asarray(statistics.scale, np.float64)
        self.quality = quality
        self._history = np.asarray(statistics.history, np.int64)

    def symbols(self, values: NDArray[np.floating]) -> Ints:
        """[..., D] states -> integers.  StateError for what is not finite or absurdly far."""
        exact = self.positions(values)
        return np.rint(exact).astype(np.int64)

    def positions(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """[..., D] states -> symbols before rounding."""
        values = np.asarray(values, np.float64)
        if not np.all(np.isfinite(values)):
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            raise StateError(
                f"face state: number {at[-1]} is {values[at]}",
                "A tracker must not report NaN or infinities; mark the frame as not visible.",
            )
        exact = (values - self.mean) / self.step
        if not np.all(np.abs(exact) <= BOUND):
            at = tuple(int(i) for i in np.argwhere(~(np.abs(exact) <= BOUND))[0])
            raise StateError(
                f"face state: number {at[-1]} is {values[at]:.4g}, {exact[at]:.3g} steps from this "
                f"avatar's mean of {self.mean[at[-1]]:.4g}; {BOUND} is the most that can be sent",
                "Check the tracker's units, or mark the frame as not visible.",
            )
        return exact

    def values(self, symbols: Ints) -> NDArray[np.float32]:
        """[..., D] integers -> states."""
        return (self.mean + np.asarray(symbols, np.float64) * self.step).astype(np.float32)

    def key_scales(self) -> list[int]:
        """Section 8.2: how far a key frame's numbers are expected from the mean, 1/4096 steps."""
        scales = np.rint(self.scale * 3276.8 / self.step)
        return [int(s) for s in np.clip(scales, 0, _KEY_SCALE_LIMIT)]

    def history(self) -> Ints:
        """Section 9: [N, D] symbols that the enrolment's states would have had."""
        q = self.quality
        symbols = (128 * self._history + q) // (2 * q)
        return np.clip(symbols, -BOUND, BOUND)


HALF_TOP = 0x7BFF  # section 13: the bits of binary16's greatest finite number
_HALF_KEY_SCALE = 1 << 24


class HalfQuantizer(Quantizer):
    """Section 13: numbers as they are in binary16, as integers in the order of their size."""

    def __init__(self, statistics: StateStatistics) -> None:
        super().__init__(statistics, QUALITY_ONE)

    def symbols(self, values: NDArray[np.floating]) -> Ints:
        """[..., D] states -> integers; exact where they are binary16 already (-0 becomes 0)."""
        values = np.asarray(values, np.float64)
        if not np.all(np.abs(values) <= 65504):
            at = tuple(int(i) for i in np.argwhere(~(np.abs(values) <= 65504))[0])
            raise StateError(
                f"face state: number {at[-1]} is {values[at]}, which no 16-bit float is",
                "A tracker must not report NaN or infinities; mark the frame as not visible.",
            )
        bits = np.abs(values).astype(np.float16).view(np.uint16).astype(np.int64)
        return np.where(values < 0, -bits, bits)

    def positions(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        raise MismatchError(
            "a lossless stream has no cheaper symbols to choose from", "Set no price for bits."
        )

    def values(self, symbols: Ints) -> NDArray[np.float32]:
        """[..., D] integers -> states.  StreamError for what would be infinite or NaN."""
        symbols = np.asarray(symbols, np.int64)
        if not np.all(np.abs(symbols) <= HALF_TOP):
            raise StreamError("a 16-bit float is not finite", field="symbol")
        sizes = np.abs(symbols).astype(np.uint16).view(np.float16).astype(np.float32)
        return np.where(symbols < 0, -sizes, sizes).astype(np.float32)

    def key_scales(self) -> list[int]:
        return [_HALF_KEY_SCALE] * len(self.mean)

    def history(self) -> Ints:
        """Section 13: the models start cold."""
        return np.zeros((0, len(self.mean)), np.int64)


def quantizer_of(statistics: StateStatistics, header: StreamHeader) -> Quantizer:
    """The quantiser that a stream's codec and quality ask for."""
    if header.codec == CODEC_LOSSLESS16:
        return HalfQuantizer(statistics)
    return Quantizer(statistics, header.quality)

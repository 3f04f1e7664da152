"""Face states to integers and back.  Sections are those of docs/bitstream.md."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import StateStatistics
from avatar.errors import MismatchError, StateError, StreamError
from codec.header import CODEC_LOSSLESS16, StreamHeader
from codec.predict import Ints

BOUND = 32767  # section 5: |symbol|
QUALITY_ONE = 256  # section 3.1: the header's quality field at quality 1
FINEST, COARSEST = 64, 8192  # what is worth choosing: finer shows nothing more, coarser no face
_KEY_SCALE_LIMIT = 1 << 26


class Quantizer:
    """q = rint(y), x = mean + q * step * quality without a basis, mean + (q * quality) @ basis
    with one; y solves the same for q.  Section 5.

    quality: the header's field, quality in 1/256; larger is coarser.
    Everything is IEEE float64 in the order written, then float32: the same on every machine.
    """

    def __init__(self, statistics: StateStatistics, quality: int) -> None:
        self.mean = np.asarray(statistics.mean, np.float64)
        self.quality = quality
        self._step = np.asarray(statistics.step, np.float64) * (quality / QUALITY_ONE)
        self._scale = np.asarray(statistics.scale, np.float64)
        self._history = np.asarray(statistics.history, np.int64)
        self._basis = self._inverse = None
        if statistics.basis is not None:
            self._basis = np.asarray(statistics.basis, np.float64)
            self._inverse = _inverse(self._basis.tobytes())

    def symbols(self, values: NDArray[np.floating]) -> Ints:
        """[..., D] states -> integers.  StateError for what is not finite or absurdly far."""
        exact = self.positions(values)
        return np.rint(exact).astype(np.int64)

    def positions(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """[..., D] states -> symbols before rounding.  StateError as `symbols`."""
        values = np.asarray(values, np.float64)
        if not np.all(np.isfinite(values)):
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            raise StateError(
                f"face state: number {at[-1]} is {values[at]}",
                "A tracker must not report NaN or infinities; mark the frame as not visible.",
            )
        exact = self._exact(values)
        if not np.all(np.abs(exact) <= BOUND):
            at = tuple(int(i) for i in np.argwhere(~(np.abs(exact) <= BOUND))[0])
            what = f"number {at[-1]} is {values[at]:.4g}" if self._basis is None else "a state lies"
            raise StateError(
                f"face state: {what}, {exact[at]:.3g} steps from this avatar's mean; "
                f"{BOUND} is the most that can be sent",
                "Check the tracker's units, or mark the frame as not visible.",
            )
        return exact

    def sendable(self, values: NDArray[np.floating]) -> NDArray[np.bool_]:
        """[F, D] states -> [F], whether `symbols` takes them."""
        values = np.asarray(values, np.float64)
        finite = np.all(np.isfinite(values), axis=-1)
        exact = self._exact(np.where(finite[..., None], values, self.mean))
        near = np.all(np.abs(exact) <= BOUND, axis=-1)
        return np.asarray(finite & near)

    def _exact(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(over="ignore", invalid="ignore"):  # the caller refuses what comes of it
            if self._inverse is None:
                return np.asarray((values - self.mean) / self._step)
            moved = _product(values - self.mean, self._inverse)
            return np.asarray(moved / (self.quality / QUALITY_ONE))

    def values(self, symbols: Ints) -> NDArray[np.float32]:
        """[..., D] integers -> states."""
        symbols = np.asarray(symbols, np.float64)
        if self._basis is None:
            return (self.mean + symbols * self._step).astype(np.float32)
        moved = _product(symbols * (self.quality / QUALITY_ONE), self._basis)
        return (self.mean + moved).astype(np.float32)

    def key_scales(self) -> list[int]:
        """Section 8.2: how far a key frame's numbers are expected from the mean, 1/4096 steps."""
        if self._basis is not None:
            rows = max(1, len(self._history))
            sums = np.abs(self._history).sum(axis=0).tolist() or [0] * len(self.mean)
            sizes = [s * 1024 * QUALITY_ONE // (rows * self.quality) for s in sums]
            return [min(s, _KEY_SCALE_LIMIT) for s in sizes]
        scales = np.rint(self._scale * 3276.8 / self._step)
        return [int(s) for s in np.clip(scales, 0, _KEY_SCALE_LIMIT)]

    def history(self) -> Ints:
        """Section 9: [N, D] symbols that the enrolment's states would have had."""
        q = self.quality
        symbols = (128 * self._history + q) // (2 * q)
        return np.clip(symbols, -BOUND, BOUND)


def _product(rows: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """rows @ matrix, [..., D] @ [D, D], added in the order of D and never fused: a library's
    product would round otherwise on every machine (section 5)."""
    out = np.zeros_like(rows)
    for j, line in enumerate(matrix):
        out += rows[..., j, None] * line
    return out


@lru_cache(maxsize=16)  # milliseconds, and a call quantises the same avatar's states frame by frame
def _inverse(data: bytes) -> NDArray[np.float64]:
    """Gauss and Jordan's inverse of a [D, D] float64 basis, element by element for the same
    reason.  MismatchError where there is none."""
    size = math.isqrt(len(data) // 8)
    basis = np.frombuffer(data, np.float64).reshape(size, size)
    work = np.concatenate([basis, np.eye(size)], axis=1)
    for j in range(size):
        pivot = j + int(np.argmax(np.abs(work[j:, j])))
        if not abs(work[pivot, j]) > 0.0:
            raise MismatchError("the avatar's basis has no inverse", "Enrol again.")
        work[[j, pivot]] = work[[pivot, j]]
        work[j] = work[j] / work[j, j]
        rest = work[:, j].copy()
        rest[j] = 0.0
        work -= rest[:, None] * work[j]
    inverse = work[:, size:]
    inverse.flags.writeable = False
    return inverse


HALF_TOP = 0x7BFF  # section 13: the bits of binary16's greatest finite number
_HALF_KEY_SCALE = 1 << 24


class HalfQuantizer(Quantizer):
    """Section 13: numbers as they are in binary16, as integers in the order of their size."""

    def __init__(self, width: int) -> None:
        """width: numbers in a state; nothing of the avatar's statistics is used."""
        nothing, ones = np.zeros(width), np.ones(width)
        history = np.zeros((0, width), np.int16)
        super().__init__(StateStatistics(nothing, ones, ones, history), QUALITY_ONE)

    def sendable(self, values: NDArray[np.floating]) -> NDArray[np.bool_]:
        return np.asarray(np.all(np.abs(values) <= 65504, axis=-1))

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


def quantizer_of(statistics: StateStatistics, header: StreamHeader) -> Quantizer:
    """The quantiser that a stream's codec and quality ask for.

    Raises MismatchError where the stream's layout is not that of the statistics.
    """
    width = header.layout.width
    if header.codec == CODEC_LOSSLESS16:
        return HalfQuantizer(width)
    if len(statistics.mean) != width:
        raise MismatchError(
            f"the stream's states have {width} numbers, the avatar's {len(statistics.mean)}",
            "Decode with the avatar that the stream was made for.",
        )
    return Quantizer(statistics, header.quality)

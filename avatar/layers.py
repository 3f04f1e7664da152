"""Byte tensors in two layers, entropy-coded (docs/archive.md, section 5).

The coarse layer has every second row and column of a grid in steps, and draws a picture by itself;
the rest is what those, interpolated, lack.  Every channel has its own frequencies in either.
Numbers are range-coded (Martin, 1979) by constriction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from avatar.errors import ArchiveError

Bytes = NDArray[np.int8]
MOST_STEP = 254
_WORD = 4  # bytes of a range coder's word
_CURE = "Copy the file again from where it came."


@dataclass(frozen=True)
class Plan:
    """How one tensor is split: channels of so many numbers.  row: how many of them make a row of
    the channel's grid; 0 where the numbers are no grid.  step: of the coarse numbers."""

    channels: int
    numbers: int
    row: int
    step: int

    @property
    def coarse(self) -> int:
        """Coarse numbers run from minus this to this."""
        return (127 + self.step // 2) // self.step

    @property
    def rest(self) -> int:
        """The rest's numbers run from minus this to this."""
        return 128 if self.row else self.step // 2

    @property
    def coarse_numbers(self) -> int:
        """Of each channel."""
        return -(-(self.numbers // self.row) // 2) * -(-self.row // 2) if self.row else self.numbers

    @property
    def tables(self) -> int:
        """Bytes of the frequencies, of both layers."""
        return self.channels * (2 * self.coarse + 2 * self.rest + 2)

    def split(self, rows: Bytes) -> tuple[Bytes, Bytes]:
        """Bytes [C, N] from -127 to 127 -> coarse numbers and the rest.  Halves go away from 0."""
        wide = rows.astype(np.int16)
        kept = self._grid(wide)[:, ::2, ::2].reshape(len(rows), -1) if self.row else wide
        coarse = (np.sign(kept) * ((np.abs(kept) + self.step // 2) // self.step)).astype(np.int8)
        return coarse, (wide - self.spread(coarse)).astype(np.int8)  # modulo 256

    def spread(self, coarse: Bytes) -> NDArray[np.int16]:
        """[C, N], the bytes as far as their coarse numbers tell them."""
        wide = np.clip(coarse.astype(np.int16) * self.step, -127, 127).astype(np.int16)
        if not self.row:
            return wide
        height, width = self.numbers // self.row, self.row
        grid = wide.reshape(self.channels, -1, -(-width // 2))
        grid = _twice(_twice(grid, height, 1), width, 2)
        return grid.reshape(self.channels, self.numbers)

    def join(self, coarse: Bytes, rest: Bytes) -> Bytes:
        """What was split."""
        return (self.spread(coarse) + rest).astype(np.int8)

    def _grid(self, rows: NDArray[np.int16]) -> NDArray[np.int16]:
        return rows.reshape(self.channels, -1, self.row)


def _twice(grid: NDArray[np.int16], length: int, axis: int) -> NDArray[np.int16]:
    """Between two numbers their mean, rounded down; after the last, the last."""
    following = np.roll(grid, -1, axis)
    last: list[Any] = [slice(None)] * 3
    last[axis] = slice(-1, None)
    following[tuple(last)] = grid[tuple(last)]
    shape = list(grid.shape)
    shape[axis] *= 2
    both = np.stack([grid, (grid + following) >> 1], axis + 1).reshape(shape)
    return both.take(range(length), axis).astype(np.int16)


def coded(runs: list[tuple[Bytes, int]]) -> bytes:
    """Runs of numbers, each with their most: a byte of frequency for each value from -most to
    most, of all runs; then all numbers."""
    coder = constriction.stream.queue.RangeEncoder()
    tables = []
    for row, most in runs:
        table = _table(row, most)
        tables.append(table.tobytes())
        if np.count_nonzero(table) > 1:
            coder.encode(row.astype(np.int32) + most, _model(table))
    return b"".join(tables) + coder.get_compressed().astype("<u4").tobytes()


def _table(row: Bytes, most: int) -> NDArray[np.uint8]:
    """Frequencies from 0 (never) to 255 (the most frequent)."""
    counts = np.bincount(row.astype(np.int64) + most, minlength=2 * most + 1)
    largest = max(int(counts.max(initial=0)), 1)
    return np.where(counts > 0, np.maximum(counts * 255 // largest, 1), 0).astype(np.uint8)


def _model(table: NDArray[np.uint8]) -> Any:
    """Quotients of integers are the same on every machine, and so is what is made of them."""
    shares = table.astype(np.float64) / float(table.sum(dtype=np.int64))
    return constriction.stream.model.Categorical(shares, perfect=False)


class LayerReader:
    """Reads what `coded` wrote, run by run."""

    def __init__(self, data: bytes, tables: int) -> None:
        if len(data) < tables or (len(data) - tables) % _WORD:
            raise ArchiveError(
                f"avatar: a layer of {len(data)} bytes, {tables} of them tables", _CURE
            )
        self._tables = np.frombuffer(data, np.uint8, tables)
        words = np.frombuffer(data, "<u4", offset=tables).astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)
        self._at = 0

    def rows(self, channels: int, most: int, count: int) -> Bytes:
        """The next runs' numbers [channels, count].  Raises ArchiveError."""
        rows = np.empty((channels, count), np.int8)
        for row in rows:
            row[:] = self._run(most, count)
        return rows

    def _run(self, most: int, count: int) -> NDArray[np.int32]:
        size = 2 * most + 1
        table = self._tables[self._at : self._at + size]
        self._at += size
        seen = np.flatnonzero(table)
        if len(seen) < 2:  # always the same number: takes no bits
            return np.full(count, seen[0] - most if len(seen) else 0, np.int32)
        try:
            return np.asarray(self._coder.decode(_model(table), count), np.int32) - most
        except AssertionError as error:
            raise ArchiveError(
                "avatar: a layer's bytes are none that are written", _CURE
            ) from error

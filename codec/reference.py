"""The coders to beat: what the field's open face codecs do, on the same symbols.

Both code zero-order Exp-Golomb binarised differences to the frame before, start every frame anew,
and are counted as whole bytes a frame, as one file a frame has.  Only measurements use them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from codec.bits import zigzag
from codec.entropy import BinaryEncoder
from codec.models import FlagModel

_PLACES = 40
_END = 2


def order_0_bytes(symbols: NDArray[np.int64]) -> int:
    """Bytes of the field's own coder for symbols [F, D], the first frame as differences to 0.

    An adaptive arithmetic coder of order 0 over the string's bits and its end: prediction by
    partial matching, with an escape before a bit's first time, as in the GFVC software (Chen et
    al., "Generative face video coding techniques and standardization efforts", 2024).  Its ideal
    cost, rounded up to bytes.
    """
    return _by_frame(symbols, _order_0)


def placed_bytes(symbols: NDArray[np.int64]) -> int:
    """The same of a stronger one: a context, that adapts as ours do, for each place in the
    binarisation."""
    return _by_frame(symbols, _placed)


def _by_frame(symbols: NDArray[np.int64], cost: Callable[[Sequence[int]], int]) -> int:
    first = np.zeros((1, symbols.shape[1]), np.int64)
    steps = np.diff(symbols, axis=0, prepend=first)
    return sum(cost([zigzag(value) for value in row]) for row in steps.tolist())


def _order_0(values: Sequence[int]) -> int:
    counts = [0, 0, 1]  # of 0, 1, and what escapes to even chances
    bits = 0.0
    for value in values:
        length = (value + 1).bit_length()
        text = "0" * (length - 1) + f"{value + 1:b}"
        for bit in map(int, text):
            if counts[bit]:
                bits += math.log2(sum(counts) / counts[bit])
            else:
                bits += math.log2(sum(counts) * 3)
            counts[bit] += 1
    bits += math.log2(sum(counts) / counts[_END] * 3)
    return math.ceil(bits / 8)


def _placed(values: Sequence[int]) -> int:
    coder = BinaryEncoder()
    prefix = FlagModel(_PLACES, 1 << 15)
    suffix = FlagModel(_PLACES, 1 << 15)
    for value in values:
        bits = (value + 1).bit_length() - 1
        for place in range(bits):
            prefix.code(coder, 1, place)
        prefix.code(coder, 0, bits)
        for place in range(bits - 1, -1, -1):
            suffix.code(coder, (value + 1 >> place) & 1, place)
    return len(coder.finish())

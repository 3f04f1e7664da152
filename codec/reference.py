"""The coder to beat: what the field's open face codecs do, on the same symbols.

A per-frame adaptive arithmetic coder of order 0 over zero-order Exp-Golomb binarised differences to
the frame before: every frame starts anew with even chances, one adaptive probability for each place
in the binarisation.  Its cost is counted as whole bytes a frame, as one file a frame has.
Only measurements use it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codec.bits import zigzag
from codec.entropy import BinaryEncoder
from codec.models import FlagModel

_PLACES = 40


def reference_bytes(symbols: NDArray[np.int64]) -> int:
    """Bytes for symbols [F, D], the first frame as differences to 0."""
    total = 0
    last = np.zeros(symbols.shape[1], np.int64)
    for row in symbols:
        total += len(_frame(row - last))
        last = row
    return total


def _frame(differences: NDArray[np.int64]) -> bytes:
    coder = BinaryEncoder()
    prefix = FlagModel(_PLACES, 1 << 15)
    suffix = FlagModel(_PLACES, 1 << 15)
    for difference in differences:
        value = zigzag(int(difference)) + 1
        bits = value.bit_length() - 1
        for place in range(bits):
            prefix.code(coder, 1, place)
        prefix.code(coder, 0, bits)
        for place in range(bits - 1, -1, -1):
            suffix.code(coder, (value >> place) & 1, place)
    return coder.finish()

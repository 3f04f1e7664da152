"""Binary decisions to bytes and back, by constriction's range coder.

A decision's probability is one of 4095 levels, the logistic domain in steps of 1/256.  The levels'
probabilities are integers over 2**16, so the float64 that constriction wants holds them exactly
and its 24-bit table follows from integers alone.  Sections are those of docs/bitstream.md.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any

import constriction
import numpy as np

from avatar.errors import StreamError

TOP = 2047  # section 6.1: levels run from -TOP to TOP
ONE = 1 << 16  # section 6.1: probability 1
_WORD = 4  # bytes of a range coder's word, section 6.3


def _squash_table() -> list[int]:
    """P16 of every level, section 6.1: round(2**16 / (1 + exp(-s / 256)))."""
    with localcontext() as context:
        context.prec = 40  # decimal's exp is correctly rounded: the same on every machine
        step = (Decimal(1) / 256).exp()
        table, power = [], step**-TOP
        for _ in range(2 * TOP + 1):
            p = Decimal(ONE) * power / (1 + power)
            table.append(int(p.to_integral_value(rounding=ROUND_HALF_EVEN)))
            power *= step
        return table


def _stretch_table(squash: list[int]) -> list[int]:
    """Level of every 12-bit probability i, section 6.1: the first level s with
    P16(s) >= 16 i + 8."""
    table, level = [], 0
    for i in range(4096):
        while level < 2 * TOP and squash[level] < 16 * i + 8:
            level += 1
        table.append(level - TOP)
    return table


SQUASH = _squash_table()  # [level + TOP] -> P16 of a 1
STRETCH = _stretch_table(SQUASH)  # [P16 >> 4] -> level

_models: list[Any] = [None] * len(SQUASH)


def _model(level: int) -> Any:
    """constriction's model of a level, made once.  n / 2**16 is exact in float64."""
    model = _models[level + TOP]
    if model is None:
        p = SQUASH[level + TOP] / ONE
        model = _models[level + TOP] = constriction.stream.model.Bernoulli(p, perfect=False)
    return model


class BinaryEncoder:
    """Takes decisions, gives the shortest bytes that decode to them."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()
        self._encode = self._coder.encode

    def code(self, level: int, bit: int | None) -> int:
        """Writes `bit`, whose probability of being 1 is P16(level) / 2**16; returns it."""
        assert bit is not None
        self._encode(int(bit), _models[level + TOP] or _model(level))
        return bit

    @property
    def size(self) -> int:
        """Bytes so far, to within a word or two."""
        return int(self._coder.num_bits()) // 8

    def finish(self) -> bytes:
        """Section 6.4: the shortest bytes which, followed by zeros, lie in the final interval."""
        words = self._coder.get_compressed()
        if len(words) == 0:
            return b""
        count, (lower, span) = self._coder.pos()
        lower, span = int(lower), int(span)
        sealed = int.from_bytes(np.asarray(words, ">u4").tobytes(), "big")
        head = sealed >> (32 * (len(words) - count))
        # Sealing adds 2**32 - 1 to `lower`; where that overflowed, the head took the carry.
        head -= (lower + (1 << 32) - 1) >> 64
        low = (head << 64) + lower
        bits = 32 * (count + 2)
        for size in range(max(0, _WORD * count - 1), _WORD * (count + 2) + 1):
            unit = bits - 8 * size
            value = -(-low >> unit)  # ceiling
            if (value << unit) < low + span:
                return value.to_bytes(size, "big").rstrip(b"\0")
        raise AssertionError("a range coder's interval holds at least one whole word")


class BinaryDecoder:
    """Reads decisions off bytes; past their end it reads zeros (section 6.4)."""

    def __init__(self, data: bytes) -> None:
        padded = data + bytes(-len(data) % _WORD)
        words = np.frombuffer(padded, ">u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)
        self._decode = self._coder.decode

    def code(self, level: int, bit: int | None = None) -> int:
        """The next decision, given the same level as the encoder's."""
        try:
            return int(self._decode(_models[level + TOP] or _model(level)))
        except AssertionError as error:  # section 6.3: a part that no decision has
            raise StreamError("bytes that no encoder writes", field="payload") from error


class CostMeter:
    """Takes decisions like an encoder and sums their ideal cost.  Used to learn and to measure."""

    def __init__(self) -> None:
        self.bits = 0.0

    def code(self, level: int, bit: int | None) -> int:
        assert bit is not None
        self.bits += COST[level + TOP if bit else TOP - level]
        return bit


COST = [float(-np.log2(p / ONE)) for p in SQUASH]  # bits of a 1 at each level; never on the wire

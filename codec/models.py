"""The probability of every decision: adaptive counters in three contexts, mixed in the integers.

A symbol becomes binary decisions about its deviation from the prediction (section 8.1).  For each,
three counters, chosen by how far this number and this frame have lately deviated, give a
probability; a small logistic mixture of the three, learned as it goes, is what is coded with
(section 8.3; after M. Mahoney's "Adaptive weighing of context models", 2005, in integers).
Sections are those of docs/bitstream.md.
"""

from __future__ import annotations

from typing import Protocol

from avatar.errors import StreamError
from codec.entropy import COST, ONE, SQUASH, STRETCH, TOP
from codec.predict import ERROR_LIMIT

KINDS = 6  # section 8.1: zero, side, and four of "more"
SCALES = 20  # section 8.2
FRACTIONS = 4
ACTIVITIES = 8
RECENT = 3
COUNT_LIMIT = 127  # section 8.4: a counter's memory in decisions
BOUND = 32767  # section 5: |symbol|
_UNARY = 24  # section 8.1: "more" decisions before the escape
_ESCAPE_BITS = 20

_RATE = [(2 * ONE + n + 1) // (2 * n + 3) for n in range(COUNT_LIMIT + 1)]  # section 8.4


class Coder(Protocol):
    """BinaryEncoder, BinaryDecoder and CostMeter."""

    def code(self, level: int, bit: int | None) -> int: ...


def half_octave(value: int) -> int:
    """Section 8.2: 2 log2, rounded down to half octaves, of value >= 2."""
    length = value.bit_length()
    return 2 * length + ((value >> (length - 2)) & 1)


def scale_index(average: int) -> int:
    """Section 8.2: of an average deviation in 1/4096 steps, 0 .. SCALES - 1."""
    index = half_octave(average + 41) - 16
    return 0 if index < 0 else index if index < SCALES else SCALES - 1


def first_counters() -> tuple[list[int], list[int]]:
    """Section 8.5: a counter's start for "zero" and "more" at each scale, as for a geometric
    distribution with that mean."""
    zero, more = [], []
    for index in range(SCALES):
        mean = ((2 + (index & 1)) << (6 + (index >> 1))) * 5 // 4
        zero.append((ONE * 4096) // (4096 + mean * 3 // 2))
        more.append((ONE * mean) // (mean + 4096))
    return zero, more


class SymbolModels:
    """Counters and mixing weights for a layout of `width` numbers in `groups` classes."""

    def __init__(self, width: int, groups: int) -> None:
        zero, more = first_counters()

        def start(scales: int, inner: int) -> list[int]:
            kinds = [zero, [ONE // 2] * scales] + [more] * (KINDS - 2)
            return [p for kind in kinds for p in kind for _ in range(inner)]

        self._by_scale = start(SCALES, FRACTIONS) * groups
        self._by_frame = start(SCALES, ACTIVITIES)
        self._by_number = [ONE // 2] * (width * KINDS * RECENT)
        self._counts = [[0] * len(t) for t in (self._by_scale, self._by_frame, self._by_number)]
        self._weights = [[26214, 26214, 19661, 0] for _ in range(groups * KINDS)]  # 0.4 0.4 0.3

    def fork(self) -> SymbolModels:
        """An independent copy."""
        other = SymbolModels.__new__(SymbolModels)
        other._by_scale = self._by_scale.copy()
        other._by_frame = self._by_frame.copy()
        other._by_number = self._by_number.copy()
        other._counts = [t.copy() for t in self._counts]
        other._weights = [w.copy() for w in self._weights]
        return other

    def code(
        self,
        coder: Coder,
        deviation: int | None,
        number: int,
        group: int,
        scales: tuple[int, int],  # fast, slow: averages in 1/4096 steps
        fraction: int,  # 0 .. 3, how far the prediction lies from a whole symbol
        activity: int,  # 0 .. 7
        recent: int,  # 0 .. 2
    ) -> int:
        """Codes one deviation (section 8.1); a decoder passes None and gets it."""
        fast, slow = scale_index(scales[0]), scale_index(scales[1])
        a = (group * KINDS * SCALES + fast) * FRACTIONS + fraction
        b = slow * ACTIVITIES + activity
        c = number * KINDS * RECENT + recent
        known = deviation is not None
        value = deviation or 0
        if self._decide(coder, value == 0 if known else None, group * KINDS, a, b, c):
            return 0
        a, b, c = a + SCALES * FRACTIONS, b + SCALES * ACTIVITIES, c + RECENT
        above = self._decide(coder, value > 0 if known else None, group * KINDS + 1, a, b, c)
        # Golomb: large averages leave the low bits of the magnitude to even chances.
        low_bits = max(0, (scales[0] >> 12).bit_length() - 1)
        rest = abs(value) - 1
        more = rest >> low_bits
        count = 0
        while count < _UNARY:
            kind = count + 2
            if kind < KINDS:
                a, b, c = a + SCALES * FRACTIONS, b + SCALES * ACTIVITIES, c + RECENT
            else:
                kind = KINDS - 1
            bit = more > count if known else None
            if not self._decide(coder, bit, group * KINDS + kind, a, b, c):
                break
            count += 1
        else:
            count += code_gamma(coder, more - count if known else None)
        low = code_raw(coder, rest & ((1 << low_bits) - 1) if known else None, low_bits)
        magnitude = (count << low_bits) + low + 1
        return magnitude if above else -magnitude

    def costs(
        self,
        deviations: tuple[int, ...],
        number: int,
        group: int,
        scales: tuple[int, int],
        fraction: int,
        activity: int,
        recent: int,
    ) -> list[float]:
        """Bits that each of some deviations would take now; nothing is learned.

        For an encoder that chooses between them; never on the wire.
        """
        fast, slow = scale_index(scales[0]), scale_index(scales[1])
        a = (group * KINDS * SCALES + fast) * FRACTIONS + fraction
        b = slow * ACTIVITIES + activity
        c = number * KINDS * RECENT + recent
        low_bits = max(0, (scales[0] >> 12).bit_length() - 1)

        def cost(kind: int, bit: bool) -> float:
            weights = self._weights[group * KINDS + kind]
            x = STRETCH[self._by_scale[a + kind * SCALES * FRACTIONS] >> 4]
            y = STRETCH[self._by_frame[b + kind * SCALES * ACTIVITIES] >> 4]
            z = STRETCH[self._by_number[c + kind * RECENT] >> 4]
            level = (weights[0] * x + weights[1] * y + weights[2] * z + (weights[3] << 8)) >> 16
            level = max(-TOP, min(TOP, level))
            return COST[(level if bit else -level) + TOP]

        out = []
        for deviation in deviations:
            bits = cost(0, deviation == 0)
            if deviation:
                bits += cost(1, deviation > 0) + low_bits
                more = (abs(deviation) - 1) >> low_bits
                for count in range(min(more, _UNARY)):
                    bits += cost(min(count + 2, KINDS - 1), True)
                if more < _UNARY:
                    bits += cost(min(more + 2, KINDS - 1), False)
                else:
                    bits += 2 * (more - _UNARY + 1).bit_length() - 1
            out.append(bits)
        return out

    def _decide(
        self, coder: Coder, bit: int | bool | None, weights_at: int, a: int, b: int, c: int
    ) -> int:
        """One decision (sections 8.3, 8.4): mix, code, learn."""
        first, second, third = self._by_scale, self._by_frame, self._by_number
        weights = self._weights[weights_at]
        p, q, r = first[a], second[b], third[c]
        x, y, z = STRETCH[p >> 4], STRETCH[q >> 4], STRETCH[r >> 4]
        u, v, w, bias = weights
        level = (u * x + v * y + w * z + (bias << 8)) >> 16
        if level > TOP:
            level = TOP
        elif level < -TOP:
            level = -TOP
        bit = coder.code(level, bit)
        target = ONE if bit else 0
        error = target - SQUASH[level + TOP]
        weights[0] = u + ((error * x) >> 14)
        weights[1] = v + ((error * y) >> 14)
        weights[2] = w + ((error * z) >> 14)
        weights[3] = bias + ((error << 6) >> 14)
        counts = self._counts
        count = counts[0]
        n = count[a]
        first[a] = p + (((target - p) * _RATE[n]) >> 16)
        if n < COUNT_LIMIT:
            count[a] = n + 1
        count = counts[1]
        n = count[b]
        second[b] = q + (((target - q) * _RATE[n]) >> 16)
        if n < COUNT_LIMIT:
            count[b] = n + 1
        count = counts[2]
        n = count[c]
        third[c] = r + (((target - r) * _RATE[n]) >> 16)
        if n < COUNT_LIMIT:
            count[c] = n + 1
        return bit


class FlagModel:
    """One adaptive bit a context (section 8.6)."""

    def __init__(self, contexts: int, start: int, starts: list[int] | None = None) -> None:
        self._p = [start] * contexts if starts is None else starts
        self._n = [0] * contexts

    def fork(self) -> FlagModel:
        other = FlagModel.__new__(FlagModel)
        other._p, other._n = self._p.copy(), self._n.copy()
        return other

    def code(self, coder: Coder, bit: int | bool | None, context: int) -> int:
        p = self._p[context]
        bit = coder.code(STRETCH[p >> 4], bit)
        self._p[context] = p + ((((ONE if bit else 0) - p) * _RATE[self._n[context]]) >> 16)
        self._n[context] = min(COUNT_LIMIT, self._n[context] + 1)
        return bit


def code_raw(coder: Coder, value: int | None, bits: int) -> int:
    """`bits` even chances, highest first (section 8.1)."""
    out = 0
    for i in range(bits - 1, -1, -1):
        out = out << 1 | coder.code(0, None if value is None else (value >> i) & 1)
    return out


def code_gamma(coder: Coder, value: int | None, limit: int = _ESCAPE_BITS) -> int:
    """Exp-Golomb of order 0 in even chances (section 8.1), value + 1 below 2**limit."""
    length = None if value is None else (value + 1).bit_length() - 1
    bits = 0
    while coder.code(0, None if length is None else length > bits):
        bits += 1
        if bits >= limit:
            raise StreamError("a coded number is too large", field="symbol")
    low = code_raw(coder, None if value is None else value + 1 - (1 << bits), bits)
    return (1 << bits) - 1 + low


def saturate(error: int) -> int:
    """Section 7.3."""
    return max(-ERROR_LIMIT, min(ERROR_LIMIT, error))

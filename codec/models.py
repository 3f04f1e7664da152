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


# What a number's chances hang on (section 8.2): the number, its group, its fast and slow average
# deviation in 1/4096 steps; 0 .. 3, how far the prediction lies from a whole symbol; the frame's
# activity, 0 .. 7; how far the number deviated last, 0 .. 2.
Context = tuple[int, int, int, int, int, int, int]


class Coder(Protocol):
    """BinaryEncoder, BinaryDecoder and CostMeter."""

    def code(self, level: int, bit: int | None) -> int: ...


def _half_octave(value: int) -> int:
    """Section 8.2: 2 log2, rounded down to half octaves, of value >= 2."""
    length = value.bit_length()
    return 2 * length + ((value >> (length - 2)) & 1)


# Section 8.2: half octaves from 48 on begin at multiples of 16, so a table of every 16th is exact.
_SCALED = 98304 // 16  # from there on all are the last
_SCALES = [max(0, _half_octave(max(2, 16 * i)) - 16) for i in range(_SCALED)]
# Of what a frame has moved so far, which is 4096 at most: its index at every value.
ACTIVITY = [min(ACTIVITIES - 1, max(0, _half_octave(i + 5) - 12)) for i in range(4097)]


def scale_index(average: int) -> int:
    """Section 8.2: of an average deviation in 1/4096 steps, 0 .. SCALES - 1."""
    at = (average + 41) >> 4
    return _SCALES[at] if at < _SCALED else SCALES - 1


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

    def code(self, coder: Coder, deviation: int | None, context: Context) -> int:
        """Codes one deviation (section 8.1); a decoder passes None and gets it."""
        kinds, a, b, c = _places(context)
        known = deviation is not None
        value = deviation or 0
        if self._decide(coder, value == 0 if known else None, kinds, a, b, c):
            return 0
        a, b, c = a + SCALES * FRACTIONS, b + SCALES * ACTIVITIES, c + RECENT
        above = self._decide(coder, value > 0 if known else None, kinds + 1, a, b, c)
        low_bits = _low_bits(context)
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
            if not self._decide(coder, bit, kinds + kind, a, b, c):
                break
            count += 1
        else:
            count += code_gamma(coder, more - count if known else None)
        low = code_raw(coder, rest & ((1 << low_bits) - 1) if known else None, low_bits)
        magnitude = (count << low_bits) + low + 1
        return magnitude if above else -magnitude

    def costs(self, deviations: tuple[int, int], context: Context) -> tuple[float, float]:
        """Bits that each of two deviations would take now, not both of them 0; nothing is learned.

        For an encoder that chooses between them; never on the wire.
        """
        kinds, a, b, c = _places(context)
        low_bits = _low_bits(context)
        top = max(abs(deviations[0]), abs(deviations[1]))
        last = kinds + min(KINDS, 3 + ((top - 1) >> low_bits))
        levels = []
        for u, v, w, bias in self._weights[kinds:last]:
            x = STRETCH[self._by_scale[a] >> 4]
            y = STRETCH[self._by_frame[b] >> 4]
            z = STRETCH[self._by_number[c] >> 4]
            level = (u * x + v * y + w * z + (bias << 8)) >> 16
            levels.append(TOP if level > TOP else -TOP if level < -TOP else level)
            a, b, c = a + SCALES * FRACTIONS, b + SCALES * ACTIVITIES, c + RECENT
        first, second = deviations
        return _bits(levels, first, low_bits), _bits(levels, second, low_bits)

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
        count, more, most = self._counts
        n = count[a]
        first[a] = p + (((target - p) * _RATE[n]) >> 16)
        if n < COUNT_LIMIT:
            count[a] = n + 1
        n = more[b]
        second[b] = q + (((target - q) * _RATE[n]) >> 16)
        if n < COUNT_LIMIT:
            more[b] = n + 1
        n = most[c]
        third[c] = r + (((target - r) * _RATE[n]) >> 16)
        if n < COUNT_LIMIT:
            most[c] = n + 1
        return bit


def _places(context: Context) -> tuple[int, int, int, int]:
    """Where the first kind's weights and its three counters are."""
    number, group, fast, slow, fraction, activity, recent = context
    kinds = group * KINDS
    fast, slow = (fast + 41) >> 4, (slow + 41) >> 4
    fast = _SCALES[fast] if fast < _SCALED else SCALES - 1
    slow = _SCALES[slow] if slow < _SCALED else SCALES - 1
    return (
        kinds,
        (kinds * SCALES + fast) * FRACTIONS + fraction,
        slow * ACTIVITIES + activity,
        number * KINDS * RECENT + recent,
    )


def _low_bits(context: Context) -> int:
    """Section 8.1: Golomb's code where deviations are large, the low bits at even chances."""
    return max(0, (context[2] >> 12).bit_length() - 1)


def _bits(levels: list[int], deviation: int, low_bits: int) -> float:
    """What a deviation takes at these levels of its kinds of decisions (section 8.1)."""
    if not deviation:
        return COST[TOP + levels[0]]
    bits = COST[TOP - levels[0]] + low_bits
    bits += COST[TOP + levels[1]] if deviation > 0 else COST[TOP - levels[1]]
    more = (abs(deviation) - 1) >> low_bits
    if not more:
        return bits + COST[TOP - levels[2]]
    for count in range(min(more, _UNARY)):
        bits += COST[TOP + levels[min(count + 2, KINDS - 1)]]
    if more < _UNARY:
        return bits + COST[TOP - levels[min(more + 2, KINDS - 1)]]
    return bits + 2 * (more - _UNARY + 1).bit_length() - 1


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

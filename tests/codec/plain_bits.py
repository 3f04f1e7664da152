"""Bytes and decisions of the second decoder: docs/bitstream.md, sections 2, 6 and 8.4."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, getcontext


class Damage(Exception):
    pass


def clamp(a: int, low: int, high: int) -> int:
    return min(max(a, low), high)


def half(a: int) -> int:  # 8.2
    n = a.bit_length()
    return 2 * n + ((a >> (n - 2)) & 1)


def scale(a: int) -> int:  # 8.2
    return clamp(half(a + 41) - 16, 0, 19)


def _levels() -> dict[int, int]:  # 6.1
    getcontext().prec = 30
    out = {}
    for level in range(-2047, 2048):
        value = 65536 / (1 + (Decimal(-level) / 256).exp())
        out[level] = int(value.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    return out


P = _levels()
_STRETCH: dict[int, int] = {}


def stretch(p: int) -> int:  # 6.1
    key = p >> 4
    if key not in _STRETCH:
        low, high = -2047, 2047
        while low < high:
            middle = (low + high) // 2
            if P[middle] >= 16 * key + 8:
                high = middle
            else:
                low = middle + 1
        _STRETCH[key] = low
    return _STRETCH[key]


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, n: int) -> bytes:
        if self.at + n > len(self.data):
            raise Damage("cut short")
        self.at += n
        return self.data[self.at - n : self.at]

    def u(self, n: int) -> int:
        return int.from_bytes(self.take(n), "little")

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.u(1)
            value += (byte & 127) << shift
            shift += 7
            if byte < 128:
                if byte == 0 and shift > 7:
                    raise Damage("not the shortest varint")
                return value
            if shift == 63:
                raise Damage("long varint")

    def time(self) -> int:
        z = self.varint()
        return z // 2 if z % 2 == 0 else -(z + 1) // 2

    def blob(self) -> bytes:
        return self.take(self.varint())


class RangeDecoder:  # 6.3, 6.4
    MASK = (1 << 64) - 1

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.lower, self.range = 0, self.MASK
        self.point = self.word() << 32
        self.point |= self.word()

    def word(self) -> int:
        four = self.data[self.at : self.at + 4]
        self.at += 4
        return int.from_bytes(four + bytes(4 - len(four)), "big")

    def decide(self, level: int) -> int:
        border = 1 + ((65536 - P[level]) * 16777214 >> 16)
        unit = self.range >> 24
        part = ((self.point - self.lower) & self.MASK) // unit
        if part >= 1 << 24:
            raise Damage("no decision has this part")
        bit = int(part >= border)
        low, size = (border, (1 << 24) - border) if bit else (0, border)
        self.lower = (self.lower + unit * low) & self.MASK
        self.range = unit * size
        if self.range < 1 << 32:
            self.range <<= 32
            self.lower = (self.lower << 32) & self.MASK
            self.point = ((self.point << 32) & self.MASK) + self.word()
        return bit

    def raw(self, n: int) -> int:  # 6.5
        value = 0
        for _ in range(n):
            value = 2 * value + self.decide(0)
        return value

    def gamma(self) -> int:
        n = 0
        while self.decide(0):
            n += 1
            if n == 20:
                raise Damage("gamma")
        return (1 << n) - 1 + self.raw(n)


class Counter:  # 8.4
    def __init__(self, p: int) -> None:
        self.p, self.n = p, 0

    def learn(self, bit: int) -> None:
        rate = (131072 + self.n + 1) // (2 * self.n + 3)
        self.p += ((65536 * bit - self.p) * rate) >> 16
        self.n = min(127, self.n + 1)

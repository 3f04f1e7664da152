"""Models of the second decoder: docs/bitstream.md, sections 7 to 10.4."""

from __future__ import annotations

from typing import Any

from plain_bits import Counter, Damage, P, RangeDecoder, clamp, half, scale, stretch


class Models:
    def __init__(
        self,
        widths: list[int],
        statistics: dict[str, Any],
        quality: int,
        call: bool = False,
        half_floats: bool = False,
    ) -> None:
        self.group = [g for g, width in enumerate(widths) for _ in range(width)]
        self.D = len(self.group)
        step = [s * (quality / 256) for s in statistics["step"]]
        self.key_scale = [
            clamp(round_half_even(statistics["scale"][d] * 3276.8 / step[d]), 0, 1 << 26)
            for d in range(self.D)
        ]
        if "basis" in statistics:  # 8.2
            rows_h = statistics["history"]
            sums = [sum(abs(h[d]) for h in rows_h) for d in range(self.D)]
            self.key_scale = [
                min(262144 * s // (max(1, len(rows_h)) * quality), 1 << 26) for s in sums
            ]
        if half_floats:  # 13
            self.key_scale = [1 << 24] * self.D
            statistics = {**statistics, "history": []}
        self.past = [[0] * self.D for _ in range(3)]
        self.taps = [[[0] * self.D for _ in range(3)] for _ in range(2)]
        self.cross = [[0] * self.D for _ in range(self.D)]
        self.fasts = [[4096] * self.D for _ in range(2)]
        self.slows = [[4096] * self.D for _ in range(2)]
        self.recent = [0] * self.D
        self.activity = 256
        self.counters: dict[tuple[Any, ...], Counter] = {}
        self.weights: dict[tuple[int, int], list[int]] = {}
        rows: list[list[int]] = []
        for row, h in enumerate(statistics["history"]):
            q = [clamp((128 * x + quality) // (2 * quality), -32767, 32767) for x in h]
            rows.append(q)
            self.frame(None, row == 0, q)
        for start in range(4 if call else 0):  # 10.4
            for row, q in enumerate(rows[start::4]):
                self.frame(None, row == 0, q, leap=True)
        self.activity = 256

    def counter(self, key: tuple[Any, ...]) -> Counter:  # 8.5
        if key not in self.counters:
            which, _, kind, index = key[:4]
            m = (((2 + (index & 1)) << (6 + (index >> 1))) * 5) // 4
            if which == "n" or kind == 1:
                p = 32768
            elif kind == 0:
                p = 268435456 // (4096 + (3 * m) // 2)
            else:
                p = (65536 * m) // (m + 4096)
            self.counters[key] = Counter(p)
        return self.counters[key]

    def frame(
        self, coder: RangeDecoder | None, key: bool, known: list[int] | None, leap: bool = False
    ) -> list[int]:
        D, past = self.D, self.past
        self.tap, self.fast, self.slow = self.taps[leap], self.fasts[leap], self.slows[leap]
        x = [[past[0][d] - past[1][d], past[1][d] - past[2][d], -past[0][d]] for d in range(D)]
        own = [
            256 * past[0][d] + (sum(self.tap[k][d] * x[d][k] for k in range(3)) >> 8)
            for d in range(D)
        ]
        q, e, moved = [], [], 0
        for d in range(D):
            if key:
                prediction, g, recent = 0, 6, 0
                fast = slow = self.key_scale[d]
            else:
                prediction = own[d] + (sum(self.cross[j][d] * e[j] for j in range(d)) >> 16)
                g, recent, fast, slow = self.group[d], self.recent[d], self.fast[d], self.slow[d]
            base = (prediction + 128) >> 8
            offset = prediction - 256 * base
            sign = -1 if offset < 0 else 1
            c = clamp(half((moved + 6 * self.activity) // (d + 6) + 5) - 12, 0, 7)
            place = (g, d, scale(fast), min(3, abs(offset) >> 5), scale(slow), c, recent)
            v = self.number(
                coder, place, max(0, (fast >> 12).bit_length() - 1),
                None if known is None else sign * (known[d] - base),
            )  # fmt: skip
            q.append(base + sign * v)
            if abs(q[d]) > 32767:
                raise Damage("symbol")
            e.append(clamp(256 * q[d] - prediction, -32768, 32768))
            if not key:
                a = abs(e[d])
                moved += min(4096, (4096 * a) // (self.slow[d] + 410))
                self.fast[d] += (16 * a - self.fast[d]) >> 2
                self.slow[d] += (16 * a - self.slow[d]) >> 4
                self.recent[d] = min(2, abs(v))
        if key:
            self.past = [list(q), list(q), list(q)]
            return q
        self.activity = moved // D
        limit = 1 << 18
        energy = 262144
        for d in range(D):
            o = clamp(256 * q[d] - own[d], -32768, 32768)
            norm = sum(a * a for a in x[d]) + 2
            for k in range(3):
                tap = self.tap[k][d] + (4 * o * x[d][k]) // norm
                self.tap[k][d] = clamp(tap, -limit, limit)
            for j in range(d):
                weight = self.cross[j][d] + (1024 * e[d] * e[j]) // energy
                self.cross[j][d] = clamp(weight, -limit, limit)
            energy += e[d] * e[d]
        self.past = [list(q), past[0], past[1]]
        return q

    def number(
        self, coder: RangeDecoder | None, place: tuple[int, ...], k: int, v: int | None
    ) -> int:  # 8.1
        def decide(kind: int, bit: bool | None) -> int:
            return self.decide(coder, place, kind, None if bit is None else int(bit))

        if decide(0, None if v is None else v == 0):
            return 0
        above = decide(1, None if v is None else v > 0)
        m = 0
        while m < 24 and decide(min(5, m + 2), None if v is None else (abs(v) - 1) >> k > m):
            m += 1
        if coder is None:
            return v or 0
        if m == 24:
            m += coder.gamma()
        magnitude = (m << k) + coder.raw(k) + 1
        return magnitude if above else -magnitude

    def decide(
        self, coder: RangeDecoder | None, place: tuple[int, ...], kind: int, bit: int | None
    ) -> int:  # 8.3
        g, d, fast, fraction, slow, c, recent = place
        counters = [
            self.counter(("a", g, kind, fast, fraction)),
            self.counter(("b", 0, kind, slow, c)),
            self.counter(("n", d, kind, recent)),
        ]
        w = self.weights.setdefault((g, kind), [26214, 26214, 19661, 0])
        x = [stretch(counter.p) for counter in counters]
        level = clamp((sum(w[i] * x[i] for i in range(3)) + 256 * w[3]) >> 16, -2047, 2047)
        if coder is not None:
            bit = coder.decide(level)
        assert bit is not None
        error = 65536 * bit - P[level]
        for i in range(3):
            w[i] += (error * x[i]) >> 14
        w[3] += (64 * error) >> 14
        for counter in counters:
            counter.learn(bit)
        return bit


def round_half_even(x: float) -> int:
    return round(x)  # Python's round of a float to an integer is exact and half to even


def frame_time(header: Any, coder: RangeDecoder, state: Any) -> int:  # 8.7
    state["ticks"] += 1 + header.between
    due = state["anchor"] + (1000000 * header.d * state["ticks"] + header.phase) // header.n
    j = 0
    while True:
        counter = state["lengths"][j]
        bit = coder.decide(stretch(counter.p))
        counter.learn(bit)
        if not bit:
            break
        j += 1
        if j == 55:
            raise Damage("time")
    z = (1 << j) - 1 + coder.raw(j)
    difference = z // 2 if z % 2 == 0 else -(z + 1) // 2
    if abs(difference) >= 4096:
        state["anchor"], state["ticks"] = due + difference, 0
    return int(due + difference)

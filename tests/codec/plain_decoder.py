"""A second decoder, written from docs/bitstream.md alone: plain Python, slow, no library.

It shares no code with the package.  `Damage` is whatever the document calls damage.
"""

from __future__ import annotations

import copy
import math
import struct
import zlib
from decimal import ROUND_HALF_EVEN, Decimal, getcontext
from typing import Any


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


def half_float(symbol: int) -> float:  # 13
    if abs(symbol) > 31743:
        raise Damage("half")
    value = float(struct.unpack("<e", struct.pack("<H", abs(symbol)))[0])
    return -value if symbol < 0 else value


def single(x: float) -> float:
    """The nearest binary32."""
    return float(struct.unpack("<f", struct.pack("<f", x))[0])


class Header:
    def __init__(self, data: bytes) -> None:  # 3.1
        r = Bytes(data)
        if r.take(4) != b"\x93FWS":
            raise Damage("magic")
        version = r.u(1)
        length = r.varint()
        body = Bytes(r.take(length))
        covered = r.at
        if r.u(4) != zlib.crc32(data[:covered]) or version != 1:
            raise Damage("header")
        self.crc, self.size = zlib.crc32(data[:covered]), r.at
        self.profile, self.codec, flags = body.u(1), body.u(1), body.u(1)
        self.digest = body.take(16)
        self.widths = [body.u(1) for _ in range(6)]
        self.quality = body.u(2)
        self.n, self.d = body.varint(), body.varint()
        self.phase = (0, self.n // 2, self.n - 1)[body.u(1)]
        self.window: tuple[float, ...] | None = None
        if flags & 1:
            floats = struct.unpack("<fff", body.take(12))
            self.window = (*floats, body.varint(), body.varint())
        self.opus = body.blob() if flags & 2 else None
        self.metadata = body.blob() if flags & 4 else b"{}"
        self.between = body.u(1) if flags & 8 else 0


def decode(data: bytes, statistics: dict[str, Any]) -> dict[str, Any]:
    """All that a stream holds.  statistics: mean, scale, step (floats), history (rows), and
    perhaps basis (rows of floats)."""
    header = Header(data)
    times: list[int] = []
    visible: list[bool] = []
    symbols: list[list[int]] = []
    audio: list[tuple[int, bytes]] = []
    at, face_crc = header.size, None
    state: Any = None
    call = Call(header, statistics) if header.profile == 1 else None
    while True:
        r = Bytes(data[at:])
        kind, body = r.u(1), b""
        body = r.blob()
        seed = face_crc if kind == 2 else header.crc
        if seed is None or zlib.crc32(data[at : at + r.at], seed) != r.u(4):
            raise Damage("chunk")
        if kind in (1, 2):
            face_crc = zlib.crc32(data[at : at + r.at - 4], seed)
            state = _packet(header, statistics, kind, body, state, times, visible, symbols)
        elif call is not None and (32 <= kind <= 36 or 40 <= kind <= 44):
            call.packet(kind, body)
            times = sorted(call.rows)
            visible = [call.rows[t][1] for t in times]
            symbols = [call.rows[t][0] for t in times]
        elif kind == 3:
            b, last = Bytes(body), 0
            while b.at < len(body):
                last += b.time()
                audio.append((last, b.blob()))
        elif kind == 4:
            b = Bytes(body)
            if b.varint() != len(times):
                raise Damage("frames")
            if data[at + r.at :] != struct.pack("<I", r.at | 0xFE << 24):
                raise Damage("footer")
            break
        elif kind < 128:
            raise Damage("kind")
        at += r.at
    values = [row_values(row, header, statistics) for row in symbols]
    times, visible, values = between(header, times, visible, values)
    assert all(math.isfinite(v) for row in values for v in row)
    return {
        "marks": call.marks if call is not None else [],
        "times": times,
        "visible": visible,
        "symbols": symbols,
        "values": values,
        "audio": audio,
        "header": header,
    }


def between(header: Header, times: list[int], visible: list[bool], values: Any) -> Any:  # 8.8
    out: Any = ([], [], [])
    n, d = header.n, header.d
    for i, (t, x) in enumerate(zip(times, values, strict=True)):
        for j in range(header.between + 1):
            last = i == len(times) - 1
            u, y = (t, x) if last else (times[i + 1], values[i + 1])
            moves = not last and visible[i] and visible[i + 1]
            share = j / (header.between + 1) if moves else 0.0
            out[0].append(
                t + 1000000 * d * j // n if last else t + (u - t) * j // (header.between + 1)
            )
            out[1].append(visible[i])
            out[2].append([single(a + (b - a) * share) for a, b in zip(x, y, strict=True)])
    return out


def row_values(row: list[int], header: Header, statistics: dict[str, Any]) -> list[float]:  # 5, 13
    if header.codec == 1:
        return [half_float(q) for q in row]
    mean, quality = statistics["mean"], header.quality / 256
    if "basis" not in statistics:
        step = [s * quality for s in statistics["step"]]
        return [single(mean[d] + q * step[d]) for d, q in enumerate(row)]
    moved = [0.0] * len(row)
    for j, q in enumerate(row):
        for d in range(len(row)):
            moved[d] = moved[d] + (q * quality) * statistics["basis"][j][d]
    return [single(mean[d] + moved[d]) for d in range(len(row))]


def _packet(
    header: Header, statistics: dict[str, Any], kind: int, body: bytes, state: Any,
    times: list[int], visible: list[bool], symbols: list[list[int]],
) -> Any:  # fmt: skip
    """Section 8.  state: models, clock and flags after the packet before."""
    b = Bytes(body)
    frames = b.u(1)
    if frames == 0:
        raise Damage("frames")
    if kind == 1:
        start = b.time()
        half_floats = header.codec == 1
        models = Models(header.widths, statistics, header.quality, False, half_floats)
        state = {
            "models": models,
            "flags": [Counter(32768), Counter(32768)],
            "lengths": [Counter(8192) for _ in range(55)],
            "anchor": start,
            "ticks": 0,
            "seen": 1,
            "fresh": True,
            "row": [0] * models.D,
        }
    coder = RangeDecoder(b.data[b.at :])
    for i in range(frames):
        if kind == 1 and i == 0:
            time = state["anchor"]
        else:
            time = _time(header, coder, state)
            if time <= times[-1]:
                raise Damage("time")
        times.append(time)
        flag = state["flags"][state["seen"]]
        state["seen"] = coder.decide(stretch(flag.p))
        flag.learn(state["seen"])
        visible.append(bool(state["seen"]))
        if state["seen"]:
            state["row"] = state["models"].frame(coder, state["fresh"], None)
            state["fresh"] = False
        symbols.append(state["row"])
    return state


def _time(header: Header, coder: RangeDecoder, state: Any) -> int:  # 8.7
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


class Call:  # 10
    def __init__(self, header: Header, statistics: dict[str, Any]) -> None:
        self.header, self.newest = header, 0
        self.held: dict[int, Any] = {}
        self.rows: dict[int, tuple[list[int], bool]] = {}
        self.marks: list[tuple[int, list[int]]] = []
        models = Models(header.widths, statistics, header.quality, True, header.codec == 1)
        self.taught = {
            "models": models,
            "fresh": True,
            "seen": 1,
            "flags": [Counter(32768), Counter(32768)],
            "lengths": [Counter(8192) for _ in range(55)],
            "row": [0] * models.D,
            "mark": [self.mark_counter(a, kind) for a in models.key_scale for kind in range(3)],
        }

    @staticmethod
    def mark_counter(a: int, kind: int) -> Counter:  # 10.3
        i = scale(a >> 3)
        m = (((2 + (i & 1)) << (6 + (i >> 1))) * 5) // 4
        return Counter([268435456 // (4096 + (3 * m) // 2), 32768, (65536 * m) // (m + 4096)][kind])

    def packet(self, kind: int, body: bytes) -> None:  # 10.2, 10.3
        b, frames = Bytes(body), (kind - 32) % 8 + 1
        low, distance = b.u(1), b.u(1)
        if distance == 0:
            number = b.varint() * 256 + low
            state = copy.deepcopy(self.taught)
            state["anchor"], state["ticks"] = b.time(), 0
        else:
            near = [
                n for n in range(max(0, self.newest - 128), self.newest + 129) if n % 256 == low
            ]
            number = min(near, key=lambda n: (abs(n - self.newest), n))
            if number - distance not in self.held:
                raise Damage("reference")
            state = copy.deepcopy(self.held[number - distance])
        self.newest = max(self.newest, number)
        coder = RangeDecoder(body[b.at :])
        skipped = max(0, distance - 1) * frames
        first = []
        for i in range(frames):
            if distance == 0 and i == 0:
                time = state["anchor"]
            else:
                state["ticks"] += skipped if i == 0 else 0
                time = _time(self.header, coder, state)
            flag = state["flags"][state["seen"]]
            state["seen"] = coder.decide(stretch(flag.p))
            flag.learn(state["seen"])
            if state["seen"]:
                leap = i == 0 and skipped > 0
                state["row"] = state["models"].frame(coder, state["fresh"], None, leap)
                state["fresh"] = False
            if time in self.rows:
                raise Damage("time")
            self.rows[time] = (state["row"], bool(state["seen"]))
            first = first or [time, state["row"]]
        if kind >= 40:
            back = coder.raw(6)
            coarse = [
                clamp(
                    q + 8 * self.mark_number(coder, state["mark"][3 * d : 3 * d + 3]), -32767, 32767
                )
                for d, q in enumerate(first[1])
            ]
            ago = 1000000 * self.header.d * back * frames // self.header.n
            self.marks.append((first[0] - ago, coarse))
        self.held[number] = state

    def mark_number(self, coder: RangeDecoder, counters: list[Counter]) -> int:
        def decide(kind: int) -> int:
            bit = coder.decide(stretch(counters[kind].p))
            counters[kind].learn(bit)
            return bit

        if decide(0):
            return 0
        above, n = decide(1), 0
        while n < 12 and decide(2):
            n += 1
        if n == 12:
            n += coder.gamma()
        return n + 1 if above else -n - 1

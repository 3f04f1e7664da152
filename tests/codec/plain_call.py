"""The call profile in the second decoder: docs/bitstream.md, section 10."""

from __future__ import annotations

import copy
from typing import Any

from plain_bits import Bytes, Counter, Damage, RangeDecoder, clamp, scale, stretch
from plain_models import Models, frame_time


class Call:  # 10
    def __init__(self, header: Any, statistics: dict[str, Any]) -> None:
        self.header, self.newest = header, 0
        self.held: dict[int, Any] = {}
        self.rows: dict[int, tuple[list[int], bool, int]] = {}  # and the quality
        self.marks: list[tuple[int, list[int]]] = []
        self.statistics = statistics
        self.taught: dict[int, Any] = {}

    def start(self, quality: int) -> Any:  # 10.4
        """What a key packet of this quality starts from."""
        if quality not in self.taught:
            self.taught[quality] = self.taught_at(quality)
        return copy.deepcopy(self.taught[quality])

    def taught_at(self, quality: int) -> dict[str, Any]:
        header = self.header
        models = Models(header.widths, self.statistics, quality, True, header.codec == 1)
        return {
            "quality": quality,
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
        header, b, frames = self.header, Bytes(body), (kind - 32) % 8 + 1
        low, distance = b.u(1), b.u(1)
        if distance == 0:
            number = b.varint() * 256 + low
            start = b.time()
            coder = RangeDecoder(body[b.at :])
            place = coder.raw(4) if header.coarser else 0  # 10.9
            if place > len(header.coarser):
                raise Damage("quality")
            state = self.start((header.quality, *header.coarser)[place])
            state["anchor"], state["ticks"] = start, 0
        else:
            near = [
                n for n in range(max(0, self.newest - 128), self.newest + 129) if n % 256 == low
            ]
            number = min(near, key=lambda n: (abs(n - self.newest), n))
            if number - distance not in self.held:
                raise Damage("reference")
            state = copy.deepcopy(self.held[number - distance])
            coder = RangeDecoder(body[b.at :])
        self.newest = max(self.newest, number)
        skipped = max(0, distance - 1) * frames
        first = []
        for i in range(frames):
            if distance == 0 and i == 0:
                time = state["anchor"]
            else:
                state["ticks"] += skipped if i == 0 else 0
                time = frame_time(self.header, coder, state)
            flag = state["flags"][state["seen"]]
            state["seen"] = coder.decide(stretch(flag.p))
            flag.learn(state["seen"])
            if state["seen"]:
                leap = i == 0 and skipped > 0
                state["row"] = state["models"].frame(coder, state["fresh"], None, leap)
                state["fresh"] = False
            if time in self.rows:
                raise Damage("time")
            self.rows[time] = (state["row"], bool(state["seen"]), state["quality"])
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

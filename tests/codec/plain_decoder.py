"""A second decoder, written from docs/bitstream.md alone: plain Python, slow, no library.

It shares no code with the package.  `Damage` is whatever the document calls damage.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any

from plain_bits import Bytes, Counter, Damage, RangeDecoder, stretch
from plain_call import Call
from plain_models import Models, frame_time


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
        self.coarser = [body.u(2) for _ in range(body.u(1))] if flags & 16 else []


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
    if call is not None:
        qualities = [call.rows[t][2] for t in times]
    else:
        qualities = [header.quality] * len(symbols)
    values = [
        row_values(row, header.codec, quality / 256, statistics)
        for row, quality in zip(symbols, qualities, strict=True)
    ]
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


def row_values(
    row: list[int], codec: int, quality: float, statistics: dict[str, Any]
) -> list[float]:  # 5, 13
    if codec == 1:
        return [half_float(q) for q in row]
    mean = statistics["mean"]
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
            time = frame_time(header, coder, state)
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

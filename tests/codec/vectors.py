"""Makes the golden vectors of docs/bitstream.md, section 11.

    PYTHONPATH=.:tests/codec python tests/codec/vectors.py

It adds vectors that are not there and never changes one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from made import DIGEST, SMALL, person, talking

from avatar.avatar import StateStatistics
from avatar.face import FaceStates, StateLayout, Window
from codec.container import stream_bytes
from codec.face_codec import PacketSettings, encode_states
from codec.header import StreamHeader
from codec.quantize import Quantizer

FOLDER = Path(__file__).parents[1] / "vectors" / "v1"


def steady() -> tuple[FaceStates, StateStatistics, StreamHeader, PacketSettings]:
    return talking(40), person(), StreamHeader(DIGEST), PacketSettings()


def taught() -> tuple[FaceStates, StateStatistics, StreamHeader, PacketSettings]:
    header = StreamHeader(DIGEST, quality=384)
    return talking(40), person(history=30), header, PacketSettings(frames=15)


def gaps() -> tuple[FaceStates, StateStatistics, StreamHeader, PacketSettings]:
    states = talking(60, SMALL, seed=2)
    time = states.time + np.random.default_rng(5).integers(-9000, 9000, 60)
    visible = np.ones(60, bool)
    visible[[0, 1, 2, 20, 21, 22, 23, 50]] = False
    states = replace(states, time=time, visible=visible)
    return states, person(SMALL), StreamHeader(DIGEST, SMALL), PacketSettings(20, 1.3)


def wide() -> tuple[FaceStates, StateStatistics, StreamHeader, PacketSettings]:
    rng = np.random.default_rng(6)
    symbols = rng.integers(-32767, 32768, (12, SMALL.width))
    symbols[4:8] //= 300
    symbols[8:] = symbols[7] + rng.integers(-3, 4, (4, SMALL.width))
    statistics = person(SMALL, step=2.0**-6)
    values = Quantizer(statistics, 256).values(symbols)
    time = np.array([-(10**12) + (i * 1001 * 10**6 + 15000) // 30000 for i in range(12)])
    header = StreamHeader(DIGEST, SMALL, rate=(30000, 1001), rounding=1)
    states = FaceStates(time, values, np.ones(12, bool), SMALL)
    return states, statistics, header, PacketSettings()


def sound() -> tuple[FaceStates, StateStatistics, StreamHeader, PacketSettings]:
    layout = StateLayout(code=2, rotation=3, translation=3, gaze=0, lids=0, torso=1)
    header = StreamHeader(
        DIGEST,
        layout,
        window=Window(12.5, 0.0, 700.0, 1280, 720),
        audio=b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0",
        metadata={"title": "vector"},
    )
    return talking(25, layout, seed=4), person(layout), header, PacketSettings(10)


VECTORS = {f.__name__: f for f in (steady, taught, gaps, wide, sound)}


def make(name: str) -> tuple[bytes, dict[str, object]]:
    """The stream and what a decoder must give."""
    states, statistics, header, settings = VECTORS[name]()
    packets = encode_states(states, statistics, header, settings)
    audio = [(int(states.time[0]) + 20_000 * i, bytes([i] * (i % 7))) for i in range(20)]
    duration = int(states.time[-1] - states.time[0])
    data = stream_bytes(header, packets, duration, audio if header.audio else ())
    quantizer = Quantizer(statistics, header.quality)
    symbols = quantizer.symbols(states.values)
    last = np.zeros(states.layout.width, np.int64)
    for f in range(len(states)):
        if states.visible[f]:
            last = symbols[f]
        symbols[f] = last
    values = quantizer.values(symbols)
    return data, {
        "mean": [float(x).hex() for x in statistics.mean],
        "scale": [float(x).hex() for x in statistics.scale],
        "step": [float(x).hex() for x in statistics.step],
        "history": statistics.history.tolist(),
        "times": states.time.tolist(),
        "visible": states.visible.tolist(),
        "symbols": symbols.tolist(),
        "values_sha256": hashlib.sha256(values.astype("<f4").tobytes()).hexdigest(),
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in VECTORS:
        stream = FOLDER / f"{name}.fw"
        if not stream.exists():
            data, expected = make(name)
            stream.write_bytes(data)
            stream.with_suffix(".json").write_text(json.dumps(expected, separators=(",", ":")))

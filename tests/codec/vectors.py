"""Makes the golden vectors of docs/bitstream.md, section 11.

    PYTHONPATH=.:tests/codec python tests/codec/vectors.py

It adds vectors that are not there and never changes one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np

from avatar.avatar import StateStatistics
from avatar.face import FaceStates, StateLayout, Window
from bench.made_states import DIGEST, SMALL, person, talking, turned_person
from codec.between import filled
from codec.call_codec import CallCodec
from codec.call_packet import CallPacket
from codec.call_recording import encode_call, recorded_frames
from codec.container import read_stream
from codec.face_codec import PacketSettings, encode_states
from codec.header import CODEC_LOSSLESS16, PROFILE_CALL, StreamHeader
from codec.predict import Ints
from codec.quantize import Quantizer, quantizer_of
from codec.stream_writer import StreamWriter, stream_bytes

FOLDER = Path(__file__).parents[1] / "vectors" / "v1"


def steady() -> tuple[FaceStates, StateStatistics, StreamHeader, PacketSettings]:
    return talking(40), person(), StreamHeader(DIGEST), PacketSettings()


def taught() -> tuple[FaceStates, StateStatistics, StreamHeader, PacketSettings]:
    header = StreamHeader(DIGEST, quality=384)
    return talking(40), person(history=30), header, PacketSettings(frames=15)


def turned() -> tuple[FaceStates, StateStatistics, StreamHeader, PacketSettings]:
    statistics = turned_person()
    return (
        talking(30, SMALL, seed=12),
        statistics,
        StreamHeader(DIGEST, SMALL, quality=192),
        (PacketSettings(12)),
    )


def sparse() -> tuple[FaceStates, StateStatistics, StreamHeader, PacketSettings]:
    states = talking(41, SMALL, seed=13)
    visible = np.ones(41, bool)
    visible[[10, 11, 12, 40]] = False
    header = StreamHeader(DIGEST, SMALL, between=1)
    return replace(states, visible=visible), person(SMALL), header, PacketSettings(8)


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


def half() -> tuple[FaceStates, StateStatistics, StreamHeader, PacketSettings]:
    layout = StateLayout(code=30, rotation=9, translation=3, gaze=0, lids=0, torso=0)
    states = talking(20, layout, seed=11)
    values = states.values.astype(np.float16).astype(np.float32)
    values[3, :4] = [0.0, 6e-8, 65504.0, -65504.0]
    header = StreamHeader(DIGEST, layout, codec=CODEC_LOSSLESS16)
    return replace(states, values=values), person(layout), header, PacketSettings()


def call() -> tuple[FaceStates, StateStatistics, StreamHeader, list[CallPacket]]:
    states, statistics = talking(40, seed=7), person(history=16)
    header = StreamHeader(DIGEST, profile=PROFILE_CALL)
    return states, statistics, header, encode_call(states, statistics, header)


def marks() -> tuple[FaceStates, StateStatistics, StreamHeader, list[CallPacket]]:
    """32 packets; 12 is lost, 17 starts anew, 21 comes after 22."""
    states, statistics = talking(64, SMALL, seed=8), person(SMALL, history=9)
    visible = np.ones(64, bool)
    visible[[0, 1, 2, 31, 40, 41]] = False
    time = states.time + np.random.default_rng(9).integers(-3, 3, 64) * 4000
    states = replace(states, time=time, visible=visible)
    header = StreamHeader(DIGEST, SMALL, profile=PROFILE_CALL)
    parts = [
        FaceStates(time[rows], states.values[rows], visible[rows], SMALL)
        for rows in (slice(34), slice(34, 64))
    ]
    packets = encode_call(parts[0], statistics, header, 3, 2, 2, lost=frozenset([12]))
    packets += encode_call(parts[1], statistics, header, 2, 2, 3, first=17)
    packets[20], packets[21] = packets[21], packets[20]
    return states, statistics, header, packets


def rates() -> tuple[FaceStates, StateStatistics, StreamHeader, list[CallPacket]]:
    """40 packets in three qualities: 8, 9 and 24 start anew in another, 8 is lost."""
    states, statistics = talking(40, SMALL, seed=14), person(SMALL, history=12)
    header = StreamHeader(DIGEST, SMALL, quality=200, profile=PROFILE_CALL, coarser=(512, 1500))
    levels = {8: 2, 9: 2, 24: 1}
    return (
        states,
        statistics,
        header,
        encode_call(states, statistics, header, marks=4, lost=frozenset([8]), levels=levels),
    )


FILES = {f.__name__: f for f in (steady, taught, turned, sparse, gaps, wide, sound, half)}
CALLS = {f.__name__: f for f in (call, marks, rates)}
VECTORS = [*FILES, *CALLS]


def make(name: str) -> tuple[bytes, dict[str, object]]:
    """The stream and what a decoder must give."""
    return make_file(name) if name in FILES else make_call(name)


def make_file(name: str) -> tuple[bytes, dict[str, object]]:
    states, statistics, header, settings = FILES[name]()
    packets = encode_states(states, statistics, header, settings)
    audio = [(int(states.time[0]) + 20_000 * i, bytes([i] * (i % 7))) for i in range(20)]
    duration = int(states.time[-1] - states.time[0])
    data = stream_bytes(header, packets, duration, audio if header.audio else ())
    quantizer = quantizer_of(statistics, header)
    symbols = quantizer.symbols(states.values)
    last = np.zeros(states.layout.width, np.int64)
    for f in range(0, len(states), header.between + 1):
        if states.visible[f]:
            last = symbols[f]
        symbols[f] = last
    sent = slice(None, None, header.between + 1)
    shown = FaceStates(
        states.time[sent], quantizer.values(symbols[sent]), states.visible[sent], states.layout
    )
    shown = filled(shown, header.between, header.rate)
    return data, expected(shown, symbols[sent], statistics)


def make_call(name: str) -> tuple[bytes, dict[str, object]]:
    states, statistics, header, packets = CALLS[name]()
    file = BytesIO()
    writer = StreamWriter(file, header)
    for packet in packets:
        writer.write_call(packet)
    writer.close(int(states.time[-1] - states.time[0]))
    shown = read_stream(file.getvalue(), statistics).states
    frames = recorded_frames(packets, CallCodec(statistics, header)).values()
    symbols = np.stack([frame.symbols for frame in frames])
    return file.getvalue(), expected(shown, symbols, statistics)


def expected(shown: FaceStates, symbols: Ints, statistics: StateStatistics) -> dict[str, object]:
    basis = None if statistics.basis is None else statistics.basis.tolist()
    turned = {} if basis is None else {"basis": [[x.hex() for x in row] for row in basis]}
    return {
        **turned,
        "mean": [float(x).hex() for x in statistics.mean],
        "scale": [float(x).hex() for x in statistics.scale],
        "step": [float(x).hex() for x in statistics.step],
        "history": statistics.history.tolist(),
        "times": shown.time.tolist(),
        "visible": shown.visible.tolist(),
        "symbols": symbols.tolist(),
        "values_sha256": hashlib.sha256(shown.values.astype("<f4").tobytes()).hexdigest(),
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in VECTORS:
        stream = FOLDER / f"{name}.fw"
        if not stream.exists():
            data, golden = make(name)
            stream.write_bytes(data)
            stream.with_suffix(".json").write_text(json.dumps(golden, separators=(",", ":")))

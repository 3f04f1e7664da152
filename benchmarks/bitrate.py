"""Bits of the face codec on real tracks, beside the reference coder and the ideal.

    python benchmarks/bitrate.py CLIP.track ... [--avatar NAME.avatar] [--quality 1 2 4]

Each track is cut: the first nine tenths teach, the rest (at most --seconds of it) is coded at 25
frames a second.  With an avatar its own embedding and statistics are used; without one the 79
expression coefficients are projected on the 30 strongest directions of the teaching part, and a
step is a tenth of the strongest direction's deviation, or what moves a picture about as far.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from avatar.archive import read_avatar
from avatar.avatar import StateStatistics
from avatar.face import GROUPS, FaceStates, FaceTrack, StateLayout
from avatar.track_file import read_track
from codec.container import read_stream, stream_bytes
from codec.entropy import BinaryEncoder, CostMeter
from codec.face_codec import encode_states
from codec.face_models import FaceModels
from codec.header import DIGEST, StreamHeader
from codec.predict import Ints
from codec.quantize import Quantizer
from codec.reference import reference_bytes

PERIOD = 40_000  # microseconds
HISTORY = 300  # rows
# Steps of the numbers that are not codes, where no avatar says better: about a quarter of a pixel
# at 256 for a head that fills half the window.
STEPS = {"rotation": 0.006, "translation": 0.0006, "gaze": 0.02, "lids": 0.05, "torso": 0.002}


def at_25(states: FaceStates) -> FaceStates:
    """States between those that were tracked, 25 a second."""
    clock = np.arange(states.time[0], states.time[-1] + 1, PERIOD)
    columns = [np.interp(clock, states.time, column) for column in states.values.T]
    near = np.clip(np.searchsorted(states.time, clock), 0, len(states) - 1)
    values = np.stack(columns, axis=1).astype(np.float32)
    return FaceStates(clock, values, states.visible[near], states.layout)


def projected(track: FaceTrack, layout: StateLayout) -> FaceStates:
    """A track as states, its expression on the teaching part's principal directions."""
    taught = track.expression[: len(track) * 9 // 10].astype(np.float64)
    _, _, directions = np.linalg.svd(taught - taught.mean(axis=0), full_matrices=False)
    code = (track.expression - taught.mean(axis=0)) @ directions[: layout.code].T
    parts = [code] + [getattr(track, name) for name in GROUPS[1:]]
    values = np.concatenate(parts, axis=1).astype(np.float32)
    return FaceStates(track.time, values, track.confidence > 0, layout)


def statistics_of(taught: FaceStates) -> StateStatistics:
    """Mean, scale, steps and history of the teaching part."""
    mean, scale = taught.values.mean(axis=0), taught.values.std(axis=0)
    step = np.empty(len(mean), np.float32)
    for name, columns in taught.layout.groups.items():
        step[columns] = 0.1 * scale[0] if name == "code" else STEPS[name]
    rows = np.rint((taught.values[-HISTORY:] - mean) / step * 4)
    history = np.clip(rows, -32767, 32767).astype(np.int16)
    return StateStatistics(mean, np.maximum(scale, 1e-6), step, history)


def group_bits(symbols: Ints, quantizer: Quantizer, layout: StateLayout) -> dict[str, float]:
    """Ideal bits a frame of every group, by coding and watching the cost."""

    class Ledger(CostMeter):
        def __init__(self) -> None:
            super().__init__()
            self.spent = dict.fromkeys(GROUPS, 0.0)

    models, ledger = FaceModels(quantizer, layout), Ledger()
    inner = models._symbols.code
    names = [name for name in GROUPS for _ in range(getattr(layout, name))]

    def watched(coder, deviation, number, *context):  # type: ignore[no-untyped-def]
        before = ledger.bits
        out = inner(coder, deviation, number, *context)
        ledger.spent[names[number]] += ledger.bits - before
        return out

    models._symbols.code = watched  # type: ignore[method-assign]
    for f, row in enumerate(symbols):
        models.frame(ledger, row, f == 0)
    return {name: bits / len(symbols) for name, bits in ledger.spent.items()}


def report(name: str, states: FaceStates, statistics: StateStatistics, quality: float) -> str:
    """One line: rates, against the reference and the ideal, and time."""
    header = StreamHeader(bytes(DIGEST), states.layout, quality=round(quality * 256))
    quantizer = Quantizer(statistics, header.quality)
    symbols = quantizer.symbols(states.values)
    groups = group_bits(symbols, quantizer, states.layout)
    packets = encode_states(states, statistics, header)
    data = stream_bytes(header, packets, int(states.time[-1] - states.time[0]))
    stream = read_stream(data, statistics)
    np.testing.assert_array_equal(stream.states.values, quantizer.values(symbols))
    payload = sum(len(p.payload) for p in packets)
    taught = FaceModels(quantizer, states.layout)
    start = time.process_time()
    coder, models = BinaryEncoder(), taught.fork()
    for f, row in enumerate(symbols):
        models.frame(coder, row, f == 0)
    spent = (time.process_time() - start) / len(symbols) * 1e3
    reference = reference_bytes(symbols)
    return (
        f"{name:12s} quality {quality:<5g} {stream.summary()['payload_kbps']:.3f} kbps  "
        + " ".join(f"{group} {bits:.1f}" for group, bits in groups.items())
        + f"  of the reference {len(data) / reference:.3f}"
        + f"  of the ideal {payload * 8 / (sum(groups.values()) * len(symbols)):.4f}"
        + f"  encoding {spent:.2f} ms/frame"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tracks", nargs="+", type=Path)
    parser.add_argument("--avatar", type=Path)
    parser.add_argument("--quality", nargs="+", type=float, default=[1.0, 2.0, 4.0])
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    for path in options.tracks:
        track = read_track(path)
        if options.avatar:
            from service.states import states_of

            avatar = read_avatar(options.avatar)
            states, statistics = at_25(states_of(track, avatar)), avatar.statistics
        else:
            states, statistics = at_25(projected(track, StateLayout())), None
        cut = max(len(states) * 9 // 10, len(states) - round(options.seconds * 25))
        if statistics is None:
            statistics = statistics_of(
                FaceStates(states.time[:cut], states.values[:cut], states.visible[:cut])
            )
        judged = FaceStates(
            states.time[cut:], states.values[cut:], states.visible[cut:], states.layout
        )
        for quality in options.quality:
            print(report(path.stem, judged, statistics, quality), flush=True)


if __name__ == "__main__":
    main()

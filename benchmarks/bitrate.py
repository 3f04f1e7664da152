"""Bits and time of the face codec on real tracks, beside the reference coders and the ideal.

    python -m benchmarks.bitrate CLIP.track ... [--avatar NAME.avatar | --taught OTHER.track]
        [--quality 1 2 4] [--price 0.115]

The last --seconds of each track, or with --taught all of it, are coded at 25 frames a second.
With an avatar its own embedding and statistics are used.  Without
one what comes before, or all of another track, teaches: the 79 expression coefficients are
projected on its 30 strongest directions, a step is a tenth of the strongest direction's deviation,
or what moves a picture about as far, and symbols go along the directions that do not move together.
price: of a bit, 0 for the nearest symbols.  Rates count every byte; the ideal is the models' own.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from avatar.archive import read_avatar
from avatar.avatar import StateStatistics
from avatar.face import GROUPS, FaceStates, FaceTrack, StateLayout
from avatar.track_file import read_track
from codec.container import read_stream
from codec.entropy import CostMeter
from codec.face_codec import FaceDecoder, FaceEncoder, PacketSettings
from codec.face_models import FaceModels
from codec.header import DIGEST, StreamHeader
from codec.packet import FacePacket
from codec.predict import Ints
from codec.quantize import Quantizer
from codec.reference import order_0_bytes, placed_bytes
from codec.stream_writer import stream_bytes
from service.sender import PACKETS

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


def projected(
    track: FaceTrack, layout: StateLayout, teacher: FaceTrack | None = None
) -> FaceStates:
    """A track as states, its expression on the principal directions of the teaching part: the
    first four fifths, or all of another track."""
    if teacher is None or teacher is track:
        taught = track.expression[: len(track) * 4 // 5].astype(np.float64)
    else:
        taught = teacher.expression.astype(np.float64)
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


def along_basis(statistics: StateStatistics, taught: FaceStates) -> StateStatistics:
    """The same with symbols along directions that do not move together, as an enrolment has them
    (`enroll.sensitivity.symbol_basis`); a step is worth what it was."""
    import torch

    from enroll.sensitivity import symbol_basis

    steps = torch.from_numpy(statistics.step).double()
    metric = torch.diag(12.0 / len(steps) / steps**2)
    covariance = torch.from_numpy(np.cov(taught.values.T))
    basis = symbol_basis(metric, covariance, steps, 1.0).numpy()
    offsets = (taught.values[-HISTORY:] - statistics.mean).astype(np.float64)
    rows = np.rint(4 * np.linalg.solve(basis.T, offsets.T).T)
    history = np.clip(rows, -32767, 32767).astype(np.int16)
    return replace(statistics, history=history, basis=basis.astype(np.float32))


def group_bits(symbols: Ints, quantizer: Quantizer, layout: StateLayout) -> dict[str, float]:
    """Ideal bits a frame of every group, by coding and watching the cost."""

    class Ledger(CostMeter):
        def __init__(self) -> None:
            super().__init__()
            self.spent = dict.fromkeys(GROUPS, 0.0)

    models, ledger = FaceModels(quantizer, layout), Ledger()
    inner = models._symbols.code
    names = [name for name in GROUPS for _ in range(getattr(layout, name))]

    def watched(coder, deviation, context):  # type: ignore[no-untyped-def]
        before = ledger.bits
        out = inner(coder, deviation, context)
        ledger.spent[names[context[0]]] += ledger.bits - before
        return out

    models._symbols.code = watched  # type: ignore[method-assign]
    for f, row in enumerate(symbols):
        models.frame(ledger, row, f == 0)
    return {name: bits / len(symbols) for name, bits in ledger.spent.items()}


def report(
    name: str, states: FaceStates, statistics: StateStatistics, quality: float, price: float
) -> str:
    """One line: rates, against the reference coders and the ideal, and time."""
    header = StreamHeader(bytes(DIGEST), states.layout, quality=round(quality * 256))
    encoder = FaceEncoder(statistics, header, PacketSettings(bit_price=price))
    packets: list[FacePacket] = []
    start = time.process_time()
    for at, values, seen in zip(states.time, states.values, states.visible, strict=True):
        packets += encoder.encode(int(at), values, bool(seen))
    packets += encoder.flush()
    encoding = (time.process_time() - start) / len(states) * 1e3
    decoder = FaceDecoder(statistics, header)
    start = time.process_time()
    decoded = [decoder.decode(packet) for packet in packets]
    decoding = (time.process_time() - start) / len(states) * 1e3
    quantizer = Quantizer(statistics, header.quality)
    symbols = np.concatenate([quantizer.symbols(part.values) for part in decoded])
    groups = group_bits(symbols, quantizer, states.layout)
    ideal = sum(groups.values()) * len(symbols) / 8
    data = stream_bytes(header, packets, int(states.time[-1] - states.time[0]))
    payload = sum(len(p.payload) for p in packets)
    return (
        f"{name:10s} quality {quality:<4g} price {price:<5g} "
        f"{read_stream(data).summary()['payload_kbps']:.3f} kbps  "
        + " ".join(f"{group} {bits:.1f}" for group, bits in groups.items())
        + f"  of order 0: {len(data) / order_0_bytes(symbols):.3f}"
        + f"  of places: {len(data) / placed_bytes(symbols):.3f}"
        + f"  of the ideal: payload {payload / ideal:.4f}, file {len(data) / ideal:.3f}"
        + f"  {encoding:.2f} + {decoding:.2f} ms/frame"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tracks", nargs="+", type=Path)
    parser.add_argument("--avatar", type=Path)
    parser.add_argument("--taught", type=Path, help="another track of whom the others show")
    parser.add_argument("--quality", nargs="+", type=float, default=[1.0, 2.0, 4.0])
    parser.add_argument("--price", type=float, default=PACKETS.bit_price)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    for path in options.tracks:
        track = read_track(path)
        if options.avatar:
            from service.states import states_of

            avatar = read_avatar(options.avatar)
            judged, statistics = at_25(states_of(track, avatar)), avatar.statistics
            taught = None
        else:
            teacher = read_track(options.taught) if options.taught else track
            judged, taught = (at_25(projected(t, StateLayout(), teacher)) for t in (track, teacher))
        if not options.taught:
            cut = len(judged) - round(options.seconds * 25)
            if taught is not None:
                taught = _rows(taught, slice(cut))
            judged = _rows(judged, slice(cut, None))
        if taught is not None:
            statistics = along_basis(statistics_of(taught), taught)
        for quality in options.quality:
            print(report(path.stem, judged, statistics, quality, options.price), flush=True)


def _rows(states: FaceStates, rows: slice) -> FaceStates:
    return FaceStates(states.time[rows], states.values[rows], states.visible[rows], states.layout)


if __name__ == "__main__":
    main()

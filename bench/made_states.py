"""Made-up people, for tests and benchmarks without film: states that move as speech does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from avatar.avatar import StateStatistics
from avatar.face import FaceStates, StateLayout
from codec.header import StreamHeader

FULL = StateLayout()
SMALL = StateLayout(code=4, rotation=3, translation=3, gaze=0, lids=2, torso=0)
DIGEST = bytes(range(16))


def talking(frames: int, layout: StateLayout = FULL, seed: int = 0) -> FaceStates:
    """Second-order autoregressive numbers in their own units, lids that blink."""
    rng = np.random.default_rng(seed)
    width = layout.width
    noise = rng.normal(size=(frames + 50, width))
    values = np.zeros((frames + 50, width))
    for f in range(2, len(values)):
        values[f] = 1.55 * values[f - 1] - 0.6 * values[f - 2] + 0.15 * noise[f]
    lids = layout.groups["lids"]
    blinks = np.flatnonzero(rng.random(frames + 50) < 0.015)
    for f in blinks:
        values[f : f + 5, lids] -= np.array([0.6, 1.5, 1.6, 1.0, 0.4])[: len(values) - f, None]
    time = 1_000_000 + np.arange(frames, dtype=np.int64) * 40_000
    return FaceStates(time, values[50:].astype(np.float32), np.ones(frames, bool), layout)


def person(layout: StateLayout = FULL, history: int = 0, step: float = 0.25) -> StateStatistics:
    """The statistics of whoever `talking` shows."""
    past = talking(300, layout, seed=99).values
    mean, scale = past.mean(axis=0), past.std(axis=0)
    steps = np.full(layout.width, step, np.float32)
    rows = np.rint((past[-history:] - mean) / steps * 4) if history else np.zeros((0, 0))
    return StateStatistics(
        mean.astype(np.float32), scale.astype(np.float32), steps, rows.astype(np.int16)
    )


def turned_person() -> StateStatistics:
    """The same with SMALL states, whose symbols are steps along other directions."""
    rng = np.random.default_rng(7)
    basis = (0.2 * rng.normal(size=(SMALL.width, SMALL.width))).astype(np.float32)
    still = person(SMALL)
    past = talking(20, SMALL, seed=99).values.astype(np.float64) - still.mean
    rows = np.clip(np.rint(4 * np.linalg.solve(basis.T.astype(np.float64), past.T).T), -999, 999)
    return replace(still, history=rows.astype(np.int16), basis=basis)


def header(layout: StateLayout = FULL, **changes: object) -> StreamHeader:
    return StreamHeader(DIGEST, layout, **changes)  # type: ignore[arg-type]

"""Whole calls over a made-up network: docs/bitstream.md, section 10, under loss.

Round trip 100 ms, 25 frames a second, one a packet.  Errors are in quantiser steps; the made-up
states move by about half a step a frame and lie about five steps from their mean.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from bench.simulated_call import MS, GilbertElliott, Run, call, independent
from codec.session import SenderSettings

SETTLED = 1_500 * MS  # after the start


def no_drift(run: Run) -> None:
    """What is shown from frames that arrived is right to the last bit, whatever was lost."""
    errors = run.errors()
    exact = np.array([s.how == "exact" for _, s in run.shown])
    assert exact.any() and errors[exact].max() < 0.01
    wrong = 0
    for (_, shown), error in zip(run.shown, errors, strict=True):
        wrong = 0 if error < 2.0 else wrong + 1
        assert wrong <= 25, f"wrong for a second at {shown.time}"


@lru_cache
def lossless() -> Run:
    return call()


def test_nothing_lost() -> None:
    run = lossless()
    assert run.share(("exact",), SETTLED) == 1.0
    assert run.errors(SETTLED).max() < 0.01


@pytest.mark.parametrize(
    ("share", "exact", "shown", "error"),
    [
        (0.01, 0.9, 0.99, 0.03),
        (0.05, 0.8, 0.97, 0.06),
        (0.10, 0.7, 0.96, 0.1),
        (0.20, 0.5, 0.95, 0.2),
        (0.30, 0.4, 0.92, 0.3),
    ],
)
def test_independent_loss(share: float, exact: float, shown: float, error: float) -> None:
    run = call(seed=3, loss=independent(share))
    assert run.share(("exact",), SETTLED) >= exact
    assert run.share(("exact", "bridged", "coarse"), SETTLED) >= shown
    assert run.errors(SETTLED).mean() <= error
    no_drift(run)


def test_what_ten_percent_loss_costs() -> None:
    calm, lossy = lossless(), call(loss=independent(0.1))
    assert sum(lossy.face_bytes) <= 1.35 * sum(calm.face_bytes)


def test_bursts() -> None:
    run = call(seed=5, loss=GilbertElliott(0.04, 0.3))
    assert run.share(("exact", "bridged", "coarse"), SETTLED) >= 0.8
    no_drift(run)


@pytest.mark.parametrize("length", [2_000, 5_000])
def test_a_blackout(length: int) -> None:
    start = 2_000 * MS
    end = start + length * MS
    run = call(seconds=length / 1000 + 4, seed=6, blackout=(start, end))
    errors = run.errors()
    right = [
        now
        for (now, shown), error in zip(run.shown, errors, strict=True)
        if now >= end and error < 0.01 and shown.how == "exact"
    ]
    assert right[0] - end <= (200 + 100) * MS
    dark = [s for now, s in run.shown if end - 200 * MS < now < end]
    assert all(s.how == "neutral" for s in dark)
    far = np.abs(np.stack([s.values for s in dark]) - run.statistics.mean).max(axis=1)
    assert far[-1] < 0.1  # of a spread of about 1.3
    assert run.share(("exact",), right[0]) == 1.0


def test_jitter_of_200_ms() -> None:
    run = call(seconds=8, seed=7, jitter=200 * MS)
    assert run.share(("exact", "bridged"), 4_000 * MS) >= 0.95
    no_drift(run)


def test_reordering_duplicates_and_damage() -> None:
    run = call(seed=8, reorder=0.2, duplicate=0.2, damage=0.05)
    assert run.refused > 5
    assert run.share(("exact", "bridged"), SETTLED) >= 0.95
    no_drift(run)


@pytest.mark.parametrize("drift", [-2e-3, 2e-3])
def test_clocks_that_drift(drift: float) -> None:
    run = call(seconds=10, seed=9, drift=drift)
    assert run.share(("exact",), 3_000 * MS) >= 0.99
    delays = [now - (s.time - 1_000_000) for now, s in run.shown]
    assert abs(delays[-1] - delays[75]) < 40 * MS


def test_late_join() -> None:
    run = call(seconds=4, seed=10, join=2_000 * MS)
    first = run.shown[0][0]
    assert first <= 2_000 * MS + 500 * MS
    assert run.share(("exact",), first + 300 * MS) >= 0.97


def test_more_frames_a_packet() -> None:
    run = call(seed=11, sender=SenderSettings(frames=3), loss=independent(0.1))
    assert run.share(("exact", "bridged", "coarse"), SETTLED) >= 0.93
    no_drift(run)


def test_a_sender_that_hears_nothing_refreshes() -> None:
    sender = SenderSettings(acknowledged=False, refresh=400 * MS)
    run = call(seed=12, sender=sender, loss=independent(0.1))
    assert run.share(("exact", "bridged", "coarse"), SETTLED) >= 0.8
    no_drift(run)

"""A call under loss: what is shown, how wrong it is, and what it costs.

    python -m benchmarks.call_loss [--seconds 20] [--frames 1] [--json]
        [--track CLIP.track --avatar NAME.avatar] [--layout full|tiny]

Round trip 100 ms, 25 frames a second.  Without a track the states are made up (second-order noise
with blinks).  exact, filled, held: shares of the pictures that come from frames that arrived, from
those around lost ones or coarse marks, and from concealment.  Errors are RMS in quantiser steps,
over all pictures: mean, 95th percentile, worst.  kbps: the sender's datagrams alone; on the wire:
with IPv4, UDP, DTLS and SCTP (93 bytes a datagram); back: the receiver's, on the wire too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from avatar.avatar import StateStatistics
from avatar.face import FaceStates
from bench.made_states import FULL, person, talking
from bench.simulated_call import MS, OVERHEAD, TINY, GilbertElliott, Run, call, independent
from codec.session import SenderSettings

PATHS: dict[str, dict[str, Any]] = {
    "nothing lost": {},
    **{f"{p} % lost": {"loss": independent(p / 100)} for p in (1, 5, 10, 20, 30)},
    "bursts (4 %, 3 packets)": {"loss": GilbertElliott(0.04, 0.33)},
    "200 ms jitter": {"jitter": 200 * MS},
    "20 % late by 60 ms": {"reorder": 0.2},
    "2 s blackout": {"blackout": (4_000 * MS, 6_000 * MS)},
}


def on_track(track: Path, avatar: Path, seconds: float) -> tuple[FaceStates, StateStatistics]:
    """The last seconds of a track, at 25 a second, through its avatar's embedding."""
    from avatar.archive import read_avatar
    from avatar.track_file import read_track
    from benchmarks.bitrate import at_25
    from service.states import states_of

    person_of = read_avatar(avatar)
    states = at_25(states_of(read_track(track), person_of))
    rows = slice(-round(seconds * 25), None)
    time = states.time[rows] - states.time[rows][0] + 1_000_000
    cut = FaceStates(time, states.values[rows], states.visible[rows], states.layout)
    return cut, person_of.statistics


def figures(run: Run) -> dict[str, float]:
    settled = 1_500 * MS
    errors = run.errors(settled)
    assert run.back is not None
    seconds = (run.states.time[-1] - run.states.time[0]) * 1e-6
    back = (sum(run.back.sizes) + OVERHEAD * len(run.back.sizes)) * 8e-3 / seconds
    return {
        "exact": run.share(("exact",), settled),
        "filled": run.share(("bridged", "coarse"), settled),
        "held": run.share(("held", "neutral"), settled),
        "mean": float(errors.mean()),
        "p95": float(np.quantile(errors, 0.95)),
        "worst": float(errors.max()),
        "kbps": run.kbps(),
        "wire": run.kbps() + OVERHEAD * len(run.face_bytes) * 8e-3 / seconds,
        "back": back,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--frames", type=int, default=1)
    parser.add_argument("--layout", choices=("full", "tiny"), default="full")
    parser.add_argument("--quality", type=float, default=1.0)
    parser.add_argument("--track", type=Path)
    parser.add_argument("--avatar", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.track:
        states = on_track(options.track, options.avatar, options.seconds)
    else:
        layout = FULL if options.layout == "full" else TINY
        states = talking(round(options.seconds * 25), layout), person(layout, history=100)
    rows: dict[str, dict[str, float]] = {}
    sender, quality = SenderSettings(frames=options.frames), round(options.quality * 256)
    if not options.json:
        print(
            "| network | exact | filled | held | mean | p95 | worst | kbps | on the wire | back |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|")
    for name, path in PATHS.items():
        run = call(seed=1, states=states, sender=sender, quality=quality, **path)
        f = rows[name] = figures(run)
        if not options.json:
            shares = " | ".join(f"{100 * f[k]:.1f} %" for k in ("exact", "filled", "held"))
            errors = " | ".join(f"{f[k]:.2f}" for k in ("mean", "p95", "worst"))
            rates = " | ".join(f"{f[k]:.2f}" for k in ("kbps", "wire", "back"))
            print(f"| {name} | {shares} | {errors} | {rates} |", flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

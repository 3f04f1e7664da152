"""A call under loss: what is shown, how wrong it is, and what it costs.

    python -m benchmarks.call_loss [--seconds 20] [--seeds 3] [--frames 1] [--quality 1]
        [--track CLIP.track [--avatar NAME.avatar [--clip CLIP.mp4 --size 128 --every 1]]]
        [--plot call-loss.svg] [--json]

Round trip 100 ms, 25 frames a second; the mean over the seeds.  With a track its last seconds are
sent, through the avatar's embedding or, without one, through the strongest directions of what came
before (`benchmarks.bitrate`); without a track the states are made up (second-order noise with
blinks).  With the clip every --every-th picture of a wrong state is drawn, and so is the right one;
fall: what PSNR against what was filmed at that time loses, over all pictures.

exact, filled, held: shares of the pictures that come from frames that arrived, from those around
lost ones or coarse marks, and from concealment.  delay: of showing, beyond the quickest packet's
way.  Errors are RMS in quantiser steps, over all pictures: mean, 95th percentile, worst; wrong:
longest time on end above two steps,
but for a blackout itself.  back: after a blackout, until the first exact picture.
kbps: the sender's datagrams alone, and how much more than without loss; on the wire: with IPv4,
UDP, DTLS and SCTP (93 bytes a datagram); returned: the receiver's, on the wire too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from avatar.avatar import StateStatistics
from avatar.errors import InputError
from avatar.face import FaceStates
from bench.made_states import FULL, person, talking
from bench.simulated_call import MS, OVERHEAD, TINY, GilbertElliott, Run, call, independent
from benchmarks.judge import Judge
from codec.session import SenderSettings

BLACKOUT = (4_000 * MS, 6_000 * MS)
PATHS: dict[str, dict[str, Any]] = {
    "nothing lost": {},
    **{f"{p} % lost": {"share": p / 100} for p in (1, 5, 10, 20, 30)},
    "bursts (4 %, 3 packets)": {"burst": (0.04, 0.33)},
    "200 ms jitter": {"jitter": 200 * MS},
    "20 % late by 60 ms": {"reorder": 0.2},
    "2 s blackout": {"blackout": BLACKOUT},
}
SETTLED = 1_500 * MS
RIGHT, WRONG = 0.01, 2.0  # steps
COLUMNS = (
    ("exact", "{:.1%}"), ("filled", "{:.1%}"), ("held", "{:.1%}"), ("delay", "{:.0f} ms"),
    ("mean", "{:.2f}"), ("p95", "{:.2f}"), ("worst", "{:.1f}"), ("wrong", "{:.0f} ms"),
    ("back", "{:.0f} ms"), ("fall", "{:.2f} dB"), ("kbps", "{:.2f}"),
    ("more", "{:+.0%}"), ("wire", "{:.1f}"), ("returned", "{:.1f}"),
)  # fmt: skip


def on_track(
    track: Path, avatar: Path | None, seconds: float
) -> tuple[FaceStates, StateStatistics, int]:
    """The last seconds of a track, at 25 a second, from 1 s on; and what their times lost."""
    from avatar.archive import read_avatar
    from avatar.face import StateLayout
    from avatar.track_file import read_track
    from benchmarks.bitrate import at_25, projected, statistics_of
    from service.states import states_of

    followed = read_track(track)
    if avatar:
        person_of = read_avatar(avatar)
        states, statistics = at_25(states_of(followed, person_of)), person_of.statistics
    else:
        states = at_25(projected(followed, StateLayout()))
        known = slice(None, -round(seconds * 25))
        statistics = statistics_of(
            FaceStates(states.time[known], states.values[known], states.visible[known])
        )
    rows = slice(-round(seconds * 25), None)
    shift = int(states.time[rows][0]) - 1_000_000
    cut = FaceStates(
        states.time[rows] - shift, states.values[rows], states.visible[rows], states.layout
    )
    return cut, statistics, shift


def one_run(
    states: tuple[FaceStates, StateStatistics],
    seed: int,
    options: argparse.Namespace,
    share: float = 0.0,
    burst: tuple[float, float] | None = None,
    **path: Any,
) -> Run:
    path["loss"] = GilbertElliott(*burst) if burst else independent(share)
    sender, quality = SenderSettings(frames=options.frames), round(options.quality * 256)
    return call(seed=seed, states=states, sender=sender, quality=quality, **path)


def figures(run: Run, judge: Judge | None, every: int) -> dict[str, float]:
    errors = run.errors(SETTLED)
    assert run.back is not None
    seconds = (run.states.time[-1] - run.states.time[0]) * 1e-6
    returned = (sum(run.back.sizes) + OVERHEAD * len(run.back.sizes)) * 8e-3 / seconds
    assert run.forth is not None
    dark = run.forth.blackout
    wrong = longest = 0
    for now, error in zip([now for now, _ in run.shown if now >= SETTLED], errors, strict=True):
        wrong = wrong + 1 if error > WRONG and not dark[0] <= now < dark[1] else 0
        longest = max(longest, wrong)
    out = {
        "exact": run.share(("exact",), SETTLED),
        "filled": run.share(("bridged", "coarse"), SETTLED),
        "held": run.share(("held", "neutral"), SETTLED),
        "delay": float(np.median([now - s.time + 1_000_000 for now, s in run.shown])) / MS - 250,
        "mean": float(errors.mean()),
        "p95": float(np.quantile(errors, 0.95)),
        "worst": float(errors.max()),
        "wrong": longest * 40.0,
        "kbps": run.kbps(),
        "wire": run.kbps() + OVERHEAD * len(run.face_bytes) * 8e-3 / seconds,
        "returned": returned,
    }
    if dark[1] > 0:
        out["back"] = recovery(run, dark[1])
    if judge is not None:
        out["fall"] = fall(run, errors, judge, every)
    return out


def fall(run: Run, errors: np.ndarray, judge: Judge, every: int) -> float:
    """Decibels that the pictures shown lose against those that should have been, at the same
    times; only where the state is wrong is anything drawn."""
    rows = [s for now, s in run.shown if now >= SETTLED]
    wrong = np.flatnonzero(errors > RIGHT)
    if not len(wrong):
        return 0.0
    some = wrong[::every]
    times = np.array([rows[i].time for i in some])
    shown = judge.psnr(times, np.stack([rows[i].values for i in some]))
    lost = judge.psnr(times, run.right(times)) - shown
    return float(lost.mean() * len(wrong) / len(rows))


def recovery(run: Run, end: int) -> float:
    """Milliseconds from a blackout's end to the first exact picture."""
    right = [
        now
        for (now, shown), error in zip(run.shown, run.errors(), strict=True)
        if now >= end and shown.how == "exact" and error < RIGHT
    ]
    return (right[0] - end) / MS if right else float("inf")


def over_seeds(runs: list[dict[str, float]], base: dict[str, float] | None) -> dict[str, float]:
    """Means; of the worst ones the worst.  base: the row without loss."""
    out = {k: float(np.mean([run[k] for run in runs])) for k in runs[0]}
    for name in ("worst", "wrong", "back"):
        if name in out:
            out[name] = max(run[name] for run in runs)
    first = base or out
    out["more"] = out["kbps"] / first["kbps"] - 1
    return out


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=1)
    parser.add_argument("--layout", choices=("full", "tiny"), default="full")
    parser.add_argument("--quality", type=float, default=1.0)
    parser.add_argument("--track", type=Path)
    parser.add_argument("--avatar", type=Path)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    judge = None
    if options.track:
        truth, statistics, shift = on_track(options.track, options.avatar, options.seconds)
        if options.clip:
            if not options.avatar:
                raise InputError("pictures are drawn by an avatar", "Name one: --avatar FILE")
            times = truth.time + shift
            judge = Judge(options.avatar, options.track, options.clip, times, shift, options.size)
        states = truth, statistics
    else:
        layout = FULL if options.layout == "full" else TINY
        states = talking(round(options.seconds * 25), layout), person(layout, history=100)
    rows: dict[str, dict[str, float]] = {}
    shown = [c for c in COLUMNS if judge is not None or c[0] != "fall"]
    if not options.json:
        print("| network | " + " | ".join(name for name, _ in shown) + " |")
        print("|---" * (len(shown) + 1) + "|")
    for name, path in PATHS.items():
        chance = {"share", "burst", "jitter", "reorder"} & path.keys()
        runs = [
            figures(one_run(states, seed, options, **path), judge, options.every)
            for seed in range(options.seeds if chance else 1)
        ]
        row = rows[name] = over_seeds(runs, rows.get("nothing lost"))
        if not options.json:
            cells = [text.format(row[key]) if key in row else "" for key, text in shown]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    if options.plot:
        from benchmarks.call_loss_plot import drawn

        drawn(rows, options.plot)


if __name__ == "__main__":
    main()

"""What the sample's head does: a scripted track of pose, gaze, lids and mouth, the same each time.

A talking head in small: phrases of syllables with pauses between them, turns and nods that carry
the speech, blinks every few seconds, glances, smiles in the pauses.  Or somebody who follows a
guided script, one gesture after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Mouth shapes of a syllable, as (jaw, wide, pucker, press), each about 0..1.
VISEMES = np.array(
    [
        [0.95, 0.10, 0.00, 0.0],  # ah
        [0.55, 0.55, 0.00, 0.0],  # eh
        [0.22, 0.90, 0.00, 0.0],  # ee
        [0.60, -0.30, 0.75, 0.0],  # oh
        [0.25, -0.50, 1.00, 0.0],  # oo
        [0.00, 0.00, 0.10, 1.0],  # m, b, p
        [0.15, 0.15, 0.00, 0.3],  # f, v
        [0.18, 0.35, 0.00, 0.0],  # s, t
    ]
)
REST = np.array([0.04, 0.15, 0.0, 0.35])
_AT_REST = {"yaw": 0.0, "pitch": 0.0, "jaw": 0.04, "wide": 0.15, "press": 0.35, "blink": 0.0}
_RATE = 200  # steps a second at which the mouth is laid out before it is smoothed
_BLINK = 0.30  # seconds from open to open

# Of a guided script: seconds at rest before and after a gesture, and of the gesture itself.
_BEFORE, _BETWEEN, _GESTURE, _SLOW_BLINK, _READ = 1.2, 0.8, 1.2, 0.8, 4.5
_SYLLABLE = 0.4  # seconds of a syllable of the sentence read
_MADE: dict[str, dict[str, float]] = {
    "left": {"yaw": 0.55}, "right": {"yaw": -0.55}, "up": {"pitch": -0.34}, "down": {"pitch": 0.34},
    "open": {"jaw": 1.04, "press": 0.0}, "smile": {"wide": 1.75, "press": 0.0},
}  # fmt: skip


@dataclass(frozen=True)
class Performance:
    """F moments of the script.  Angles in radians, positive yaw turns to the viewer's right,
    positive pitch nods down, positive roll tilts clockwise as seen."""

    time: Array  # [F] seconds
    yaw: Array  # [F]
    pitch: Array  # [F]
    roll: Array  # [F]
    shift: Array  # [F, 2] of the head, face widths right and down
    sway: Array  # [F, 2] of the shoulders, face widths right and down
    lean: Array  # [F] roll of the shoulders
    jaw: Array  # [F] 0 closed .. 1 wide open
    wide: Array  # [F] below 0 narrow, 1 a broad smile
    pucker: Array  # [F] 0..1
    press: Array  # [F] 0..1, lips together
    blink: Array  # [F] 0 open .. 1 closed
    gaze: Array  # [F, 2] iris shift right and down, eye widths
    brows: Array  # [F] -1..1, up is positive
    loudness: Array  # [F] 0..1, of the voice


def perform(time: Array, seed: int = 7) -> Performance:
    """The script at `time` [F] in seconds from the start; the same seed is the same person's
    same talk, however it is sampled."""
    time = np.asarray(time, np.float64)
    seconds = float(time.max(initial=0.0)) + 2.0
    rng = np.random.default_rng(seed)
    mouth, loudness = _speech(rng, seconds, time)
    blink = _blinks(rng, seconds, time)
    glance = _steps(rng, seconds, time, hold=(0.7, 2.2), spread=(0.10, 0.035), smooth=0.03)
    accent = loudness - 0.4
    yaw = 0.20 * _wave(time, 0.131, 0.4) + 0.07 * _wave(time, 0.37, 1.9)
    pitch = 0.10 * _wave(time, 0.173, 2.2) + 0.035 * _wave(time, 0.71, 0.3) + 0.05 * accent
    roll = 0.055 * _wave(time, 0.149, 1.1) + 0.02 * _wave(time, 0.53, 2.7)
    shift = np.stack(
        [
            0.07 * _wave(time, 0.117, 2.9) + 0.02 * _wave(time, 0.43, 0.2),
            0.03 * _wave(time, 0.19, 1.4) + 0.02 * accent,
        ],
        axis=1,
    )
    sway = np.stack([0.035 * _wave(time, 0.113, 2.5), 0.012 * _wave(time, 0.27, 0.9)], axis=1)
    brows = 0.6 * _wave(time, 0.21, 0.7) * np.clip(0.3 + loudness, 0, 1) + 0.5 * np.clip(
        accent, 0, 1
    )
    return Performance(
        time=time,
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        shift=shift,
        sway=sway,
        lean=0.018 * _wave(time, 0.157, 1.7),
        jaw=np.clip(mouth[:, 0], 0, 1.1),
        wide=mouth[:, 1],
        pucker=np.clip(mouth[:, 2], 0, 1),
        press=np.clip(mouth[:, 3], 0, 1),
        blink=blink,
        # The eyes stay on the viewer while the head turns, up to what looks at ease.
        gaze=glance + np.clip(np.stack([-0.35 * yaw, -0.3 * pitch], axis=1), -0.12, 0.12),
        brows=brows,
        loudness=loudness,
    )


def follow(order: Sequence[str], fps: float = 25.0) -> Performance:
    """Who makes the gestures of a guided script in their order, each from rest and back to it.

    order: left, right, up, down, open, smile, blink (twice), read; sides are the subject's.
    """
    made: dict[str, list[Array]] = {name: [] for name in _AT_REST}

    def add(seconds: float, **moves: Array) -> None:
        for name, rest in _AT_REST.items():
            made[name].append(moves.get(name, np.full(round(seconds * fps), rest)))

    def bump(seconds: float) -> Array:
        """0..1 and back, held for most of the time."""
        count = round(seconds * fps)
        return smooth_step(np.minimum(1, 4 * (0.5 - np.abs(np.linspace(-0.5, 0.5, count)))))

    add(_BEFORE)
    for gesture in order:
        if gesture == "blink":
            for _ in range(2):
                add(_SLOW_BLINK, blink=bump(_SLOW_BLINK))
                add(_SLOW_BLINK / 2)
        elif gesture == "read":
            moments = np.arange(round(_READ * fps)) / fps
            spoken = 0.5 - 0.5 * np.cos(2 * np.pi * moments / _SYLLABLE)
            jaw, press = _AT_REST["jaw"] + 0.45 * spoken, _AT_REST["press"] * (1 - spoken)
            add(_READ, jaw=jaw, press=press)
        else:
            share = bump(_GESTURE)
            moves = {
                name: _AT_REST[name] + share * (reached - _AT_REST[name])
                for name, reached in _MADE[gesture].items()
            }
            add(_GESTURE, **moves)
        add(_BETWEEN)
    tracks = {name: np.concatenate(parts) for name, parts in made.items()}
    count = len(tracks["yaw"])
    still, nowhere = np.zeros(count), np.zeros((count, 2))
    return Performance(
        time=np.arange(count) / fps, roll=still, shift=nowhere, sway=nowhere, lean=still,
        pucker=still, gaze=nowhere, brows=still, loudness=still, **tracks,
    )  # fmt: skip


def smooth_step(x: Array) -> Array:
    """0 at 0, 1 at 1, smooth between."""
    return np.asarray(x * x * (3 - 2 * x))


def _wave(time: Array, hertz: float, phase: float) -> Array:
    return np.sin(2 * np.pi * hertz * time + phase)


def _speech(rng: np.random.Generator, seconds: float, time: Array) -> tuple[Array, Array]:
    """Mouth [F, 4] and loudness [F]: syllables of 0.13 to 0.26 s in phrases of 1.2 to 3 s."""
    steps = int(seconds * _RATE) + 1
    targets = np.repeat(REST[None], steps, axis=0)
    voiced = np.zeros(steps)
    clock, phrase = 0.35, 0.35 + rng.uniform(1.2, 3.0)
    while clock < seconds:
        if clock >= phrase:
            pause = rng.uniform(0.35, 0.9)
            # A pause closes the mouth, and every other one smiles.
            rows = slice(int(clock * _RATE), int((clock + pause) * _RATE))
            targets[rows] = [0.08, 1.0, 0.0, 0.0] if rng.random() < 0.5 else REST
            clock += pause
            phrase = clock + rng.uniform(1.2, 3.0)
            continue
        length = rng.uniform(0.13, 0.26)
        rows = slice(int(clock * _RATE), int((clock + length) * _RATE))
        viseme = VISEMES[rng.integers(len(VISEMES))]
        targets[rows] = viseme * rng.uniform(0.7, 1.0)
        voiced[rows] = 0.25 + 0.75 * viseme[0]
        clock += length
    smooth = _gaussian(np.column_stack([targets, voiced]), 0.045 * _RATE)
    moments = np.arange(steps) / _RATE
    columns = [np.interp(time, moments, smooth[:, c]) for c in range(5)]
    return np.stack(columns[:4], axis=1), columns[4]


def _blinks(rng: np.random.Generator, seconds: float, time: Array) -> Array:
    closed = np.zeros(len(time))
    moment = rng.uniform(0.8, 1.6)
    while moment < seconds:
        phase = (time - moment) / _BLINK
        # Lids fall in a third of the time that they take to rise.
        shape = np.where(phase < 0.28, phase / 0.28, (1 - phase) / 0.72)
        shape = np.clip(np.where((phase < 0) | (phase > 1), 0, shape) * 1.15, 0, 1)
        closed = np.maximum(closed, smooth_step(shape))
        moment += rng.uniform(1.5, 3.6)
    return closed


def _steps(
    rng: np.random.Generator,
    seconds: float,
    time: Array,
    hold: tuple[float, float],
    spread: tuple[float, float],
    smooth: float,
) -> Array:
    """Jumps between held positions [F, 2], as eyes move."""
    track = np.zeros((int(seconds * _RATE) + 1, 2))
    start = 0.0
    while start < seconds:
        end = start + rng.uniform(*hold)
        rows = slice(int(start * _RATE), int(end * _RATE))
        track[rows] = rng.uniform(-1, 1, 2) * spread
        start = end
    track = _gaussian(track, smooth * _RATE)
    moments = np.arange(len(track)) / _RATE
    return np.stack([np.interp(time, moments, track[:, c]) for c in range(2)], axis=1)


def _gaussian(rows: Array, sigma: float) -> Array:
    """Columns of [T, C] smoothed over time; the ends repeat."""
    radius = int(3 * sigma) + 1
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps /= taps.sum()
    padded = np.pad(rows, ((radius, radius), (0, 0)), mode="edge")
    return np.stack([np.convolve(c, taps, mode="valid") for c in padded.T], axis=1)

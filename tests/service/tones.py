"""Sound that tells when it was made: in the second half of each second, a tone of its own."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

RATE = 48_000  # samples a second


def pitch(second: float | np.ndarray) -> float | np.ndarray:
    """Hz, another for each second."""
    return 300.0 + 50.0 * np.floor(second)


def tones(seconds: int) -> np.ndarray:
    """[samples], from -1 to 1."""
    t = np.arange(seconds * RATE) / RATE
    return 0.5 * np.sin(2 * np.pi * pitch(t) * t) * (t % 1 >= 0.5)


def write_tones(path: Path, seconds: int) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((tones(seconds) * 32767).astype("<i2").tobytes())
    return path


def heard_in(path: Path) -> np.ndarray:
    """The sound of a video on its pictures' clock, [samples]."""
    import av

    with av.open(str(path)) as file:
        first = float(next(file.decode(video=0)).time)
    with av.open(str(path)) as file:
        decoded = file.decode(audio=0) if file.streams.audio else ()
        frames = [(float(f.time) - first, f.to_ndarray()[0]) for f in decoded]
    sound = np.zeros(round((frames[-1][0] + 1) * RATE) if frames else 0, np.float32)
    for time, samples in frames:
        skip, at = max(0, round(-time * RATE)), max(0, round(time * RATE))
        samples = samples[skip:]
        sound[at : at + len(samples)] = samples
    return sound


def moments(sound: np.ndarray) -> dict[int, float]:
    """Second -> the middle of its tone in the sound.  A busy machine tears holes into a tone; its
    middle stays about where it was."""
    blocks = sound[: len(sound) // 960 * 960].reshape(-1, 960)
    spectrum = np.abs(np.fft.rfft(blocks * np.hanning(960), 9600, axis=1))  # 5 Hz apart
    hertz, loud = spectrum.argmax(axis=1) * 5.0, np.abs(blocks).max(axis=1) > 0.2
    found = {}
    for second in range(60):
        at = np.flatnonzero(loud & (np.abs(hertz - pitch(second)) < 20))
        if len(at) >= 6:
            found[second] = float(np.median(at)) * 0.02 + 0.01
    return found

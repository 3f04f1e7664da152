"""The sample clip: a talking head made from a photograph, so that a demo needs no file at all.

    for frame in sample_clip(SampleSettings(seconds=15.0)): ...
    write_sample(Path("sample.mkv"))

The same settings give the same frames.  What the head does is in `sample_script`, how it is drawn
in `puppet`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, MissingError, StorageError
from enroll.capture import Frame
from enroll.puppet import Puppet
from enroll.sample_script import Performance, perform

RATE = 48_000  # samples a second of the voice
_CHUNK = 960  # samples: 20 ms, an Opus frame


@dataclass(frozen=True)
class SampleSettings:
    """size: pixels each way, even, 64 to 1024.  seed: of the script, another talk for each."""

    size: int = 512
    fps: int = 25
    seconds: float = 15.0
    seed: int = 7

    def __post_init__(self) -> None:
        if not 64 <= self.size <= 1024 or self.size % 2:
            raise InputError(
                f"a sample of {self.size} pixels cannot be made",
                "Choose an even size from 64 to 1024.",
            )
        if not 1 <= self.fps <= 120 or not 0 < self.seconds <= 600:
            raise InputError(
                f"a sample of {self.seconds} s at {self.fps} frames a second cannot be made",
                "Choose up to 600 s and 1 to 120 frames a second.",
            )

    @property
    def frames(self) -> int:
        return max(1, round(self.seconds * self.fps))

    def performance(self) -> Performance:
        return perform(np.arange(self.frames) / self.fps, self.seed)


def sample_clip(settings: SampleSettings | None = None) -> Iterator[Frame]:
    """The clip's frames: image [size, size, 3] uint8 RGB and time in microseconds."""
    settings = settings or SampleSettings()
    performance = settings.performance()
    puppet = Puppet(settings.size)
    for f in range(settings.frames):
        yield Frame(puppet.draw(performance, f), round(f * 1_000_000 / settings.fps))


def sample_voice(settings: SampleSettings | None = None) -> NDArray[np.float32]:
    """A hum in the rhythm of the script's speech, [samples] in -1..1 at 48 kHz: harmonics of a
    gliding pitch through two resonances that follow the mouth.  It says nothing."""
    settings = settings or SampleSettings()
    count = round(settings.frames / settings.fps * RATE)
    time = np.arange(count) / RATE
    coarse = perform(np.arange(0, count, 480) / RATE, settings.seed)
    follow = [np.interp(time, coarse.time, c) for c in (coarse.loudness, coarse.jaw, coarse.wide)]
    loudness, jaw, wide = follow
    pitch = 185 * (1 + 0.08 * np.sin(2 * np.pi * 0.43 * time) + 0.05 * loudness)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    first, second = 350 + 450 * jaw, 1100 + 700 * wide
    voice = np.zeros(count)
    for k in range(1, 19):
        hertz = k * pitch
        resonance = 1 / (1 + ((hertz - first) / 130) ** 2) + 0.5 / (
            1 + ((hertz - second) / 180) ** 2
        )
        voice += resonance / k**0.5 * np.sin(k * phase)
    voice *= np.clip(loudness - 0.05, 0, None)
    return (0.25 * voice / max(float(np.abs(voice).max()), 1e-9)).astype(np.float32)


def write_sample(
    path: Path,
    settings: SampleSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Writes the clip with its voice and returns `path`.

    `.mkv` is lossless (FFV1, RGB) with Opus, `.mp4` is H.264 at crf 10 with AAC.  The file appears
    only when it is whole.  progress(done, frames) is called after every frame.
    """
    settings, path = settings or SampleSettings(), Path(path)
    if path.suffix not in (".mkv", ".mp4"):
        raise InputError(f"{path.name}: a sample is written as .mkv or .mp4", "Rename the output.")
    try:
        import av
    except ImportError:
        raise MissingError(
            "PyAV, which writes video, is not installed.", "pip install 'facewire[send]'"
        ) from None
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        with av.open(str(part), "w") as container:
            _write(av, container, path.suffix == ".mkv", settings, progress)
        os.replace(part, path)
    except OSError as error:  # PyAV's own errors of writing are OSErrors too
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}",
            "Check that the folder exists, that it may be written to and that the disk has room.",
        ) from None
    finally:
        part.unlink(missing_ok=True)
    return path


def _write(
    av: Any,
    container: Any,
    lossless: bool,
    settings: SampleSettings,
    progress: Callable[[int, int], None] | None,
) -> None:
    video = container.add_stream("ffv1" if lossless else "libx264", rate=settings.fps)
    video.width = video.height = settings.size
    video.pix_fmt = "bgr0" if lossless else "yuv420p"
    if not lossless:
        video.options = {"crf": "10", "preset": "veryfast"}
    sound = container.add_stream("libopus" if lossless else "aac", rate=RATE)
    sound.layout = "mono"
    sound.bit_rate = 48_000
    voice, sent = sample_voice(settings), 0
    for number, frame in enumerate(sample_clip(settings)):
        picture = av.VideoFrame.from_ndarray(frame.image, format="rgb24")
        picture.pts, picture.time_base = number, Fraction(1, settings.fps)
        container.mux(video.encode(picture))
        # Sound goes beside the picture, so that neither waits in the muxer.
        due = round((number + 1) / settings.fps * RATE)
        while sent < due:
            chunk = voice[sent : min(sent + _CHUNK, len(voice))]
            samples = av.AudioFrame.from_ndarray(chunk[None], format="flt", layout="mono")
            samples.sample_rate, samples.pts = RATE, sent
            samples.time_base = Fraction(1, RATE)
            container.mux(sound.encode(samples))
            sent += len(chunk)
        if progress is not None:
            progress(number + 1, settings.frames)
    container.mux(video.encode(None))
    container.mux(sound.encode(None))

"""The fallback for other players: an elementary stream of key frames, each with the motion of what
follows it as GFV SEI messages (docs/mttf.md, section 6).

Any decoder shows the key frames; ours moves them.  There is no sound in such a stream, its pictures
come at one rate, and each is made from the key frame before it alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from avatar.errors import StreamError
from avatar.storage import whole_file
from codec.mttf.classic import CODECS
from codec.mttf.decoder import Making, check_digest
from codec.mttf.encoder import Encoder, EncoderSettings
from codec.mttf.gfv import PRECISION, SUFFIXES, GfvNetwork, Scene, scenes_in
from codec.mttf.keyframe import decode_key
from codec.mttf.packet import KeyFrame
from codec.mttf.runtime import Runtime
from codec.mttf.weights import Weights
from service.fallback.receiver import Look, made, show
from service.fallback.sender import KEYS, FallbackSettings, Filmed, Progress, check_rate, film
from service.receiver import Shown

_DEFAULT, _AS_CODED = FallbackSettings(), Look()


@dataclass(frozen=True)
class SentScenes:
    """kbps: all of the file, over its frames' time."""

    frames: int
    keys: int
    seconds: float
    kbps: float
    warnings: tuple[str, ...] = ()


def encode_elementary(
    source: str | Path,
    out: str | Path,
    weights: Weights,
    settings: FallbackSettings = _DEFAULT,
    frames: slice | None = None,
    progress: Progress | None = None,
) -> SentScenes:
    """Codes a video of anybody as what `out` ends in.  settings: key_codec is the suffix's; sound,
    layer and lookback are left out; fps None takes the source's mean rate.

    Raises VideoError, InputError, MissingError, StorageError.
    """
    check_rate(settings.kbps)
    codec = SUFFIXES[Path(out).suffix.lower()]
    runtime = Runtime(weights)
    coding = EncoderSettings(
        settings.side, codec, settings.qp, settings.kbps * KEYS, slots=1, lookback=0
    )
    encoder = Encoder(runtime, weights.statistics, coding)
    filmed = film(
        source, encoder, runtime, settings.side, settings.fps, frames, progress, even=True
    )
    keys = [chunk for chunk in encoder.chunks if isinstance(chunk, KeyFrame)]
    seconds = (filmed.end - int(filmed.time[0])) * 1e-6
    for precision in (PRECISION, PRECISION - 1):  # the finest that keeps the rate; steps of 1/2
        # would shut mouths
        data = b"".join(map(bytes, _scenes(keys, filmed, codec, weights, precision)))
        kbps = len(data) * 8e-3 / seconds
        if kbps <= settings.kbps:
            break
    with whole_file(out) as file:
        file.write(data)
    warnings = list(filmed.warnings)
    if kbps > settings.kbps:
        warnings.append(
            f"{settings.kbps:g} kbps cannot be reached: this is {kbps:.2f} kbps, most of it SEI "
            "messages. Fewer --fps take less."
        )
    return SentScenes(len(filmed.time), len(keys), seconds, kbps, tuple(warnings))


def _scenes(
    keys: Sequence[KeyFrame], filmed: Filmed, codec: str, weights: Weights, precision: int
) -> Iterator[Scene]:
    time = filmed.time
    period = Fraction(int(np.median(np.diff(time))) if len(time) > 1 else 40_000, 1_000_000)
    network = GfvNetwork(weights.digest, keys[0].side, (1 / period).limit_denominator(1001))
    ends = [*(key.frame for key in keys[1:]), len(time)]
    for key, end in zip(keys, ends, strict=True):
        rows = filmed.vectors[key.frame : end]
        yield Scene(codec, key.data, rows[0], rows, network, key.face, precision)


def decode_elementary(
    path: str | Path,
    weights: Weights,
    out: str | Path,
    look: Look = _AS_CODED,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Shown:
    """As `decode_fallback`.  Raises StreamError for a stream without the fallback's messages,
    MismatchError for one of other weights."""
    codec = SUFFIXES[Path(path).suffix.lower()]
    scenes = list(scenes_in(Path(path).read_bytes(), codec))
    if not scenes:
        raise StreamError(f"{path}: no picture with GFV messages", field="GFV")
    network = scenes[0].network
    check_digest(bytes.fromhex(network.digest), weights.digest)
    if any(scene.network != network for scene in scenes):
        raise StreamError("GFV: scenes of several sizes or rates", field="uri")
    frames = sum(len(scene.vectors) for scene in scenes)
    if not frames:
        raise StreamError("GFV: key frames without frames", field="GFV")
    time = np.round(np.arange(frames) * 1e6 / float(network.fps)).astype(np.int64)
    pictures = made(_frames(scenes, Runtime(weights, device)), device)
    return show(out, pictures, time, network.side, look, progress=progress)


def _frames(scenes: Sequence[Scene], runtime: Runtime) -> Iterator[Making]:
    numbers = runtime.settings.numbers
    for scene in scenes:
        if len(scene.own) != numbers or scene.network.side not in runtime.settings.sides:
            raise StreamError("GFV: frames of another network", field="matrix")
        number = CODECS[scene.codec].number
        held = runtime.hold(decode_key(scene.key, number, scene.network.side), scene.face)
        for row in scene.vectors:
            yield Making(runtime, row, held)

"""Classic codecs on raw frames: low delay, one key frame, whole bytes counted.

Every encoder gets 4:2:0 pictures at BT.709 and writes its elementary stream; those bytes are the
rate, and they are decoded again by the same program.  Pictures are padded to whole blocks of 8.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError
from bench.ffmpeg import ToolError, read_frames, run_ffmpeg

_BLOCK = 8
_COLOUR = "flags=accurate_rnd+full_chroma_int+full_chroma_inp"


@dataclass(frozen=True)
class Encoder:
    """How ffmpeg is asked for one key frame and low delay.  quantiser: the option that sets
    quality; worst: its value at the lowest rate.  `{beyond}` in an argument becomes a number
    beyond the clip's frames, `{preset}` the preset.  framing: bytes that the form puts before the
    stream and before each frame, and that no decoder of the codec needs."""

    name: str
    quantiser: str
    worst: int
    preset: str
    pixels: str
    form: str  # ffmpeg's name of the elementary stream
    arguments: tuple[str, ...]
    framing: tuple[int, int] = (0, 0)


ENCODERS = {
    "vvc": Encoder(
        name="VVC (libvvenc)",
        quantiser="-qp",
        worst=63,
        preset="medium",
        pixels="yuv420p10le",
        form="vvc",
        # libvvenc's own default is a key frame a second.
        arguments=(
            "-c:v", "libvvenc", "-preset", "{preset}", "-period", "{beyond}", "-vvenc-params",
            "picreordering=0:decodingrefreshtype=none:poc0idr=1:numrefpics=2:gopsize=8",
        ),
    ),
    "av1": Encoder(
        name="AV1 (SVT-AV1)",
        quantiser="-crf",
        worst=63,
        preset="6",
        pixels="yuv420p10le",
        form="obu",
        arguments=(
            "-c:v", "libsvtav1", "-preset", "{preset}", "-g", "{beyond}",
            "-svtav1-params", "pred-struct=1:scd=0:keyint=-1",
        ),
    ),
    "hevc": Encoder(
        name="HEVC (x265)",
        quantiser="-qp",
        worst=51,
        preset="medium",
        pixels="yuv420p",
        form="hevc",
        arguments=(
            "-c:v", "libx265", "-preset", "{preset}", "-x265-params",
            "keyint=-1:bframes=0:scenecut=0:rc-lookahead=0:info=0:log-level=error",
        ),
    ),
    "aom": Encoder(
        name="AV1 (libaom)",
        quantiser="-crf",
        worst=63,
        preset="6",
        pixels="yuv420p",
        form="obu",
        arguments=(
            "-c:v", "libaom-av1", "-cpu-used", "{preset}", "-b:v", "0", "-g", "{beyond}",
            "-lag-in-frames", "0",
        ),
    ),
    "h264": Encoder(
        name="H.264 (x264)",
        quantiser="-qp",
        worst=51,
        preset="medium",
        pixels="yuv420p",
        form="h264",
        arguments=(
            "-c:v", "libx264", "-preset", "{preset}", "-tune", "zerolatency", "-x264-params",
            "keyint=infinite:scenecut=0:bframes=0",
            "-bsf:v", "filter_units=remove_types=6",  # 600 bytes of text about itself
        ),
    ),
    "vp9": Encoder(
        name="VP9 (libvpx)",
        quantiser="-crf",
        worst=63,
        preset="2",
        pixels="yuv420p",
        form="ivf",
        arguments=(
            "-c:v", "libvpx-vp9", "-cpu-used", "{preset}", "-deadline", "good", "-b:v", "0",
            "-g", "{beyond}", "-lag-in-frames", "0", "-auto-alt-ref", "0",
        ),
        framing=(32, 12),  # IVF: VP9 has no form of its own
    ),
}  # fmt: skip


@dataclass(frozen=True)
class ClassicSettings:
    """codec: a key of ENCODERS.  quality: the encoder's quantiser, 0 best; None for its lowest
    rate.  preset: None for the encoder's entry.  threads: 0 for as many as it likes."""

    codec: str
    quality: int | None = None
    fps: float = 25.0
    preset: str | None = None
    threads: int = 0


@dataclass(frozen=True)
class Coded:
    """What came out.  data: the stream as the decoder takes it.  Times are wall-clock seconds, of
    this process's run alone: compare them within one run only."""

    settings: ClassicSettings
    data: bytes
    frames: NDArray[np.uint8]  # [F, H, W, 3] RGB
    encode_seconds: float
    decode_seconds: float

    @property
    def size(self) -> int:
        """Bytes of the elementary stream."""
        before, each = ENCODERS[self.settings.codec].framing
        return len(self.data) - before - each * len(self.frames)

    @property
    def kbps(self) -> float:
        return self.size * 8 / 1000 * self.settings.fps / len(self.frames)


def code(frames: Sequence[NDArray[np.uint8]], settings: ClassicSettings) -> Coded:
    """Frames [H, W, 3] RGB, all of one size, to bytes and back.

    Raises InputError for settings or frames that cannot be coded, MissingError without
    imageio-ffmpeg, ToolError (with ffmpeg's own words) where it fails or loses frames.
    """
    encoder, quality = _checked(frames, settings)
    height, width = frames[0].shape[:2]
    down, right = -height % _BLOCK, -width % _BLOCK
    arguments = [
        word.format(beyond=10 * len(frames) + 1000, preset=settings.preset or encoder.preset)
        for word in encoder.arguments
    ]
    spread = f"{width + right}x{height + down}"
    into = [
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", spread, "-r", str(settings.fps), "-i", "-"),
        *("-vf", f"scale=out_color_matrix=bt709:out_range=tv:{_COLOUR}"),
        *("-pix_fmt", encoder.pixels, *arguments, encoder.quantiser, str(quality)),
    ]
    # Named, the stream is decoded even where a look at it tells no size yet.
    out_of = ["-threads", "1", "-f", encoder.form]
    shown = [
        *("-map", "0:v:0", "-vf", f"scale=in_color_matrix=bt709:in_range=tv:{_COLOUR}"),
        *("-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stream"
        # libvvenc of several threads, asked to end a short clip on a busy machine before its first
        # picture is out, writes nothing and calls that success.  One thread cannot be early.
        for threads in (settings.threads, 1):
            start = time.perf_counter()
            many = ["-threads", str(threads)] if threads else []
            padded = (np.pad(f, ((0, down), (0, right), (0, 0)), mode="edge") for f in frames)
            said = run_ffmpeg([*into, *many, "-f", encoder.form, str(path)], padded)
            encoded = time.perf_counter()
            if path.stat().st_size:
                break
        else:
            raise ToolError(f"{encoder.name} wrote nothing for {len(frames)} frames", said)
        decoded = [
            frame[:height, :width]
            for frame in read_frames(
                [*out_of, "-i", str(path), *shown], width + right, height + down
            )
        ]
        end = time.perf_counter()
        data = path.read_bytes()
    if len(decoded) != len(frames):
        raise ToolError(f"{encoder.name} gave {len(decoded)} frames back of {len(frames)}", said)
    return Coded(settings, data, np.stack(decoded), encoded - start, end - encoded)


def lowest_rate(frames: Sequence[NDArray[np.uint8]], codec: str, fps: float = 25.0) -> Coded:
    """The same at the encoder's coarsest quantiser: the fewest bytes it can be made to take."""
    return code(frames, ClassicSettings(codec, fps=fps))


def _checked(frames: Sequence[NDArray[np.uint8]], settings: ClassicSettings) -> tuple[Encoder, int]:
    encoder = ENCODERS.get(settings.codec)
    if encoder is None:
        raise InputError(
            f"there is no classic codec {settings.codec!r}", f"Choose from {', '.join(ENCODERS)}."
        )
    quality = encoder.worst if settings.quality is None else settings.quality
    if not 0 <= quality <= encoder.worst or settings.fps <= 0:
        raise InputError(
            f"{encoder.name} has no quality {quality} at {settings.fps} frames a second",
            f"Choose a quality from 0 (best) to {encoder.worst}.",
        )
    if not len(frames):
        raise InputError("there are no frames to code", "Give at least one.")
    for frame in frames:
        if frame.shape != frames[0].shape or frame.ndim != 3 or frame.dtype != np.uint8:
            raise InputError(
                f"a frame of shape {frame.shape} and type {frame.dtype} cannot be coded",
                "Give frames [H, W, 3] uint8, all of one size.",
            )
    return encoder, quality

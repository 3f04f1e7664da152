"""Key frames by a classic codec, intra only: a picture to an elementary stream and back.

HEVC, AV1 and H.264 are coded through PyAV, VVC through the ffmpeg that imageio-ffmpeg brings; all
are decoded through PyAV.  4:2:0, BT.709, limited range; VVC with 10 bits.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, MissingError, StreamError
from codec.mttf.colour import from_planes, to_planes
from codec.mttf.scheduling import scheduling_kept

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class IntraCodec:
    """number: on the wire (docs/mttf.md, section 3).  encoder, decoder: FFmpeg's names.  form: its
    name of the elementary stream.  worst: the largest QP (for AV1 CRF)."""

    number: int
    name: str
    encoder: str
    decoder: str
    form: str
    pixels: str
    worst: int


CODECS = {
    codec.name: codec
    for codec in (
        IntraCodec(1, "hevc", "libx265", "hevc", "hevc", "yuv420p", 51),
        IntraCodec(2, "av1", "libsvtav1", "libdav1d", "obu", "yuv420p", 63),
        IntraCodec(3, "h264", "libx264", "h264", "h264", "yuv420p", 51),
        IntraCodec(4, "vvc", "libvvenc", "vvc", "vvc", "yuv420p10le", 63),
    )
}
NUMBERS = {codec.number: codec for codec in CODECS.values()}

_BITS = {"yuv420p": 8, "yuv420p10le": 10}
_LARGEST = 2048  # pixels of a side: more is damage or an attack on memory


def encode_key(picture: Picture, name: str, qp: int) -> bytes:
    """One [S, S, 3] RGB picture, S even, as one intra frame.

    Raises InputError for a codec or QP that does not exist, MissingError where what codes it is
    not installed.
    """
    codec = CODECS.get(name)
    if codec is None:
        raise InputError(f"no key frames by {name!r}", f"Choose from {', '.join(CODECS)}.")
    if not 0 <= qp <= codec.worst:
        raise InputError(f"{name} has no QP {qp}", f"Choose one from 0 to {codec.worst}.")
    if picture.ndim != 3 or picture.shape[2] != 3 or any(n % 2 for n in picture.shape[:2]):
        raise InputError(
            f"a picture of {picture.shape} is no key frame", "Give RGB pictures of even sizes."
        )
    if name == "vvc":
        return _by_program(picture, codec, qp)
    return _by_library(picture, codec, qp)


def decode_key(data: bytes, number: int, side: int) -> Picture:
    """What `encode_key` wrote -> [side, side, 3] RGB.

    Raises StreamError for bytes that are no picture of that size by that codec.
    """
    codec = NUMBERS.get(number)
    if codec is None:
        raise StreamError(f"a key frame by the unknown codec {number}", field="codec")
    av = _av()
    try:
        context: Any = av.CodecContext.create(codec.decoder, "r")
        context.thread_count = 1
        frames = []
        for packet in [*context.parse(data), *context.parse(b""), None]:
            frames += context.decode(packet)
            if len(frames) > 1 or any(max(f.width, f.height) > _LARGEST for f in frames):
                break
    except (av.FFmpegError, EOFError, OSError, ValueError) as error:
        raise StreamError(f"a key frame does not decode ({error})", field="key frame") from None
    if len(frames) != 1 or (frames[0].width, frames[0].height) != (side, side):
        found = ", ".join(f"{f.width}x{f.height}" for f in frames) or "nothing"
        raise StreamError(
            f"a key frame of {side}x{side} was announced, {found} came", field="key frame"
        )
    bits = _BITS.get(frames[0].format.name)
    if bits is None:
        raise StreamError(f"a key frame in {frames[0].format.name}", field="key frame")
    return from_planes(frames[0].to_ndarray().astype(np.uint16), bits)


def _yuv(picture: Picture, pixels: str) -> NDArray[Any]:
    bits = _BITS[pixels]
    return to_planes(picture, bits).astype(np.uint8 if bits == 8 else np.dtype("<u2"))


def _by_library(picture: Picture, codec: IntraCodec, qp: int) -> bytes:
    options = {
        "hevc": {"preset": "slow", "x265-params": f"qp={qp}:keyint=1:info=0:log-level=none"},
        "av1": {"preset": "4", "svtav1-params": f"rc=0:crf={qp}:keyint=1:avif=1:lp=1"},
        "h264": {"preset": "veryslow", "tune": "psnr", "qp": str(qp), "x264-params": "keyint=1"},
    }[codec.name]
    av = _av()
    os.environ.setdefault("SVT_LOG", "0")  # SVT-AV1 asks only its own variable how much to say
    context: Any = av.CodecContext.create(codec.encoder, "w")
    context.height, context.width = picture.shape[:2]
    context.pix_fmt, context.time_base = codec.pixels, Fraction(1, 25)
    context.framerate, context.options, context.thread_count = Fraction(25), options, 1
    frame: Any = av.VideoFrame.from_ndarray(_yuv(picture, codec.pixels), format=codec.pixels)
    frame.pts, frame.time_base = 0, context.time_base
    try:
        with scheduling_kept():
            packets = [*context.encode(frame), *context.encode(None)]
    except av.FFmpegError as error:
        raise MissingError(
            f"{codec.encoder} does not code this key frame ({error})", "Choose another key codec."
        ) from None
    return b"".join(bytes(packet) for packet in packets)


def _by_program(picture: Picture, codec: IntraCodec, qp: int) -> bytes:
    program = _program()
    if program is None:
        raise MissingError(
            "VVC key frames need imageio-ffmpeg.", "pip install imageio-ffmpeg, or choose hevc."
        )
    height, width = picture.shape[:2]
    planes = _yuv(picture, codec.pixels)
    done = subprocess.run(
        [
            *(program, "-hide_banner", "-loglevel", "error", "-f", "rawvideo"),
            *("-pix_fmt", codec.pixels, "-s", f"{width}x{height}", "-r", "25", "-i", "-"),
            *("-c:v", codec.encoder, "-preset", "medium", "-qp", str(qp), "-threads", "1"),
            *("-frames:v", "1", "-f", codec.form, "-"),
        ],
        input=planes.tobytes(),
        capture_output=True,
        check=False,
    )
    if done.returncode or not done.stdout:
        words = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise MissingError(
            f"{codec.encoder} failed: {' '.join(words)}", "Choose another key codec."
        )
    return done.stdout


def _program() -> str | None:
    try:
        import imageio_ffmpeg
    except ImportError:
        return None
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise MissingError(
            "PyAV, which codes key frames, is not installed.", "pip install 'facewire[send]'"
        ) from None
    return av

"""Pictures by a classic codec: RGB to an elementary stream and back.

HEVC, AV1 and H.264 are coded through PyAV, VVC through the ffmpeg that imageio-ffmpeg brings; all
are decoded through PyAV.  4:2:0, BT.709, limited range; VVC with 10 bits.  One picture is coded
intra; several follow one another with low delay, each predicted from those before it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
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
class ClassicCodec:
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
        ClassicCodec(1, "hevc", "libx265", "hevc", "hevc", "yuv420p", 51),
        ClassicCodec(2, "av1", "libsvtav1", "libdav1d", "obu", "yuv420p", 63),
        ClassicCodec(3, "h264", "libx264", "h264", "h264", "yuv420p", 51),
        ClassicCodec(4, "vvc", "libvvenc", "vvc", "vvc", "yuv420p10le", 63),
    )
}
NUMBERS = {codec.number: codec for codec in CODECS.values()}

_BITS = {"yuv420p": 8, "yuv420p10le": 10}
_LARGEST = 2048  # pixels of a side: more is damage or an attack on memory


def encode_pictures(pictures: Sequence[Picture], name: str, qp: int) -> bytes:
    """Pictures [H, W, 3] RGB of one even size as one stream.

    Raises InputError for a codec or QP that does not exist and for VVC of several pictures,
    MissingError where what codes them is not installed.
    """
    codec = CODECS.get(name)
    if codec is None:
        raise InputError(f"no pictures by {name!r}", f"Choose from {', '.join(CODECS)}.")
    if not 0 <= qp <= codec.worst:
        raise InputError(f"{name} has no QP {qp}", f"Choose one from 0 to {codec.worst}.")
    shape = pictures[0].shape
    if len(shape) != 3 or shape[2] != 3 or any(n % 2 for n in shape[:2]):
        raise InputError(f"a picture of {shape} cannot be coded", "Give RGB of even sizes.")
    if any(picture.shape != shape for picture in pictures):
        raise InputError("pictures of several sizes are no stream", "Give one size.")
    if name == "vvc":
        if len(pictures) > 1:
            raise InputError("vvc codes single pictures here", "Choose av1 or hevc.")
        return _by_program(pictures[0], codec, qp)
    return _by_library(pictures, codec, qp)


def decode_pictures(
    data: bytes, number: int, side: int, count: int, what: str = "key frame"
) -> Iterator[Picture]:
    """What `encode_pictures` wrote -> `count` pictures [side, side, 3] RGB, as they are needed.

    what: its name in messages.  Raises StreamError for bytes that are not so many pictures of
    that size by that codec; the last one is given only when no other comes behind it.
    """
    codec = NUMBERS.get(number)
    if codec is None:
        raise StreamError(f"a {what} by the unknown codec {number}", field="codec")
    announced = f"{count} of {side}x{side}" if count > 1 else f"{side}x{side}"
    found, last = 0, None
    for frame in _frames(data, codec, what):
        fits = (frame.width, frame.height) == (side, side)
        if not fits or found == count:
            came = f"{frame.width}x{frame.height}" if not fits else "more"
            raise StreamError(f"a {what} of {announced} was announced, {came} came", field=what)
        if last is not None:
            yield _picture(last, what)
        found, last = found + 1, frame
    if last is None or found < count:
        came = f"{found}" if found else "nothing"
        raise StreamError(f"a {what} of {announced} was announced, {came} came", field=what)
    yield _picture(last, what)


def _frames(data: bytes, codec: ClassicCodec, what: str) -> Iterator[Any]:
    av = _av()
    try:
        context: Any = av.CodecContext.create(codec.decoder, "r")
        context.thread_count = 1
        for packet in [*context.parse(data), *context.parse(b""), None]:
            for frame in context.decode(packet):
                yield frame
                if max(frame.width, frame.height) > _LARGEST:
                    return
    except (av.FFmpegError, EOFError, OSError, ValueError) as error:
        raise StreamError(f"a {what} does not decode ({error})", field=what) from None


def _picture(frame: Any, what: str) -> Picture:
    bits = _BITS.get(frame.format.name)
    if bits is None:
        raise StreamError(f"a {what} in {frame.format.name}", field=what)
    return from_planes(frame.to_ndarray().astype(np.uint16), bits)


def _yuv(picture: Picture, pixels: str) -> NDArray[Any]:
    bits = _BITS[pixels]
    return to_planes(picture, bits).astype(np.uint8 if bits == 8 else np.dtype("<u2"))


def _options(codec: ClassicCodec, qp: int, single: bool) -> dict[str, str]:
    """Of several pictures the first alone is intra, and none waits for those behind it."""
    every = "1" if single else "-1"
    if codec.name == "av1":
        delay = "" if single else ":pred-struct=1"
        form = f"rc=0:crf={qp}:keyint={every}:avif={int(single)}:lp=1{delay}"
        return {"preset": "4", "svtav1-params": form}
    if codec.name == "hevc":
        delay = "" if single else ":scenecut=0:bframes=0:rc-lookahead=0:frame-threads=1"
        form = f"qp={qp}:keyint={every}:info=0:log-level=none{delay}"
        return {"preset": "slow", "x265-params": form}
    delay = "" if single else ":scenecut=0:bframes=0:rc-lookahead=0:sync-lookahead=0"
    form = f"keyint={'1' if single else 'infinite'}{delay}"
    return {"preset": "veryslow", "tune": "psnr", "qp": str(qp), "x264-params": form}


def _by_library(pictures: Sequence[Picture], codec: ClassicCodec, qp: int) -> bytes:
    av = _av()
    os.environ.setdefault("SVT_LOG", "0")  # SVT-AV1 asks only its own variable how much to say
    context: Any = av.CodecContext.create(codec.encoder, "w")
    context.height, context.width = pictures[0].shape[:2]
    context.pix_fmt, context.time_base = codec.pixels, Fraction(1, 25)
    context.framerate, context.thread_count = Fraction(25), 1
    context.options = _options(codec, qp, len(pictures) == 1)
    packets: list[Any] = []
    try:
        with scheduling_kept():
            for index, picture in enumerate(pictures):
                planes = _yuv(picture, codec.pixels)
                frame: Any = av.VideoFrame.from_ndarray(planes, format=codec.pixels)
                frame.pts, frame.time_base = index, context.time_base
                packets += context.encode(frame)
            packets += context.encode(None)
    except av.FFmpegError as error:
        raise MissingError(
            f"{codec.encoder} does not code this picture ({error})", "Choose another codec."
        ) from None
    return b"".join(bytes(packet) for packet in packets)


def _by_program(picture: Picture, codec: ClassicCodec, qp: int) -> bytes:
    program = _program()
    if program is None:
        raise MissingError(
            "VVC needs imageio-ffmpeg.", "pip install imageio-ffmpeg, or choose hevc."
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
        raise MissingError(f"{codec.encoder} failed: {' '.join(words)}", "Choose another codec.")
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
            "PyAV, which codes pictures, is not installed.", "pip install 'facewire[send]'"
        ) from None
    return av

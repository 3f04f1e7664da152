"""The head of a stream (docs/bitstream.md, section 3.1)."""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from avatar.errors import InputError, VersionError
from avatar.face import GROUPS, StateLayout, Window
from codec.bits import ByteReader, varint

MAGIC = b"\x93FWS"
VERSION = 1
PROFILE_FILE = 0  # section 3.1: contexts follow all frames since the last key
PROFILE_CALL = 1  # contexts follow an acknowledged state
CODEC_AVATAR = 0  # section 3.1: codec ids
CODEC_LOSSLESS16 = 1
CODEC_MTTF = 2  # the fallback: docs/mttf.md
CODEC_NAMES = {CODEC_AVATAR: "avatar", CODEC_LOSSLESS16: "lossless16", CODEC_MTTF: "mttf"}
DIGEST = 16  # bytes of the avatar's SHA-256 on the wire
MAX_HEADER = 1 << 16
MAX_BETWEEN = 255
MAX_QUALITIES = 15  # section 3.1: beside the header's own

_WINDOW = struct.Struct("<fff")
_HAS_WINDOW, _HAS_AUDIO, _HAS_METADATA, _HAS_BETWEEN, _HAS_QUALITIES = 1, 2, 4, 8, 16


@dataclass(frozen=True)
class StreamHeader:
    """What a stream says of itself.

    digest: the avatar's, 16 bytes.  quality: in 1/256 (section 5).  rate: frames a second as a
    fraction, the clock that regular frames tick by; rounding: of its ticks to microseconds,
    0 down, 1 nearest, 2 up.  audio: the audio codec's own header (OpusHead), None without audio.
    between: ticks between two frames that carry none (section 8.8).  coarser: other qualities
    that a call may go over to, rising from `quality` (section 10.9).
    """

    digest: bytes
    layout: StateLayout = StateLayout()
    quality: int = 256
    rate: tuple[int, int] = (25, 1)
    rounding: int = 0
    window: Window | None = None
    audio: bytes | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    profile: int = PROFILE_FILE
    codec: int = CODEC_AVATAR
    between: int = 0
    coarser: tuple[int, ...] = ()

    @property
    def qualities(self) -> tuple[int, ...]:
        """All that the stream may have, the finest first."""
        return (self.quality, *self.coarser)

    @property
    def crc(self) -> int:
        """The header's checksum, from which the chunks' checksums go on (section 3.3)."""
        return int.from_bytes(bytes(self)[-4:], "little")

    @classmethod
    def parse(cls, data: bytes) -> tuple[StreamHeader, int]:
        """The header at the start of `data`, and its length in bytes."""
        outer = ByteReader(data, "stream header")
        if outer.take(min(4, outer.left), "magic") != MAGIC[: len(data)] or not data:
            raise outer.fail("not a .fw stream", "magic", 0)
        outer.at = min(4, len(data))
        version = outer.integer(1, "version")
        body = ByteReader(outer.blob("header length", MAX_HEADER), "stream header")
        start = body.base = outer.at - body.left
        crc = zlib.crc32(data[: outer.at])
        if outer.integer(4, "header checksum") != crc:
            raise outer.fail("the checksum does not fit", "header checksum", outer.at - 4)
        if version > VERSION:
            raise VersionError(
                f"stream: written in format {version}; this Facewire reads up to {VERSION}",
                "Update Facewire: pip install --upgrade facewire",
            )
        if version != VERSION:
            raise outer.fail(f"version {version} does not exist", "version", 4)
        return cls._body(body, start), outer.at

    @classmethod
    def _body(cls, reader: ByteReader, start: int) -> StreamHeader:
        profile = reader.integer(1, "profile")
        codec = reader.integer(1, "codec")
        flags = reader.integer(1, "flags")
        if profile > PROFILE_CALL or codec not in CODEC_NAMES or flags > 31:
            raise VersionError(
                f"stream: profile {profile}, codec {codec}, flags {flags} are unknown",
                "Update Facewire: pip install --upgrade facewire",
            )
        digest = reader.take(DIGEST, "avatar digest")
        widths = [reader.integer(1, f"layout.{name}") for name in GROUPS]
        layout = StateLayout(*widths)
        if layout.width == 0:
            raise reader.fail("a layout without numbers", "layout")
        quality = reader.integer(2, "quality")
        if quality == 0:
            raise reader.fail("quality is 0", "quality", reader.at - 2)
        rate = (reader.varint("rate", 1 << 32), reader.varint("rate", 1 << 32))
        rounding = reader.integer(1, "rounding")
        if 0 in rate or rounding > 2:
            raise reader.fail(f"rate {rate}, rounding {rounding}", "rate")
        window = audio = None
        metadata: dict[str, Any] = {}
        if flags & _HAS_WINDOW:
            left, top, side = _WINDOW.unpack(reader.take(_WINDOW.size, "window"))
            size = reader.varint("window", 1 << 20), reader.varint("window", 1 << 20)
            if not (math.isfinite(left) and math.isfinite(top) and math.isfinite(side)):
                raise reader.fail("the window is not finite", "window")
            window = Window(left, top, side, *size)
        if flags & _HAS_AUDIO:
            audio = reader.blob("audio header", MAX_HEADER)
        if flags & _HAS_METADATA:
            metadata = _metadata(reader)
        between = reader.integer(1, "between") if flags & _HAS_BETWEEN else 0
        if flags & _HAS_BETWEEN and (between == 0 or profile == PROFILE_CALL):
            raise reader.fail(f"{between} pictures between frames", "between", reader.at - 1)
        coarser: list[int] = []
        if flags & _HAS_QUALITIES:
            at = reader.at
            coarser = [
                reader.integer(2, "qualities") for _ in range(reader.integer(1, "qualities"))
            ]
            fits = profile == PROFILE_CALL and codec == CODEC_AVATAR
            if not (coarser and fits and _rising(quality, coarser)):
                raise reader.fail(f"qualities {coarser} after {quality}", "qualities", at)
        # Section 3.7: bytes that follow are of a later minor extension, checked and skipped.
        return cls(
            digest,
            layout,
            quality,
            rate,
            rounding,
            window,
            audio,
            metadata,
            profile,
            codec,
            between,
            tuple(coarser),
        )

    def __bytes__(self) -> bytes:
        flags = 0
        tail = b""
        if self.window is not None:
            w = self.window
            flags |= _HAS_WINDOW
            tail += _WINDOW.pack(w.left, w.top, w.side) + varint(w.width) + varint(w.height)
        if self.audio is not None:
            flags |= _HAS_AUDIO
            tail += varint(len(self.audio)) + self.audio
        if self.metadata:
            flags |= _HAS_METADATA
            text = _metadata_bytes(self.metadata)
            tail += varint(len(text)) + text
        if self.between:
            flags |= _HAS_BETWEEN
            tail += bytes([self.between])
        if self.coarser:
            flags |= _HAS_QUALITIES
            tail += bytes([len(self.coarser)])
            tail += b"".join(quality.to_bytes(2, "little") for quality in self.coarser)
        body = bytes([self.profile, self.codec, flags]) + self.digest
        body += bytes(getattr(self.layout, name) for name in GROUPS)
        body += self.quality.to_bytes(2, "little")
        body += varint(self.rate[0]) + varint(self.rate[1]) + bytes([self.rounding]) + tail
        data = MAGIC + bytes([VERSION]) + varint(len(body)) + body
        return data + zlib.crc32(data).to_bytes(4, "little")

    def __post_init__(self) -> None:
        if len(self.digest) != DIGEST or not 1 <= self.quality <= 65535:
            raise InputError(
                f"stream header: a digest of {len(self.digest)} bytes, quality {self.quality}/256",
                f"A digest has {DIGEST} bytes; quality lies between 1/256 and 255.",
            )
        if not 0 <= self.between <= (0 if self.profile == PROFILE_CALL else MAX_BETWEEN):
            raise InputError(
                f"stream header: {self.between} pictures between two frames",
                f"Up to {MAX_BETWEEN} fit in a file, none in a call.",
            )
        if self.coarser and not (
            self.profile == PROFILE_CALL
            and self.codec == CODEC_AVATAR
            and _rising(self.quality, self.coarser)
        ):
            raise InputError(
                f"stream header: the qualities {self.coarser} beside {self.quality}",
                f"A call can have up to {MAX_QUALITIES} coarser ones, rising, below 65536.",
            )
        if any(getattr(self.layout, name) > 255 for name in GROUPS):
            raise InputError("stream header: a group of a state holds at most 255 numbers")


def _rising(first: int, rest: Sequence[int]) -> bool:
    steps = zip((first, *rest), rest)
    return len(rest) <= MAX_QUALITIES and all(a < b <= 65535 for a, b in steps)


def _metadata(reader: ByteReader) -> dict[str, Any]:
    at = reader.at
    try:
        value = json.loads(reader.blob("metadata", MAX_HEADER).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise reader.fail("metadata is not JSON", "metadata", at) from error
    if not isinstance(value, dict):
        raise reader.fail("metadata is not a JSON object", "metadata", at)
    return value


def _metadata_bytes(metadata: dict[str, Any]) -> bytes:
    try:
        text = json.dumps(metadata, allow_nan=False, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise InputError(f"stream metadata is not JSON: {error}") from error
    data = text.encode("utf-8")
    if len(data) > MAX_HEADER // 2:
        raise InputError(f"stream metadata takes {len(data)} bytes; at most {MAX_HEADER // 2} fit")
    return data

"""Pictures to key frames and motion vectors.

    Encoder(runtime, statistics, settings).encode(picture, time, mesh) -> vectors

Restores key frames where it is given a `Recovery`.

Dynamic key frames after A. Tang et al.: the sender runs the receiver's generator, at the smallest
resolution, and where it no longer explains the picture it goes back to a better key frame or sends
another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import StateStatistics
from avatar.errors import InputError
from codec.header import CODEC_MTTF, DIGEST, StreamHeader
from codec.mttf.classic import CODECS
from codec.mttf.keyframe import decode_key, encode_key
from codec.mttf.network import Held
from codec.mttf.packet import SLOTS, KeyFrame, Reference
from codec.mttf.recovery import Recovery
from codec.mttf.reduced import reduced
from codec.mttf.runtime import Mesh, Runtime
from codec.mttf.vectors import layout_of
from codec.quantize import Quantizer

Picture = NDArray[np.uint8]
_SHARE = 0.75  # of ten seconds' key frames in the first: motion is known well, sharpness is not
_TRIES = 4  # QPs that are tried for a key frame of the wished size


@dataclass(frozen=True)
class EncoderSettings:
    """side: pixels coded.  key_codec: of `classic.CODECS`.  qp: None chooses it by the rate.
    kbps: that key frames may make of the rate, over any ten seconds.  patience: how many times
    the error just after a key frame is borne before a better one is looked for.  quality: of the
    vectors' steps, in 1/256.  slots: key frames that are held, to go back to.  lookback: frames of
    a recording that the next key frame may be mixed into (`recording.Recorder`); 0 is none."""

    side: int = 256
    key_codec: str = "av1"
    qp: int | None = None
    kbps: float = 3.0
    patience: float = 1.3
    quality: int = 256
    slots: int = SLOTS
    lookback: int = 250


def stream_header(digest: str, numbers: int, quality: int) -> StreamHeader:
    """What a fallback stream's header says at the least; the caller adds rate, window, sound."""
    return StreamHeader(
        digest=bytes.fromhex(digest)[:DIGEST],
        layout=layout_of(numbers),
        quality=quality,
        codec=CODEC_MTTF,
    )


@dataclass(frozen=True)
class Seen:
    """A frame as the sender saw it.  small: the picture at the smallest resolution.  made: what a
    receiver shows.  rounded: its vectors as they are sent."""

    small: Picture
    made: Picture
    rounded: NDArray[np.float32]

    @property
    def error(self) -> float:
        """Mean |difference| in 0 .. 1."""
        return float(np.abs(self.made.astype(np.int16) - self.small).mean()) / 255


@dataclass(frozen=True)
class _Given:
    """What there is to send of a frame: number `frame`, its mesh if a face is seen in it."""

    frame: int
    picture: Picture
    small: Picture
    rounded: NDArray[np.float32]
    mesh: Mesh | None


class Encoder:
    """Takes pictures one by one; `chunks` fills with what is sent beside the vectors.

    seen: the last frame.
    """

    seen: Seen

    def __init__(
        self,
        runtime: Runtime,
        statistics: StateStatistics,
        settings: EncoderSettings = EncoderSettings(),
        recovery: Recovery | None = None,
    ) -> None:
        """Raises InputError for settings that nothing can be coded with."""
        if settings.key_codec not in CODECS:
            raise InputError(
                f"no key frames by {settings.key_codec!r}", f"Choose from {', '.join(CODECS)}."
            )
        runtime.settings.samplings(settings.side)  # raises for a side that cannot be coded
        self.settings = settings
        self.chunks: list[KeyFrame | Reference] = []
        self.errors: list[float] = []
        self._runtime, self._recovery = runtime, recovery
        self._quantizer = Quantizer(statistics, settings.quality)
        self._mesh: Mesh | None = None  # the last one that was seen
        self._proxy = runtime.settings.sides[-1]  # at which the sender watches the generator
        self._held: dict[int, Held] = {}  # by slot, at that side
        self._used: dict[int, int] = {}  # slot -> the frame that last used it
        self._slot = 0
        self._fresh = 0.0  # the error just after the last key frame or reference
        self._paid = 0  # bytes of key frames
        self._begin = 0

    def encode(self, picture: Picture, time: int, mesh: Mesh | None = None) -> NDArray[np.float32]:
        """picture: [side, side, 3].  time: microseconds.  mesh: [482, 2] landmarks, 0 .. 1 of the
        picture; without one, the face stays where it was.  -> its vectors [D]."""
        frame = len(self.errors)
        self._mesh = self._mesh if mesh is None else mesh
        vectors = self._runtime.vectors(picture, self._mesh)
        rounded = self._quantizer.values(self._quantizer.symbols(vectors))
        given = _Given(frame, picture, reduced(picture, self._proxy), rounded, mesh)
        if frame == 0:
            self._begin = time
            self.seen = self._key(given)
        else:
            self.seen = self._watch(given, time)
        self.errors.append(self.seen.error)
        self._used[self._slot] = frame
        return vectors

    def made_from(self, slot: int, rounded: NDArray[np.float32]) -> Picture:
        """What a receiver makes of a frame's vectors and the key frame in a slot, at the smallest
        resolution."""
        return self._runtime.generate(self._held[slot], rounded)

    def _watch(self, given: _Given, time: int) -> Seen:
        seen = self._look(self._slot, given)
        limit = max(self.settings.patience * self._fresh, self._fresh + 0.006)
        if seen.error > limit:
            others = {s: self._look(s, given) for s in self._held if s != self._slot}
            best = min(others, key=lambda slot: others[slot].error, default=None)
            if best is not None and others[best].error < 0.85 * seen.error:
                self._slot, seen = best, others[best]
                self.chunks.append(Reference(given.frame, best))
            if seen.error > limit and self._affordable(time):
                return self._key(given)
        return seen

    def _affordable(self, time: int) -> bool:
        """Key frames so far, and one more like them, within the rate over the time so far and one
        key frame ahead of it."""
        count = sum(isinstance(chunk, KeyFrame) for chunk in self.chunks)
        each = self._paid / count
        return self._paid + each <= each + self.settings.kbps * 125 * (time - self._begin) * 1e-6

    def _key(self, given: _Given) -> Seen:
        codec = CODECS[self.settings.key_codec]
        data, qp = self._coded(given.picture)
        free = [s for s in range(self.settings.slots) if s not in self._held]
        slot = free[0] if free else min(self._used, key=self._used.__getitem__)
        face = self._runtime.face(given.mesh)
        key = KeyFrame(given.frame, slot, codec.number, self.settings.side, data, face=face)
        shown = decode_key(data, codec.number, self.settings.side)
        if self._recovery is not None:
            key, shown = self._recovery.measured(key, shown, given.picture, qp)
        self.chunks.append(key)
        self._paid += len(bytes(key))
        self._held[slot] = self._runtime.hold(reduced(shown, self._proxy), face)
        self._slot = slot
        seen = self._look(slot, given)
        self._fresh = seen.error
        return seen

    def _coded(self, picture: Picture) -> tuple[bytes, int]:
        """The finest key frame that takes no more than its share of ten seconds' bytes, by halving
        the interval of QPs; and its QP."""
        codec = CODECS[self.settings.key_codec]
        if self.settings.qp is not None:
            return encode_key(picture, codec.name, self.settings.qp), self.settings.qp
        most = self.settings.kbps * 1250 * _SHARE
        low, high = codec.worst // 2, codec.worst
        best, qp = b"", codec.worst
        for _ in range(_TRIES):
            middle = (low + high) // 2
            data = encode_key(picture, codec.name, middle)
            if len(data) <= most:
                best, qp, high = data, middle, middle
            else:
                low = middle + 1
        return best or encode_key(picture, codec.name, qp), qp

    def _look(self, slot: int, given: _Given) -> Seen:
        return Seen(given.small, self.made_from(slot, given.rounded), given.rounded)

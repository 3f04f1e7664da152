"""Key frames and motion vectors back to pictures.

    Decoder(runtime, stream.fallback).picture(vectors)

Restores key frames where it is given a `Recovery`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.errors import MismatchError, StreamError
from codec.chunks import Chunk
from codec.header import DIGEST
from codec.mttf.fusion import fused
from codec.mttf.layer import Base, LayerDecoder
from codec.mttf.network import Held
from codec.mttf.packet import Event, KeyFrame, Layer, Reference, SecondReference, parse
from codec.mttf.ramp import Ramp, mixed
from codec.mttf.recovery import Recovery, receive
from codec.mttf.runtime import Runtime

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Making:
    """A frame with all that it is made of, so that any thread may make it, before others or beside
    them.  now, later: key frames; share: (k, n) of `mixed`; base: the layer's picture."""

    runtime: Runtime
    vectors: NDArray[np.float32]
    now: Held
    later: Held | None = None
    share: tuple[int, int] = (0, 1)
    base: Base | None = None

    def picture(self) -> Picture:
        """[side, side, 3] RGB."""
        made = self.runtime.generate(self.now, self.vectors)
        if self.later is not None:
            made = mixed(made, self.runtime.generate(self.later, self.vectors), *self.share)
        return made if self.base is None else fused(made, self.base.picture, self.base.noise)


class Decoder:
    """Makes a stream's pictures, in order.

    chunks: the container's, of the fallback's kinds.  Raises StreamError where no key frame
    comes before a frame, or a frame is made from a slot that was never filled.

    unrestored: key frames so far that were to be restored by weights that are not here, and are
    used as they decode.
    """

    def __init__(
        self, runtime: Runtime, chunks: Sequence[Chunk], recovery: Recovery | None = None
    ) -> None:
        self.unrestored = 0
        self._runtime, self._recovery = runtime, recovery
        parsed = [parse(c.kind, c.body, c.offset) for c in chunks]
        self._events = sorted(
            (e for e in parsed if isinstance(e, KeyFrame | Reference | SecondReference)),
            key=lambda event: event.frame,
        )
        self._held: dict[int, Held] = {}
        self._now: Held | None = None
        self._next: Held | None = None  # what is mixed in
        self._ramp = Ramp(0, 0)
        self._frame = 0
        first = self._events[0] if self._events else None
        if not isinstance(first, KeyFrame) or first.frame != 0:
            raise StreamError("the stream begins without a key frame", field="key frame")
        self.side = first.side
        layers = [e for e in parsed if isinstance(e, Layer)]
        self._layers = LayerDecoder(layers, self.side)

    def next(self, vectors: NDArray[np.float32]) -> Making:
        """The next frame, of its vectors [D]."""
        while self._events and self._events[0].frame <= self._frame:
            self._take(self._events.pop(0))
        assert self._now is not None
        share, base = self._ramp.share(self._frame), self._layers.at(self._frame)
        self._frame += 1
        return Making(self._runtime, vectors, self._now, self._next, share, base)

    def picture(self, vectors: NDArray[np.float32]) -> Picture:
        """[side, side, 3] RGB of the next frame."""
        return self.next(vectors).picture()

    def pictures(self, rows: Iterable[NDArray[np.float32]]) -> Iterator[Picture]:
        return (self.picture(row) for row in rows)

    def _take(self, event: Event) -> None:
        if isinstance(event, SecondReference):
            later = next((e for e in self._events if not isinstance(e, SecondReference)), None)
            if later is None:
                raise StreamError("a second reference that nothing follows", field="frame")
            self._ramp = Ramp(event.frame, later.frame)
            self._next = self._reached(later)
            return
        self._now, self._next = self._next or self._reached(event), None
        if isinstance(event, KeyFrame):
            self._held[event.slot] = self._now

    def _reached(self, event: KeyFrame | Reference) -> Held:
        if isinstance(event, Reference):
            if event.slot not in self._held:
                raise StreamError(f"slot {event.slot} holds no key frame", field="slot")
            return self._held[event.slot]
        if event.side != self.side or event.side not in self._runtime.settings.sides:
            raise StreamError(f"a key frame of {event.side} pixels", field="side")
        received = receive(event, self._recovery)
        self.unrestored += not received.restored
        return self._runtime.hold(received.picture, event.face)


def check_digest(named: bytes, digest: str) -> None:
    """MismatchError where a stream, which names the digest's first bytes, was made with other
    weights."""
    if named != bytes.fromhex(digest)[: len(named)]:
        raise MismatchError(
            f"the stream was made with the fallback weights {named[:DIGEST].hex()}, here are "
            f"{digest[: 2 * DIGEST]}",
            "Decode it with the Facewire version that coded it, or name its weights.",
        )

"""A whole recording: what is sent for a frame may depend on those behind it.

    encode(pictures, times, runtime, statistics, settings, meshes) -> Coded

Two-sided generation (after MRDAC's use of several key frames and A. Tang et al.'s dynamic ones):
when a key frame comes, the frames since the last one are gone over again with it, and where it
serves them better it is sent for them already, mixed with the last one along a `Ramp`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import StateStatistics
from avatar.errors import InputError
from codec.mttf.encoder import Encoder, EncoderSettings, Picture, Seen
from codec.mttf.packet import Event, KeyFrame, Reference, SecondReference
from codec.mttf.ramp import Evidence, best_ramp, mixed
from codec.mttf.recovery import Recovery
from codec.mttf.runtime import Mesh, Runtime

_DEFAULT = EncoderSettings()


@dataclass(frozen=True)
class Coded:
    """vectors: [F, D] as computed, still to be quantised.  chunks: key frames and references
    in order.  errors: [F] mean |difference| in 0 .. 1 at the smallest resolution, as the sender
    saw it."""

    vectors: NDArray[np.float32]
    chunks: tuple[Event, ...]
    errors: NDArray[np.float32]


class Recorder:
    """Takes pictures one by one as `Encoder`; `chunks` is complete behind the last of them."""

    def __init__(
        self,
        runtime: Runtime,
        statistics: StateStatistics,
        settings: EncoderSettings = _DEFAULT,
        recovery: Recovery | None = None,
    ) -> None:
        """Raises as `Encoder`."""
        self._encoder = Encoder(runtime, statistics, settings, recovery)
        self._past: list[Seen] = []  # since the last key frame, that one's own not among them
        self._known = 0  # of the encoder's chunks
        self.chunks: list[Event] = []
        self.errors: list[float] = []

    def encode(self, picture: Picture, time: int, mesh: Mesh | None = None) -> NDArray[np.float32]:
        """As `Encoder.encode`."""
        vectors = self._encoder.encode(picture, time, mesh)
        new = self._encoder.chunks[self._known :]
        self._known += len(new)
        if new:
            self._turn(new[-1])  # one that was named and replaced at once served no frame
        else:
            self._past.append(self._encoder.seen)
            del self._past[: -self._encoder.settings.lookback or None]
        self.errors.append(self._encoder.seen.error)
        return vectors

    def _turn(self, event: KeyFrame | Reference) -> None:
        """From `event` on frames are made from another key frame."""
        past, self._past = self._past, []
        begin = event.frame - len(past)
        made = [self._encoder.made_from(event.slot, seen.rounded) for seen in past]
        pictures, first = [seen.small for seen in past], [seen.made for seen in past]
        ramp = best_ramp(Evidence.of(pictures, first, made))
        if ramp is not None:
            for index in range(ramp.start, len(past)):
                shown = mixed(first[index], made[index], *ramp.share(index))
                self.errors[begin + index] = replace(past[index], made=shown).error
            if ramp.start < ramp.end:
                self.chunks.append(SecondReference(begin + ramp.start))
            event = replace(event, frame=begin + ramp.end)
        self.chunks.append(event)


def encode(
    pictures: Iterable[Picture],
    times: Sequence[int],
    runtime: Runtime,
    statistics: StateStatistics,
    settings: EncoderSettings = _DEFAULT,
    progress: Callable[[float, float], None] | None = None,
    recovery: Recovery | None = None,
    meshes: Iterable[Mesh | None] | None = None,
) -> Coded:
    """All of a recording: pictures [side, side, 3], times in microseconds, a mesh a picture."""
    recorder = Recorder(runtime, statistics, settings, recovery)
    rows = []
    seen = repeat(None) if meshes is None else meshes
    for picture, time, mesh in zip(pictures, times, seen):
        rows.append(recorder.encode(picture, time, mesh))
        if progress:
            progress(len(rows), len(times))
    if not rows:
        raise InputError("there are no pictures to code", "Give at least one.")
    return Coded(np.stack(rows), tuple(recorder.chunks), np.array(recorder.errors, np.float32))

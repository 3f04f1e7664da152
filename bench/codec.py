"""What a codec is to the lab: a clip and an operating point in; frames and every byte out.

Ours and a stranger's come through the same door, so that all see the same frames and are judged
by the same figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, MismatchError, MissingError
from avatar.face import Window
from bench.accounting import Account


@dataclass(frozen=True)
class Material:
    """Where a clip's frames come from, for codecs that need more than the frames.

    judged: the video whose frames are judged; window: the square of it that they show; times: [F]
    int64 us, on its clock, of the frames.  enrolled: the video of the same person that may be
    learned from.  avatar: learned from it, and track: of the judged video as that avatar's person
    (`avatar.track_file`).  tracking: seconds that the track took, for each second of the video.
    """

    judged: Path
    window: Window
    times: NDArray[np.int64]
    enrolled: Path | None = None
    avatar: Path | None = None
    track: Path | None = None
    tracking: float = 0.0


@dataclass(frozen=True)
class Clip:
    """frames: [F, H, W, 3] RGB uint8 at an even rate of fps a second."""

    name: str
    frames: NDArray[np.uint8]
    fps: float = 25.0
    material: Material | None = None

    def __post_init__(self) -> None:
        frames = self.frames
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not frames.size:
            raise InputError(
                f"{self.name}: frames of shape {frames.shape}, {frames.dtype} are no clip",
                "Give frames [F, H, W, 3] uint8, at least one.",
            )
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"{self.name} has no rate of {self.fps} frames a second", "Give one.")

    @property
    def seconds(self) -> float:
        return len(self.frames) / self.fps


@dataclass(frozen=True)
class Outcome:
    """parts: bytes by what they are for, nothing left out.  frames: [F, H, W, 3] as shown at the
    receiver, as many and as large as the clip's.  settings: what a reader needs to repeat it.
    packets: in how many the bytes are sent; None for one a frame.  archive: bytes that the
    receiver needs once, before the first call.  Times are seconds, None where not taken.  kmac:
    thousand multiply-accumulates of the receiver for each pixel shown, None where not counted."""

    parts: Mapping[str, int]
    frames: NDArray[np.uint8]
    settings: str = ""
    packets: int | None = None
    archive: int = 0
    encode_seconds: float | None = None
    decode_seconds: float | None = None
    kmac: float | None = None

    def account(self, clip: Clip) -> Account:
        packets = len(clip.frames) if self.packets is None else self.packets
        return Account(dict(self.parts), packets, clip.seconds, self.archive)


@runtime_checkable
class Codec(Protocol):
    """name: short, as the command line has it.  title: as tables have it.  points: operating
    points, whatever number sets its quality, from the cheapest to the best.

    A codec may also have `family`, the name under which its variants share one convex hull (its
    own name where it has none), `reduced`, True for a variant that codes fewer pixels or frames,
    `rate_counts`, False for one that sends nothing, and `needs_avatar`, True for one whose result
    depends on the clip's avatar."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def points(self) -> tuple[float, ...]: ...

    def missing(self) -> str:
        """Nothing ("") where it can run here, else what it needs ("needs FILE")."""

    def code(self, clip: Clip, point: float) -> Outcome:
        """The whole clip to bytes and back.  May raise anything; the run records it."""


@dataclass(frozen=True)
class Unavailable:
    """A codec that is known by name only."""

    name: str
    title: str
    needs: str
    points: tuple[float, ...] = ()

    def missing(self) -> str:
        return self.needs

    def code(self, clip: Clip, point: float) -> Outcome:
        raise MissingError(f"{self.title} {self.needs}", "See `facewire bench list`.")


def family_of(codec: Codec) -> str:
    """The name that its variants share."""
    return str(getattr(codec, "family", codec.name))


def run_point(codec: Codec, clip: Clip, point: float) -> Outcome:
    """One clip at one point, held to the rules: every frame back, of its size, and whole bytes.

    Raises MissingError where the codec cannot run here, MismatchError where it breaks a rule, and
    whatever the codec raises.
    """
    if needs := codec.missing():
        raise MissingError(f"{codec.title} {needs}", "See `facewire bench list`.")
    outcome = codec.code(clip, point)
    frames = outcome.frames
    if frames.shape != clip.frames.shape or frames.dtype != np.uint8:
        raise MismatchError(
            f"{codec.title} gave frames {frames.shape}, {frames.dtype} back for "
            f"{clip.frames.shape}, uint8",
            "A codec returns every frame, of the clip's size; repeat the last one if need be.",
        )
    outcome.account(clip)  # refuses parts that are no bytes
    return outcome

"""What a codec is to the lab: a clip and an operating point in; frames and every byte out.

Ours and a stranger's come through the same door, so that all see the same frames and are judged
by the same figures.  `codecs()` lists the classic ones and those that plug-ins bring.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, MismatchError, MissingError
from bench.accounting import Account
from bench.classic import ENCODERS, ClassicSettings, code
from bench.ffmpeg import missing_in_ffmpeg
from bench.plugins import CODECS, plugins
from render.lanczos import lanczos

REDUCTIONS = {1: "", 2: "-half", 4: "-quarter"}  # by how much each side shrinks before coding


@dataclass(frozen=True)
class Clip:
    """frames: [F, H, W, 3] RGB uint8 at an even rate of fps a second."""

    name: str
    frames: NDArray[np.uint8]
    fps: float = 25.0

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
    receiver needs once, before the first call.  Times are seconds, None where not taken."""

    parts: Mapping[str, int]
    frames: NDArray[np.uint8]
    settings: str = ""
    packets: int | None = None
    archive: int = 0
    encode_seconds: float | None = None
    decode_seconds: float | None = None

    def account(self, clip: Clip) -> Account:
        packets = len(clip.frames) if self.packets is None else self.packets
        return Account(dict(self.parts), packets, clip.seconds, self.archive)


@runtime_checkable
class Codec(Protocol):
    """name: short, as the command line has it.  title: as tables have it.  points: operating
    points, whatever number sets its quality, from the cheapest to the best."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def points(self) -> tuple[float, ...]: ...

    def missing(self) -> str:
        """"" where it can run here, else what it needs ("needs FILE")."""

    def code(self, clip: Clip, point: float) -> Outcome:
        """The whole clip to bytes and back.  May raise anything; the run records it."""


@dataclass(frozen=True)
class Classic:
    """A codec of ffmpeg, one key frame and low delay; `reduction` times smaller each way and
    scaled back by Lanczos, which at a few kbit/s is often the better way to spend them."""

    name: str
    title: str
    points: tuple[float, ...]
    encoder: str  # a key of bench.classic.ENCODERS
    reduction: int = 1
    preset: str | None = None

    def missing(self) -> str:
        library = ENCODERS[self.encoder].arguments
        return missing_in_ffmpeg("encoders", library[library.index("-c:v") + 1])

    def code(self, clip: Clip, point: float) -> Outcome:
        if point != int(point):
            raise InputError(f"{self.title} has no quantiser {point}", "Choose a whole number.")
        height, width = clip.frames.shape[1:3]
        small = [
            lanczos(frame, max(1, width // self.reduction), max(1, height // self.reduction))
            for frame in clip.frames
        ]
        settings = ClassicSettings(self.encoder, int(point), clip.fps, self.preset)
        coded = code(small, settings)
        encoder = ENCODERS[self.encoder]
        said = f"{encoder.quantiser} {int(point)} {' '.join(encoder.arguments)}"
        return Outcome(
            {"stream": len(coded.data)},
            np.stack([lanczos(frame, width, height) for frame in coded.frames]),
            said.replace("{preset}", self.preset or encoder.preset).replace("{beyond}", "never"),
            encode_seconds=coded.encode_seconds,
            decode_seconds=coded.decode_seconds,
        )


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


_POINTS = {
    "vvc": (52.0, 47.0, 42.0, 37.0, 32.0),
    "av1": (63.0, 58.0, 52.0, 45.0, 38.0),
    "hevc": (51.0, 46.0, 41.0, 36.0, 31.0),
}


def codecs() -> dict[str, Codec]:
    """By name: the classic ones at three sizes, then plug-ins.  A plug-in cannot take the name
    of a codec that is here; a broken one is listed with what it needs."""
    known: dict[str, Codec] = {}
    for key, encoder in ENCODERS.items():
        for reduction, ending in REDUCTIONS.items():
            title = f"{encoder.name}{' at 1/' + str(reduction) if reduction > 1 else ''}"
            points = _POINTS.get(key, (float(encoder.worst),))
            known[key + ending] = Classic(key + ending, title, points, key, reduction)
    for plugin in plugins(CODECS, Codec):
        one: Codec = plugin.value
        if plugin.value is None:
            one = Unavailable(plugin.name, plugin.name, plugin.fault)
        elif one.name in known:
            needs = f"needs another name than {one.name}, which is taken"
            one = Unavailable(plugin.name, one.title, needs)
        known.setdefault(one.name, one)
    return known


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

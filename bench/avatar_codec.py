"""Ours as the lab runs it: the judged video's track, coded by the sender, drawn by the receiver.

The clip is tracked once for all points, and refined once for all points of one effort, and each
point's encoding time has its share of both; coding, bytes and pictures are those of `facewire
encode` and `facewire decode`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avatar.avatar import Avatar
from avatar.errors import InputError, StreamError
from avatar.face import FaceStates
from bench.avatar_coders import Coder, by_call, by_order_0, by_stream
from bench.codec import Clip, Material, Outcome
from codec.header import CODEC_AVATAR, CODEC_LOSSLESS16, DIGEST, StreamHeader
from codec.quantize import COARSEST, FINEST, QUALITY_ONE
from codec.timing import rate_of
from service.surroundings import SAME, Surroundings

if TYPE_CHECKING:
    from service.receiver import Renderer


@dataclass(frozen=True)
class AvatarCodec:
    """points: the quantiser's steps (`facewire encode --quality`), 1 being those measured at
    enrolment.  skip, effort, lossless and embedding are the options of `facewire encode`
    (`service.sender.SenderSettings`)."""

    name: str
    title: str
    points: tuple[float, ...]
    skip: int = 0
    effort: int = 0
    lossless: bool = False
    embedding: bool = True
    coder: Coder = by_stream
    family: str = "avatar"
    needs_avatar: bool = True

    @property
    def reduced(self) -> bool:
        return self.skip > 0

    def missing(self) -> str:
        from importlib.util import find_spec

        lacking = [name for name in ("torch", "nerfacc", "mediapipe") if find_spec(name) is None]
        return f"needs pip install 'facewire[enroll]' ({', '.join(lacking)})" if lacking else ""

    def code(self, clip: Clip, point: float) -> Outcome:
        """The point is a quantiser step.  Raises InputError where the clip has no avatar."""
        from avatar.archive import read_avatar
        from service.paper import drawable
        from service.receiver import Renderer
        from service.view import View

        material = clip.material
        if material is None or material.avatar is None or material.track is None:
            raise InputError(
                f"{clip.name} has no avatar",
                "Let the run enrol one (--hold-out 10s), or name one: --avatar CLIP=FILE",
            )
        avatar = read_avatar(material.avatar)
        found = self._sent(avatar, material, clip.seconds)
        states, looked = found.states, found.load
        header = self._header(states, avatar, material, point)
        carried = self.coder(states, avatar, header, found.place)
        height, width = clip.frames.shape[1:3]
        renderer = Renderer(carried.surroundings.around(avatar), View(width, height))
        # The last frame sent stands for as many pictures as any other.
        rows = drawable(carried.states, avatar).values[: len(clip.frames)]
        kmac = _products(renderer, rows[0]) / (width * height * 1e3)
        start = time.perf_counter()
        shown = np.stack(list(renderer.pictures(rows)))
        drawn = time.perf_counter() - start
        if len(shown) != len(clip.frames):
            raise StreamError(f"{len(shown)} pictures came back of {len(clip.frames)}")
        return Outcome(
            carried.parts,
            shown,
            self._said(header.layout.width, point),
            packets=carried.packets,
            archive=material.avatar.stat().st_size,
            encode_seconds=_sum(looked, carried.encode_seconds),
            decode_seconds=_sum(drawn, carried.decode_seconds),
            kmac=kmac,
        )

    def _sent(self, avatar: Avatar, material: Material, seconds: float) -> _Searched:
        """What is sent, at the judged frames' times; load: of all of so long a clip, tracking and
        search."""
        from avatar.track_file import read_track
        from service.paper import expressions_of, paper_states
        from service.resample import resampled

        assert material.track is not None and material.avatar is not None
        if self.embedding:
            found = _searched(
                material.avatar, material.track, material.judged, self.effort, self._recorded
            )
        else:
            found = _Searched(expressions_of(read_track(material.track), avatar), SAME, 0.0)
        states = resampled(found.states, material.times)
        states = paper_states(states) if self.lossless else states
        return _Searched(states, found.place, (material.tracking + found.load) * seconds)

    @property
    def _recorded(self) -> bool:
        """Whether frames may learn from later ones, as in a file and not in a call."""
        return not self.lossless and self.coder is not by_call

    def _header(
        self, states: FaceStates, avatar: Avatar, material: Material, point: float
    ) -> StreamHeader:
        """As `facewire encode` writes it."""
        if not FINEST <= point * QUALITY_ONE <= COARSEST:
            raise InputError(
                f"{self.title} has no quantiser step {point:g}",
                f"Choose one from {FINEST / QUALITY_ONE:g} to {COARSEST / QUALITY_ONE:g}.",
            )
        rate, rounding = rate_of(states.time)
        return StreamHeader(
            digest=bytes.fromhex(avatar.digest)[:DIGEST],
            layout=states.layout,
            quality=QUALITY_ONE if self.lossless else round(QUALITY_ONE * point),
            rate=rate,
            rounding=rounding,
            window=material.window,
            codec=CODEC_LOSSLESS16 if self.lossless else CODEC_AVATAR,
            between=self.skip,
        )

    def _said(self, numbers: int, point: float) -> str:
        if self.lossless:
            return f"{numbers} numbers a frame, 16-bit floats, coded without loss"
        effort = f", effort {self.effort}" if self.effort else ""
        coder = _CODERS[self.coder]
        skip = f", {self.skip} of {self.skip + 1} pictures drawn between" if self.skip else ""
        return f"{numbers} numbers a frame, quantiser step {point:g}{effort}{skip}{coder}"


_CODERS: dict[Coder, str] = {
    by_stream: "",
    by_call: ", a call's datagrams, nothing lost",
    by_order_0: ", the field's coder: a file a frame, order 0",
}


@dataclass(frozen=True)
class _Searched:
    """states: at the video's own times.  load: seconds of work for each second of it."""

    states: FaceStates
    place: Surroundings
    load: float


@lru_cache(maxsize=4)
def _searched(avatar: Path, track: Path, video: Path, effort: int, recorded: bool) -> _Searched:
    """As `facewire encode` finds them; not recorded: as one who sends frame by frame."""
    from avatar.archive import read_avatar
    from avatar.track_file import read_track
    from service.search import SearchSettings, searched
    from service.states import states_of
    from service.steady import steadied

    person, followed = read_avatar(avatar), read_track(track)
    states = states_of(followed, person)
    start = time.perf_counter()
    settings = SearchSettings(effort)
    if not recorded:
        settings = SearchSettings(effort, "never", "neutral", "never")
    better, place = searched(video, followed, states, person, settings)
    if recorded:
        better = steadied(better, person.statistics)
    lasted = np.ptp(states.time) * 1e-6 * len(states) / max(len(states) - 1, 1)
    return _Searched(better, place, (time.perf_counter() - start) / lasted if lasted else 0.0)


def _sum(some: float, more: float | None) -> float | None:
    return None if more is None else some + more


def _products(renderer: Renderer, row: np.ndarray) -> float:
    """Multiply-accumulates of the networks in one picture; look-ups in grids are not counted."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter:
        renderer.picture(row)
    return counter.get_total_flops() / 2


def avatar_codecs() -> list[AvatarCodec]:
    """As tracked; fewer pictures; refined, the default of `facewire encode`; in a call; what is
    sent by the field's coder; and the main paper's own numbers."""
    plain = AvatarCodec("avatar", "Facewire avatar", (16.0, 8.0, 4.0, 2.0, 1.0))
    exact = replace(plain, points=(1.0,), lossless=True)
    return [
        plain,
        replace(plain, name="avatar-skip", title="Facewire avatar, every second picture", skip=1),
        replace(plain, name="avatar-effort1", title="Facewire avatar, refined", effort=1),
        replace(
            plain, name="avatar-call", title="Facewire avatar, as in a call", coder=by_call,
            points=(4.0, 2.0, 1.0), family="avatar-call",
        ),
        replace(
            plain, name="avatar-order0", title="Facewire avatar, the field's coder",
            coder=by_order_0, family="avatar-order0",
        ),
        replace(
            exact, name="avatar-lossless16", title="Facewire avatar, 003's 42 numbers",
            family="avatar-lossless16",
        ),
        replace(
            exact, name="avatar-79", title="Facewire avatar, 003's 91 numbers, no embedding",
            embedding=False, family="avatar-79",
        ),
    ]  # fmt: skip

"""Ours as the lab runs it: the judged video's track, coded by the sender, drawn by the receiver.

The clip is tracked once for all points, and refined once for all points of one effort; coding,
bytes and pictures are those of `facewire encode` and `facewire decode`.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from avatar.avatar import Avatar
from avatar.errors import InputError, StreamError
from avatar.face import FaceStates
from bench.codec import Clip, Material, Outcome


@dataclass(frozen=True)
class AvatarCodec:
    """points: the quantiser's steps, 1 being those measured at enrolment.  skip, effort, lossless
    and embedding are the options of `facewire encode` (`service.sender.SenderSettings`)."""

    name: str
    title: str
    points: tuple[float, ...]
    skip: int = 0
    effort: int = 0
    lossless: bool = False
    embedding: bool = True
    family: str = "avatar"
    needs_avatar: bool = True

    def missing(self) -> str:
        from importlib.util import find_spec

        lacking = [name for name in ("torch", "nerfacc", "mediapipe") if find_spec(name) is None]
        return f"needs pip install 'facewire[enroll]' ({', '.join(lacking)})" if lacking else ""

    def code(self, clip: Clip, point: float) -> Outcome:
        """The point is a quantiser step.  Raises InputError where the clip has no avatar."""
        from avatar.archive import read_avatar
        from service.paper import drawable
        from service.receiver import Renderer, open_stream
        from service.view import View

        material = clip.material
        if material is None or material.avatar is None or material.track is None:
            raise InputError(
                f"{clip.name} has no avatar",
                "Let the run enrol one (--hold-out 10s), or name one: --avatar CLIP=FILE",
            )
        avatar = read_avatar(material.avatar)
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "call.fw"
            self._send(avatar, material, point, path)
            sent = time.perf_counter()
            stream = open_stream(path, avatar)
            size = path.stat().st_size
        states = drawable(stream.states, avatar)
        height, width = clip.frames.shape[1:3]
        renderer = Renderer(avatar, View(width, height))
        # The last frame sent stands for as many pictures as any other.
        rows = states.values[: len(clip.frames)]
        shown = np.stack(list(renderer.pictures(rows)))
        end = time.perf_counter()
        if len(shown) != len(clip.frames):
            raise StreamError(f"{len(shown)} pictures came back of {len(clip.frames)}")
        header = stream.header_bytes
        return Outcome(
            {"header": header, "states": size - header},
            shown,
            self._said(stream.header.layout.width, point),
            packets=stream.sent,
            archive=material.avatar.stat().st_size,
            encode_seconds=sent - start,
            decode_seconds=end - sent,
        )

    def _send(self, avatar: Avatar, material: Material, point: float, path: Path) -> None:
        """The file that `facewire encode` would write, without sound."""
        from codec.header import CODEC_AVATAR, CODEC_LOSSLESS16, DIGEST, StreamHeader
        from codec.quantize import COARSEST, FINEST, QUALITY_ONE
        from codec.timing import rate_of
        from service.paper import paper_states
        from service.resample import resampled
        from service.sender import write_stream

        if not FINEST <= point * QUALITY_ONE <= COARSEST:
            raise InputError(
                f"{self.title} has no quantiser step {point:g}",
                f"Choose one from {FINEST / QUALITY_ONE:g} to {COARSEST / QUALITY_ONE:g}.",
            )
        states = resampled(_states(material, self.effort, self.embedding), material.times)
        if self.lossless:
            states = paper_states(states)
        rate, rounding = rate_of(states.time)
        header = StreamHeader(
            digest=bytes.fromhex(avatar.digest)[:DIGEST],
            layout=states.layout,
            quality=QUALITY_ONE if self.lossless else round(QUALITY_ONE * point),
            rate=rate,
            rounding=rounding,
            window=material.window,
            codec=CODEC_LOSSLESS16 if self.lossless else CODEC_AVATAR,
            between=self.skip,
        )
        write_stream(path, states, avatar, header)

    def _said(self, numbers: int, point: float) -> str:
        if self.lossless:
            return f"{numbers} numbers a frame, 16-bit floats, coded without loss"
        effort = f", effort {self.effort}" if self.effort else ""
        skip = f", {self.skip} of {self.skip + 1} pictures drawn between" if self.skip else ""
        return f"{numbers} numbers a frame, quantiser step {point:g}{effort}{skip}"


@lru_cache(maxsize=4)
def _refined(avatar: Path, track: Path, video: Path, effort: int) -> FaceStates:
    from avatar.archive import read_avatar
    from avatar.track_file import read_track
    from service.refined_states import refined
    from service.states import states_of

    person, followed = read_avatar(avatar), read_track(track)
    return refined(states_of(followed, person), followed, video, person, effort)


def _states(material: Material, effort: int, embedding: bool) -> FaceStates:
    """At the judged video's own times."""
    from avatar.archive import read_avatar
    from avatar.track_file import read_track
    from service.paper import expressions_of

    assert material.track is not None and material.avatar is not None
    if not embedding:
        return expressions_of(read_track(material.track), read_avatar(material.avatar))
    return _refined(material.avatar, material.track, material.judged, effort)


def avatar_codecs() -> list[AvatarCodec]:
    """As sent by default; fewer pictures; refined; and the main paper's own numbers."""
    plain = AvatarCodec("avatar", "Facewire avatar", (16.0, 8.0, 4.0, 2.0, 1.0))
    exact = replace(plain, points=(1.0,), lossless=True)
    return [
        plain,
        replace(plain, name="avatar-skip", title="Facewire avatar, every second picture", skip=1),
        replace(plain, name="avatar-effort1", title="Facewire avatar, refined", effort=1),
        replace(
            exact, name="avatar-lossless16", title="Facewire avatar, 003's 42 numbers",
            family="avatar-lossless16",
        ),
        replace(
            exact, name="avatar-79", title="Facewire avatar, 003's 91 numbers, no embedding",
            embedding=False, family="avatar-79",
        ),
    ]  # fmt: skip

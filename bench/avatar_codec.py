"""Ours as the lab runs it: the judged video's track, coded by the sender, drawn by the receiver.

The clip is tracked once for all points; coding, bytes and pictures are those of `facewire encode`
and `facewire decode`.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar, StateStatistics
from avatar.errors import InputError, StreamError
from avatar.face import EXPRESSIONS, FaceStates, FaceTrack
from bench.codec import Clip, Material, Outcome

FINEST, COARSEST = 1 / 4, 32.0  # steps of the format's quantiser that are worth a run
Numbers = Literal["embedding", "coefficients"]


@dataclass(frozen=True)
class AvatarCodec:
    """points: quantiser steps, 1 being the step measured at enrolment.  price: of a bit, in
    squared steps (`codec.face_codec.PacketSettings`).  lossless: 16-bit floats without any
    quantiser, as 003 sends them.  numbers: what stands for the expression: the embedding's 30, or
    all 79 coefficients, which the receiver embeds."""

    name: str
    title: str
    points: tuple[float, ...]
    price: float = 0.0
    lossless: bool = False
    numbers: Numbers = "embedding"
    family: str = "avatar"

    def missing(self) -> str:
        from importlib.util import find_spec

        lacking = [name for name in ("torch", "nerfacc", "mediapipe") if find_spec(name) is None]
        return f"needs pip install 'facewire[enroll]' ({', '.join(lacking)})" if lacking else ""

    def code(self, clip: Clip, point: float) -> Outcome:
        """The point is a quantiser step.  Raises InputError where the clip has no avatar."""
        from avatar.archive import read_avatar
        from codec.container import read_stream
        from service.receiver import Renderer
        from service.view import View

        material = clip.material
        if material is None or material.avatar is None or material.times is None:
            raise InputError(
                f"{clip.name} has no avatar",
                "Let the run enrol one (--hold-out 10s), or name one: --avatar CLIP=FILE",
            )
        avatar = read_avatar(material.avatar)
        start = time.perf_counter()
        states, statistics = self._states(avatar, material)
        data = self._stream(states, statistics, avatar, clip.fps, point)
        sent = time.perf_counter()
        stream = read_stream(data, statistics, avatar.digest)
        if stream.frames != len(clip.frames):
            raise StreamError(f"{stream.frames} states came back of {len(clip.frames)}")
        rows = self._rows(avatar, stream.states)
        height, width = clip.frames.shape[1:3]
        renderer = Renderer(avatar, View(width, height))
        shown = np.stack([renderer.picture(row) for row in rows])
        end = time.perf_counter()
        header = stream.header_bytes
        return Outcome(
            {"header": header, "states": len(data) - header},
            shown,
            self._said(statistics, point),
            archive=material.avatar.stat().st_size,
            encode_seconds=sent - start,
            decode_seconds=end - sent,
        )

    def _states(self, avatar: Avatar, material: Material) -> tuple[FaceStates, StateStatistics]:
        """At the clip's times, and the statistics that the coder goes by."""
        from avatar.track_file import read_track
        from service.resample import resampled
        from service.states import states_of

        assert material.track is not None and material.times is not None
        track = read_track(material.track)
        states = states_of(track, avatar)
        if self.numbers == "coefficients":
            states = _with_coefficients(states, track)
            statistics = _without_knowledge(states)
        else:
            statistics = avatar.statistics
        return resampled(states, material.times), statistics

    def _stream(
        self,
        states: FaceStates,
        statistics: StateStatistics,
        avatar: Avatar,
        fps: float,
        point: float,
    ) -> bytes:
        """The file that `facewire encode` would write, without sound."""
        from codec.container import StreamWriter
        from codec.face_codec import PacketSettings, encode_states
        from codec.header import CODEC_AVATAR, CODEC_LOSSLESS16, DIGEST, StreamHeader
        from codec.timing import rate_of

        if not FINEST <= point <= COARSEST:
            raise InputError(
                f"{self.title} has no quantiser step {point:g}",
                f"Choose one from {FINEST:g} to {COARSEST:g}.",
            )
        rate, rounding = rate_of(states.time)
        header = StreamHeader(
            digest=bytes.fromhex(avatar.digest)[:DIGEST],
            layout=states.layout,
            quality=256 if self.lossless else round(256 * point),
            rate=rate,
            rounding=rounding,
            window=avatar.window,
            codec=CODEC_LOSSLESS16 if self.lossless else CODEC_AVATAR,
        )
        packets = encode_states(states, statistics, header, PacketSettings(bit_price=self.price))
        file = io.BytesIO()
        writer = StreamWriter(file, header)
        for packet in packets:
            writer.write(packet)
        writer.close(int(states.time[-1] - states.time[0]))
        return file.getvalue()

    def _rows(self, avatar: Avatar, states: FaceStates) -> NDArray[np.float32]:
        """What the receiver draws, in the avatar's layout."""
        if self.numbers == "embedding":
            return np.asarray(states.values, np.float32)
        from avatar.embedding import embed

        code = embed(avatar.group("embedding"), states.group("code"))
        rest = states.values[:, states.layout.groups["code"].stop :]
        return np.concatenate([code, rest], axis=1).astype(np.float32)

    def _said(self, statistics: StateStatistics, point: float) -> str:
        numbers = f"{len(statistics.mean)} numbers a frame"
        if self.lossless:
            return f"{numbers}, 16-bit floats, coded without loss"
        price = f", bit price {self.price:g}" if self.price else ""
        return f"{numbers}, quantiser step {point:g}{price}"


def _with_coefficients(states: FaceStates, track: FaceTrack) -> FaceStates:
    rest = states.values[:, states.layout.groups["code"].stop :]
    values = np.concatenate([track.expression, rest], axis=1).astype(np.float32)
    layout = replace(states.layout, code=EXPRESSIONS)
    return FaceStates(states.time, values, states.visible, layout)


def _without_knowledge(states: FaceStates) -> StateStatistics:
    """The lossless coder asks the avatar for nothing (docs/bitstream.md, section 13)."""
    one: Any = np.ones(states.layout.width, np.float32)
    return StateStatistics(mean=0 * one, scale=one, step=one)


def avatar_codecs() -> list[AvatarCodec]:
    plain = AvatarCodec("avatar", "Facewire avatar", (16.0, 8.0, 4.0, 2.0, 1.0))
    return [
        plain,
        replace(plain, name="avatar-thrifty", title="Facewire avatar, bits priced", price=0.1),
        AvatarCodec(
            "avatar-lossless16", "Facewire avatar, 16-bit floats", (1.0,), lossless=True,
            family="avatar-lossless16",
        ),
        AvatarCodec(
            "avatar-79", "Facewire avatar, 79 coefficients as 16-bit floats", (1.0,),
            lossless=True, numbers="coefficients", family="avatar-79",
        ),
    ]  # fmt: skip

"""The sending side: a video and an avatar -> a stream of a few bytes a frame, with its sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from avatar.avatar import Avatar
from avatar.errors import InputError
from avatar.face import FaceStates, Window
from avatar.storage import whole_file
from codec.container import read_stream
from codec.face_codec import PacketSettings, encode_states
from codec.header import CODEC_AVATAR, CODEC_LOSSLESS16, DIGEST, StreamHeader
from codec.quantize import COARSEST, FINEST, QUALITY_ONE
from codec.stream_writer import StreamWriter
from codec.timing import rate_of
from service.audio import OpusTrack, read_audio
from service.paper import expressions_of, paper_states
from service.rate import BETWEEN, period, within
from service.resample import even_times, resampled
from service.search import SearchSettings, searched
from service.states import states_of
from service.steady import steadied
from service.surroundings import SAME, Surroundings

# What a bit is worth where rate is high: of steps s the error D = s^2 / 12 falls by 2 ln 2 D a bit
# (T. Wiegand, B. Girod, "Lagrange multiplier selection in hybrid video coder control", 2001).
PACKETS = PacketSettings(bit_price=0.115)
_MOST_SKIPPED = 9
_FRAMING = 8  # bytes of a chunk about its body, at most
_MOST_OF_RATE = 0.3  # of a wished rate may go into the background

Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class SenderSettings:
    """fps: None keeps the source's times.  quality: the quantiser's steps, in those that cost the
    picture 0.1 dB; larger is coarser.  kbps: in its place, the best below that rate, every byte
    but sound counted.  skip: pictures left out between two frames; None leaves it to kbps, else 0.
    audio: send the sound, too.  effort: 0 sends what was tracked, 1 to 3 look for what renders
    best (`service.refine`).  mode: "avatar", or "lossless16" for the paper's own numbers as 16-bit
    floats, where embedding=False sends all 79 coefficients (`service.paper`).  background: "auto"
    sends once how the room differs from the enrolled one where that is worth its bytes
    (`service.backdrop`), "always" and "never" as they say.  light: "auto" the same of the light
    (`service.light`), "neutral" shows the person as enrolled.  posture: "auto" the same of how the
    shoulders are held (`service.posture`), or "never"."""

    fps: float | None = None
    quality: float = 1.0
    kbps: float | None = None
    skip: int | None = None
    audio: bool = True
    effort: int = 0
    mode: str = "avatar"
    embedding: bool = True
    background: str = "auto"
    light: str = "auto"
    posture: str = "auto"

    @property
    def search(self) -> SearchSettings:
        """What is looked for.  The paper's numbers say nothing of surroundings."""
        if self.mode == "lossless16":
            return SearchSettings(self.effort, "never", "neutral", "never")
        return SearchSettings(self.effort, self.background, self.light, self.posture)

    def __post_init__(self) -> None:
        low, high = FINEST / QUALITY_ONE, COARSEST / QUALITY_ONE
        if not low <= self.quality <= high:
            raise InputError(
                f"quality {self.quality:g} cannot be sent",
                f"Choose from {low:g}, which loses nothing, to {high:g}, the coarsest.",
            )
        if self.skip is not None and not 0 <= self.skip <= _MOST_SKIPPED:
            raise InputError(f"{self.skip} pictures cannot be left out", "Choose from 0 to 9.")
        if self.mode == "lossless16" and (self.kbps or self.quality != 1 or self.skip):
            raise InputError(
                "lossless16 has one rate", "Leave --kbps, --quality and --skip out with it."
            )
        _ = self.search  # which refuses what cannot be
        if not self.embedding and self.mode != "lossless16":
            raise InputError(
                "the 79 coefficients are sent losslessly alone", "Add --mode lossless16."
            )


@dataclass(frozen=True)
class Sent:
    """summary: as `facewire info` shows it."""

    summary: dict[str, Any]
    warnings: tuple[str, ...] = ()


def encode_video(
    source: str | Path,
    avatar: Avatar,
    out: str | Path,
    settings: SenderSettings = SenderSettings(),
    frames: slice | None = None,
    progress: Progress | None = None,
) -> Sent:
    """Tracks a video, or a range of its frames, and writes its stream whole or not at all.

    The stream keeps the source's clock: 0 is the video's first frame, whatever was cut.
    Raises VideoError, NoFaceError, InputError, StorageError.
    """
    from enroll.capture import open_video
    from enroll.scene import TrackPrior
    from service.tracking import track_file

    track, warnings = track_file(source, TrackPrior.of(avatar), frames, progress)
    states = states_of(track, avatar) if settings.embedding else expressions_of(track, avatar)
    place = SAME
    if settings.embedding:
        search = replace(settings.search, wished=_wished(settings, states))
        states, place = searched(source, track, states, avatar, search, frames, progress)
    if settings.mode == "avatar":
        states = steadied(states, avatar.statistics)
    if settings.fps is not None:
        times = even_times(int(states.time[0]), int(states.time[-1]), settings.fps)
        states = resampled(states, times)
    audio = None
    if settings.audio:
        clock = open_video(Path(source)).info.start  # the file's time of our time 0
        end = int(states.time[-1]) + period(states)
        audio = read_audio(source, clock + int(states.time[0]), clock + end)
        audio = audio.shifted(-clock) if audio else None
    if settings.mode == "lossless16":
        states = paper_states(states)
    header = _header(states, avatar, settings, track.window, audio)
    if settings.kbps is not None:
        between = BETWEEN if settings.skip is None else (settings.skip,)
        kbps, place, said = _shared(settings, place, states)
        warnings += said
        header, said = within(kbps, states, avatar.statistics, header, PACKETS, between)
        warnings += said
    write_stream(out, states, avatar, header, audio, place)
    return Sent(read_stream(out, avatar.statistics, avatar.digest).summary(), tuple(warnings))


def _wished(settings: SenderSettings, states: FaceStates) -> int | None:
    """Bytes of a background that a wished rate has room for."""
    if settings.kbps is None or settings.background == "always":
        return None
    return int(_MOST_OF_RATE * settings.kbps * 125 * _seconds(states)) - _FRAMING


def _seconds(states: FaceStates) -> float:
    return 1e-6 * (int(states.time[-1] - states.time[0]) + period(states))


def _shared(
    settings: SenderSettings, place: Surroundings, states: FaceStates
) -> tuple[float, Surroundings, list[str]]:
    """What a wished rate leaves for the frames, and the surroundings that it leaves room for."""
    kbps, seconds = settings.kbps or 0.0, _seconds(states)
    for small in (place.light, place.posture):
        if small is not None:
            kbps -= 8e-3 * (len(bytes(small)) + _FRAMING) / seconds
    if place.background is None:
        return kbps, place, []
    cost = 8e-3 * (len(bytes(place.background)) + _FRAMING) / seconds
    if settings.background == "always" or cost <= _MOST_OF_RATE * (settings.kbps or 0.0):
        return kbps - cost, place, []
    return (
        kbps,
        replace(place, background=None),
        [
            f"The background has changed; sending it costs {cost:.2f} of {settings.kbps:g} kbps: "
            "left out. --background always sends it."
        ],
    )


def _header(
    states: FaceStates,
    avatar: Avatar,
    settings: SenderSettings,
    window: Window,
    audio: OpusTrack | None,
) -> StreamHeader:
    rate, rounding = rate_of(states.time)
    return StreamHeader(
        digest=bytes.fromhex(avatar.digest)[:DIGEST],
        layout=states.layout,
        quality=round(settings.quality * QUALITY_ONE),
        rate=rate,
        rounding=rounding,
        window=window,
        audio=audio.head if audio else None,
        codec=CODEC_LOSSLESS16 if settings.mode == "lossless16" else CODEC_AVATAR,
        between=settings.skip or 0,
    )


def write_stream(
    out: str | Path,
    states: FaceStates,
    avatar: Avatar,
    header: StreamHeader,
    audio: OpusTrack | None = None,
    surroundings: Surroundings = SAME,
) -> None:
    """States and sound into a file, in the order of their times.  Raises StorageError."""
    exact = PacketSettings()
    packing = exact if header.codec == CODEC_LOSSLESS16 else PACKETS
    packets = encode_states(states, avatar.statistics, header, packing)
    sound = list(audio.packets) if audio else []
    with whole_file(out) as file:
        writer = StreamWriter(file, header)  # type: ignore[arg-type]
        for changed in surroundings:
            writer.write_surroundings(changed)
        sent = 0
        for packet in packets:
            writer.write(packet)
            sent += packet.frames * (header.between + 1)
            until = int(states.time[sent]) if sent < len(states) else None
            while sound and (until is None or sound[0].time < until):
                first = sound.pop(0)
                writer.write_audio(first.time, first.data)
        last = (len(states) - 1) // (header.between + 1) * (header.between + 1)
        writer.close(int(states.time[last] - states.time[0]))

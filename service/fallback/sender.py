"""The sending side without an avatar: a video -> key frames, motion vectors and sound."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import StateStatistics
from avatar.errors import InputError
from avatar.face import FaceStates, Window
from avatar.storage import whole_file
from codec.container import read_stream
from codec.face_codec import encode_states
from codec.header import StreamHeader
from codec.mttf.encoder import Encoder, EncoderSettings, stream_header
from codec.mttf.layer import LayerEncoder, LayerSettings
from codec.mttf.packet import Event, in_order
from codec.mttf.packet import Sent as SentChunk
from codec.mttf.recording import Recorder
from codec.mttf.recovery_file import recovery_at_hand
from codec.mttf.runtime import Runtime
from codec.mttf.weights import Weights
from codec.quantize import COARSEST
from codec.stream_writer import StreamWriter
from codec.timing import rate_of
from enroll.capture import Frame, Video, open_video
from enroll.crops import cut_window
from service.audio import OpusTrack, read_audio
from service.fallback.crops import head_window
from service.fallback.faces import FaceReader
from service.sender import Sent

_SAMPLES = 8  # key frames of a file that are looked at for the head
_FRAME = 40_000  # us, of a clip with one frame
KEYS = 0.5  # of a wished rate, for key frames

Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class FallbackSettings:
    """fps: None keeps the source's times.  kbps: every byte but sound and layer.  side: pixels
    coded.  key_codec, qp: of the key frames; qp None has it chosen by the rate.  lookback: as
    `EncoderSettings`; 0 has every frame made from one key frame.  layer: kbps of a coded small
    picture that the generated one is fused with; None sends none."""

    fps: float | None = None
    kbps: float = 5.0
    audio: bool = True
    side: int = 256
    key_codec: str = "av1"
    qp: int | None = None
    lookback: int = EncoderSettings.lookback
    layer: float | None = None


@dataclass(frozen=True)
class Filmed:
    """A video as its encoder has taken it.  time: [F] microseconds.  vectors: [F, D], still to be
    quantised.  start: microseconds, the file's time of time 0."""

    time: NDArray[np.int64]
    vectors: NDArray[np.float32]
    window: Window
    start: int
    warnings: tuple[str, ...]

    @property
    def end(self) -> int:
        """When the last picture ends, as `time`."""
        return int(self.time[-1]) + _period(self.time)


def film(
    source: str | Path,
    encoder: Encoder | Recorder,
    runtime: Runtime,
    side: int,
    fps: float | None,
    frames: slice | None = None,
    progress: Progress | None = None,
    layer: LayerEncoder | None = None,
    even: bool = False,
) -> Filmed:
    """Gives the head's square of every frame to the encoder, and to the layer's.  fps: None keeps
    the source's times, or where they have to be even takes their mean rate.  Raises VideoError,
    InputError."""
    video = open_video(source, frames)
    warnings: list[str] = []
    window = head_square(video, warnings)
    times, rows = [], []
    rate = fps
    if even and fps is None:
        rate = video.info.fps or 1e6 / _FRAME
    shown = video if rate is None else paced(video, rate)
    with closing(FaceReader()) as faces:
        for frame in shown:
            picture = cut_window(frame.image, window, side)
            mesh = faces.see(frame.image, frame.time, window) if runtime.guided else None
            rows.append(encoder.encode(picture, frame.time, mesh))
            if layer is not None:
                layer.add(picture, frame.time)
            times.append(frame.time)
            if progress:
                progress(len(rows), max(video.info.frames, len(rows)))
    warnings += video.warnings
    if not rows:
        raise InputError("the video holds no frame", "Check it with: ffmpeg -i VIDEO -f null -")
    time, vectors = np.array(times, np.int64), np.stack(rows)
    return Filmed(time, vectors, window, video.info.start, tuple(warnings))


def encode_fallback(
    source: str | Path,
    out: str | Path,
    weights: Weights,
    settings: FallbackSettings = FallbackSettings(),
    frames: slice | None = None,
    progress: Progress | None = None,
) -> Sent:
    """Codes a video of anybody, or a range of its frames; its stream appears whole or not at all.

    Raises VideoError, InputError, MissingError, StorageError.
    """
    check_rate(settings.kbps)
    layer = None
    if settings.layer is not None:
        layer = LayerEncoder(LayerSettings(settings.layer), settings.side)
    runtime = Runtime(weights)
    coding = EncoderSettings(
        settings.side, settings.key_codec, settings.qp, settings.kbps * KEYS,
        lookback=settings.lookback,
    )  # fmt: skip
    encoder = Recorder(runtime, weights.statistics, coding, recovery_at_hand())
    filmed = film(source, encoder, runtime, settings.side, settings.fps, frames, progress, layer)
    time, values, warnings = filmed.time, filmed.vectors, list(filmed.warnings)
    rate, rounding = rate_of(time)
    head = stream_header(weights.digest, weights.settings.numbers, 256)
    head = replace(head, rate=rate, rounding=rounding, window=filmed.window)
    quality, sizes = _fitting(head, time, values, weights.statistics, encoder.chunks, settings.kbps)
    if sizes > settings.kbps:
        warnings.append(f"{settings.kbps:g} kbps cannot be reached: this is {sizes:.2f} kbps.")
    chunks: list[SentChunk] = [*encoder.chunks]
    if layer is not None:
        layer.close()
        chunks += layer.chunks
        if layer.missed:
            warnings.append(
                f"{settings.layer:g} kbps are too few for a layer: {layer.missed} of {len(time)} "
                "frames have none."
            )
    audio = None
    if settings.audio:
        clock = filmed.start
        audio = read_audio(source, clock + int(time[0]), clock + filmed.end)
        audio = audio.shifted(-clock) if audio else None
    head = replace(head, quality=quality, audio=audio.head if audio else None)
    with whole_file(out) as file:
        write_fallback(file, head, time, values, weights.statistics, chunks, audio)
    return Sent(read_stream(out, weights.statistics, weights.digest).summary(), tuple(warnings))


def check_rate(kbps: float) -> None:
    if not kbps > 0:
        raise InputError(f"--kbps {kbps:g} sends nothing", "Give a rate above 0.")


def head_square(video: Video, warnings: list[str]) -> Window:
    """The largest square that the source holds, centred on the head as far as that goes; on the
    picture where no face is found."""
    from enroll.mesh import FaceFinder

    width, height = video.info.width, video.info.height
    boxes = []
    if (samples := getattr(video, "samples", None)) is not None and width != height:
        finder = FaceFinder()
        try:
            for frame in samples(_SAMPLES):
                found = finder.find(frame.image)
                if len(found):
                    areas = np.prod(found[:, 2:] - found[:, :2], axis=1)
                    boxes.append(found[int(np.argmax(areas))])
        finally:
            finder.close()
        if not boxes:
            warnings.append("No face was found: the middle of the picture is sent.")
    if not boxes:
        boxes = [np.array([0, 0, width, height], float)]
    return head_window(np.stack(boxes), width, height)


def paced(frames: Iterable[Frame], fps: float) -> Iterator[Frame]:
    """The frame shown nearest to every tick of `fps` a second, with the tick as its time."""
    here: Frame | None = None
    first = ticks = 0

    def due() -> int:
        return first + round(ticks * 1e6 / fps)

    for frame in frames:
        if here is None:
            first = frame.time
        else:
            while due() - here.time <= frame.time - due():
                yield Frame(here.image, due())
                ticks += 1
        here = frame
    if here is not None:
        while due() <= here.time + 0.5e6 / fps:
            yield Frame(here.image, due())
            ticks += 1


def _fitting(
    head: StreamHeader,
    time: NDArray[np.int64],
    values: NDArray[np.float32],
    statistics: StateStatistics,
    chunks: Sequence[Event],
    kbps: float,
) -> tuple[int, float]:
    """The finest quality of the vectors, from 1 on, that keeps the rate, and the rate."""
    seconds = (int(time[-1] - time[0]) + _period(time)) * 1e-6
    quality = head.quality
    while True:
        file = io.BytesIO()
        write_fallback(file, replace(head, quality=quality), time, values, statistics, chunks)
        rate = len(file.getvalue()) * 8e-3 / seconds
        if rate <= kbps or quality >= COARSEST // 4:
            return quality, rate
        quality = round(quality * 1.25)


def write_fallback(
    file: Any,
    head: StreamHeader,
    time: NDArray[np.int64],
    values: NDArray[np.float32],
    statistics: StateStatistics,
    chunks: Sequence[SentChunk],
    audio: OpusTrack | None = None,
) -> None:
    """Every chunk before the face packet that first needs it, sound before what it ends in."""
    states = FaceStates(time, values, np.ones(len(time), bool), head.layout)
    writer = StreamWriter(file, head)
    waiting, sound = in_order(chunks), list(audio.packets) if audio else []
    sent = 0
    for packet in encode_states(states, statistics, head):
        sent += packet.frames
        while waiting and waiting[0][0] < sent:
            chunk = waiting.pop(0)[1]
            writer.write_fallback(chunk.kind, bytes(chunk))
        writer.write(packet)
        until = int(time[sent]) if sent < len(time) else None
        while sound and (until is None or sound[0].time < until):
            first = sound.pop(0)
            writer.write_audio(first.time, first.data)
    writer.close(int(time[-1] - time[0]))


def _period(time: NDArray[np.int64]) -> int:
    return int(np.median(np.diff(time))) if len(time) > 1 else _FRAME

"""How near a rendered video comes to what was filmed, picture by picture: on the window, and on
the face, which is the tracked face box times 1.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from avatar.errors import MismatchError, NoFaceError, VideoError
from avatar.face import FaceTrack
from codec.timing import tick_time
from enroll.capture import Frame, Video, open_video
from enroll.track import track_video
from render.metrics import face_ms_ssim, face_psnr, psnr, ssim
from service.baseline import baseline
from service.clip import Clip, pictures_at
from service.receiver import FIT_TAG, open_stream
from service.region import Region
from service.resample import nearest

_LOSSLESS = {"ffv1", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "png"}
_ROUNDED = 1_000  # us: Matroska's clock
_LEAST = 11  # pixels each way, the size of SSIM's window
_FIGURES = ("psnr", "psnr_face", "ssim", "ms_ssim_face")

Array = NDArray[Any]
Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class Comparison:
    """Means over the frames judged, dB and 0..1; NaN for a figure that has no meaning here."""

    frames: int
    psnr: float
    psnr_face: float  # over the frames with a face
    ssim: float
    ms_ssim_face: float  # over the frames with a face
    still: dict[str, float] = field(default_factory=dict)  # the baselines, where asked for
    warnings: tuple[str, ...] = ()

    def figures(self) -> dict[str, float | int | None]:
        """JSON values."""
        values = {name: getattr(self, name) for name in _FIGURES} | {"frames": self.frames}
        return {k: v if np.isfinite(v) else None for k, v in (values | self.still).items()}


@dataclass(frozen=True)
class Pairing:
    """Which pictures meet: row `rows[i]` of OUT and the reference's picture at `times[i]`."""

    rows: Array
    times: Array
    region: Region


def compare_files(
    reference: str | Path,
    out: str | Path,
    stream: str | Path | None = None,
    frames: slice | None = None,
    enrolled: str | Path | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compares OUT with what was filmed.

    With `stream` the reference is cut and scaled as that call did, and the call's times say
    which picture is which; `frames` then narrows what is judged to these of the reference.
    Without it OUT has the reference's size and shows its `frames`, from the first on.
    enrolled: the video that was enrolled, for the baselines of `service.baseline`.
    Raises VideoError, StreamError and MismatchError.
    """
    filmed, shown = open_video(Path(reference)), open_video(Path(out))
    cut = times_of(open_video(Path(reference), frames=frames))
    if stream is None:
        pairing = _pair_by_clock(filmed, shown, cut)
    else:
        pairing = _pair_by_stream(filmed, shown, cut if frames else None, Path(stream), fit_of(out))
    track = _track(filmed, pairing.times)
    figures = []
    pairs = _pairs(filmed, shown, pairing)
    judged, boxes = [], []
    for index, (time, mine, theirs) in enumerate(pairs):
        box = _box(track, time, pairing.region)
        figures.append(_judge(mine, theirs, box))
        if enrolled:
            judged.append(mine)
            boxes.append(box)
        if progress:
            progress(index + 1, len(pairing.rows))
    means = {name: _mean([row[k] for row in figures]) for k, name in enumerate(_FIGURES)}
    still = _stills(Path(enrolled), pairing.region, judged, boxes) if enrolled else {}
    warnings = (*_remarks(out), *filmed.warnings, *shown.warnings)
    return Comparison(len(figures), **means, still=still, warnings=warnings)


def aligned(
    reference: str | Path, out: str | Path, stream: str | Path
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """What was filmed and what is shown of every frame that `compare_files` judges with a stream,
    at one scale.  Raises as it does."""
    filmed, shown = open_video(Path(reference)), open_video(Path(out))
    pairing = _pair_by_stream(filmed, shown, None, Path(stream), fit_of(out))
    return ((mine, theirs) for _, mine, theirs in _pairs(filmed, shown, pairing))


def times_of(video: Video) -> Array:
    """[F] int64 microseconds.  Raises VideoError for a video, or a range, without frames."""
    times = np.array([frame.time for frame in video], np.int64)
    if not len(times):
        raise VideoError(
            f"{video.info.name}: no frame in the range asked for",
            f"It holds about {video.info.frames} frames.",
        )
    return times


def _pair_by_clock(filmed: Video, shown: Video, cut: Array) -> Pairing:
    size, out_size = (filmed.info.width, filmed.info.height), (shown.info.width, shown.info.height)
    if size != out_size:
        raise MismatchError(
            f"{filmed.info.name} is {size[0]}x{size[1]}, {shown.info.name} is "
            f"{out_size[0]}x{out_size[1]}",
            "Give the call's stream with --stream CALL.fw: it knows what was cut out and when.",
        )
    out_times = times_of(shown)
    times = out_times - out_times[0] + cut[0]
    rows = np.flatnonzero(times <= cut[-1] + _period(cut) // 2)
    return Pairing(rows, times[rows], Region.whole(*size))


def _pair_by_stream(
    filmed: Video, shown: Video, cut: Array | None, path: Path, fit: str
) -> Pairing:
    stream = open_stream(path)
    window = stream.header.window
    if window is None:
        raise MismatchError(
            f"{path.name} does not say which part of the picture it covers",
            "Encode the video again with this version.",
        )
    if (window.width, window.height) != (filmed.info.width, filmed.info.height):
        raise MismatchError(
            f"{path.name} was coded from pictures of {window.width}x{window.height}, "
            f"{filmed.info.name} has {filmed.info.width}x{filmed.info.height}",
            "Give the video that was encoded.",
        )
    out_times = times_of(shown)
    if len(out_times) != stream.frames:
        raise MismatchError(
            f"{shown.info.name} has {len(out_times)} frames, {path.name} has {stream.frames}",
            "Give the video that was decoded from this stream.",
        )
    times = _on_clock(out_times - out_times[0], stream.header.rate, stream.header.rounding)
    times = times + stream.faces[0].time
    rows = np.arange(len(times))
    if cut is not None:
        kept = (times >= cut[0]) & (times <= cut[-1])
        rows, times = rows[kept], times[kept]
        if not len(rows):
            raise VideoError("no frame is left to judge", "Choose --frames within the call.")
    region = Region.of_window(window, shown.info.width, shown.info.height, fit)
    return Pairing(rows, times, region)


def _on_clock(times: Array, rate: tuple[int, int], rounding: int) -> Array:
    """Times from a file that counts milliseconds, put back on the stream's steady clock."""
    ticks = np.round(times * (rate[0] / rate[1] / 1e6)).astype(np.int64)
    exact = np.array([tick_time(int(k), rate, rounding) for k in ticks], np.int64)
    return np.where(np.abs(exact - times) <= _ROUNDED, exact, times)


def _period(times: Array) -> int:
    return int(np.median(np.diff(times))) if len(times) > 1 else 40_000


def _track(filmed: Video, times: Array) -> FaceTrack | None:
    """Where the face is in the pictures judged; None where there is none."""
    clip = Clip(filmed, int(times[0]) - _period(times), int(times[-1]) + _period(times))
    try:
        return track_video(clip)
    except NoFaceError:
        return None


def _box(track: FaceTrack | None, time: int, region: Region) -> Array | None:
    if track is None:
        return None
    row = int(nearest(track.time, np.array([time]))[0])
    if track.confidence[row] <= 0:
        return None
    box = region.face_box(track.box[row], track.window)
    inside = np.clip(box, 0.0, 1.0)
    return box if inside[2] > inside[0] and inside[3] > inside[1] else None


def _pairs(
    filmed: Video, shown: Video, pairing: Pairing
) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.uint8]]]:
    """(time, reference, rendered) of every frame judged, cut to the region."""
    wanted = pictures_at(filmed, pairing.times)
    rows: Iterator[Frame] = iter(shown)
    at = -1
    picture: Frame | None = None
    for row, time, source in zip(pairing.rows.tolist(), pairing.times.tolist(), wanted):
        while at < row:
            picture = next(rows)
            at += 1
        theirs = pairing.region.rendered(cast(Frame, picture).image)
        yield time, pairing.region.filmed(source.image), theirs


def _judge(mine: Array, theirs: Array, box: Array | None) -> tuple[float, ...]:
    nothing = float("nan")
    return (
        psnr(mine, theirs),
        face_psnr(mine, theirs, box) if box is not None else nothing,
        ssim(mine, theirs) if min(mine.shape[:2]) >= _LEAST else nothing,
        face_ms_ssim(mine, theirs, box) if box is not None else nothing,
    )


def _mean(values: list[float]) -> float:
    kept = [v for v in values if np.isfinite(v)]
    return float(np.mean(kept)) if kept else float("nan")


def _stills(
    enrolled: Path, region: Region, judged: list[Array], boxes: list[Array | None]
) -> dict[str, float]:
    pictures = (region.filmed(frame.image) for frame in open_video(enrolled))
    still = baseline(np.stack(judged), pictures)
    figures = {}
    for name, shown in (("first", [still.first] * len(judged)), ("oracle", list(still.best))):
        figures[f"psnr_{name}"] = _mean([psnr(a, b) for a, b in zip(judged, shown)])
        figures[f"psnr_face_{name}"] = _mean(
            [face_psnr(a, b, box) for a, b, box in zip(judged, shown, boxes) if box is not None]
        )
    return figures


def fit_of(path: str | Path) -> str:
    """How the window was fitted into the pictures of a decoded video; "contain" if not said."""
    import av

    with av.open(str(path)) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
    return tags.get(FIT_TAG, "contain")


def _remarks(out: str | Path) -> list[str]:
    import av

    with av.open(str(path := Path(out))) as container:
        codec = cast(Any, container.streams.video[0]).codec_context.name
    if codec in _LOSSLESS:
        return []
    return [
        f"{path.name} is coded with loss ({codec}): these figures include it. "
        "Decode to .mkv for those of the call alone."
    ]

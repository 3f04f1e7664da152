"""What people are shown: a run's videos under names that tell nothing, and who is who."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from avatar.errors import FormatError, InputError
from avatar.storage import write_whole
from bench.ffmpeg import run_ffmpeg
from bench.results import OK, Record, Results

KEY = "key.json"  # which video is which: not for those who rate


@dataclass(frozen=True)
class Stimulus:
    """name: of its video file, without ending.  original: the name of what was filmed."""

    name: str
    clip: str
    size: int
    codec: str
    point: float
    original: str


def gather(results: Results, folder: Path, seed: int = 0) -> list[Stimulus]:
    """Copies the videos that the run kept into folder/videos and writes key.json beside.
    Raises InputError where there are fewer than two."""
    shown = [r for r in results if r.state == OK and r.counts and results.video(r).exists()]
    if len(shown) < 2:
        raise InputError(
            f"{results.folder} kept {len(shown)} videos: nothing to choose between",
            "Run again without --no-videos.",
        )
    videos = folder / "videos"
    videos.mkdir(parents=True, exist_ok=True)
    found = []
    for record in shown:
        original = _hidden(seed, record.clip, record.size)
        _original(results, record, videos / f"{original}.mp4")
        name = _hidden(seed, record.clip, record.size, record.codec, record.point)
        shutil.copyfile(results.video(record), videos / f"{name}.mp4")
        found.append(Stimulus(name, record.clip, record.size, record.codec, record.point, original))
    text = json.dumps([asdict(one) for one in found], indent=1)
    write_whole(folder / KEY, text.encode())
    return found


def read_key(folder: Path) -> list[Stimulus]:
    """Raises FormatError where the folder holds no study."""
    try:
        return [Stimulus(**one) for one in json.loads((folder / KEY).read_text())]
    except (OSError, ValueError, TypeError) as error:
        raise FormatError(
            f"{folder} holds no study: {error}", "facewire bench study RESULTS -o PAGES"
        ) from None


def record_of(stimulus: Stimulus, records: Sequence[Record]) -> Record | None:
    place = (stimulus.clip, stimulus.size, stimulus.codec, stimulus.point)
    for record in records:
        if (record.clip, record.size, record.codec, record.point) == place:
            return record
    return None


def _hidden(seed: int, *parts: object) -> str:
    return hashlib.sha256(repr((seed, *parts)).encode()).hexdigest()[:12]


def _original(results: Results, record: Record, target: Path) -> None:
    if target.exists():
        return
    frames = np.load(results.clip_folder(record.clip) / f"{record.size}.npy", mmap_mode="r")
    height, width = frames.shape[1:3]
    fps = record.frames / record.seconds
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}"]
    even = "scale=trunc(iw/2)*2:trunc(ih/2)*2:out_color_matrix=bt709:out_range=tv"
    coding = ["-vf", even, "-c:v", "libx264", "-preset", "veryfast", "-crf", "14"]
    tags = ["-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    run_ffmpeg([*source, "-i", "-", *coding, *tags, str(target)], iter(frames))

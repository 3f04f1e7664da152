"""The same seconds side by side: what was filmed, and what each family shows for about one rate."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.ffmpeg import run_ffmpeg
from bench.report.figures import OURS, order
from bench.results import OK, Record, Results

MOST = 4  # rivals beside the original


@dataclass(frozen=True)
class SideBySide:
    """panels: what is shown, from left to right."""

    clip: str
    size: int
    file: str
    panels: tuple[str, ...]


def side_by_side(results: Results, records: Sequence[Record], folder: Path) -> list[SideBySide]:
    """One a clip and size for which the run kept videos; written to `folder`."""
    groups: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        if record.state == OK and record.counts and results.video(record).exists():
            groups.setdefault((record.clip, record.size), []).append(record)
    made = []
    for (clip, size), group in groups.items():
        chosen = chosen_points(group)
        filmed = results.clip_folder(clip) / f"{size}.npy"
        if not filmed.exists() or not chosen:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{clip}-{size}.mp4"
        _write(filmed, [results.video(record) for record in chosen], chosen[0], folder / name)
        labels = [f"{r.title}, {r.kbps:.2f} kbit/s" for r in chosen]
        made.append(SideBySide(clip, size, name, ("as filmed", *labels)))
    return made


def chosen_points(group: Sequence[Record]) -> list[Record]:
    """Of each family the point whose rate is nearest to ours at its middle point (without ours: to
    the cheapest family's cheapest point); of what is ours one, since the others look like it."""
    there = order([r.family for r in group])
    families = there[:1] + [name for name in there[1:] if not name.startswith(OURS)]
    by_family = {
        name: sorted((r for r in group if r.family == name), key=lambda r: r.kbps)
        for name in families
    }
    first = by_family[families[0]]
    aim = first[len(first) // 2].kbps
    if not families[0].startswith(OURS):
        aim = min(rows[0].kbps for rows in by_family.values())
    nearest = [min(rows, key=lambda r: abs(np.log(r.kbps / aim))) for rows in by_family.values()]
    return nearest[: MOST + 1]


def _write(filmed: Path, videos: Sequence[Path], record: Record, target: Path) -> None:
    frames = np.load(filmed, mmap_mode="r")
    height, width = frames.shape[1:3]
    fps = record.frames / record.seconds
    inputs = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}"]
    inputs += ["-i", "-"]
    for video in videos:
        inputs += ["-i", str(video)]
    even = "scale=trunc(iw/2)*2:trunc(ih/2)*2:out_color_matrix=bt709:out_range=tv,format=yuv420p"
    scaled = "".join(f"[{i}:v]{even}[v{i}];" for i in range(len(videos) + 1))
    joined = "".join(f"[v{i}]" for i in range(len(videos) + 1))
    graph = f"{scaled}{joined}hstack=inputs={len(videos) + 1}"
    part = target.with_name(f".{target.name}")
    coding = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "16", "-movflags", "+faststart"]
    run_ffmpeg([*inputs, "-lavfi", graph, *coding, "-f", "mp4", str(part)], iter(frames))
    os.replace(part, target)

"""Clips cut for the held-out protocol: lossless, in the source's own pixel format, without sound.

What an avatar is enrolled on and what it is judged on become two files that share no frame.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avatar.errors import InputError, VideoError
from bench.ffmpeg import ToolError, run_ffmpeg


@dataclass(frozen=True)
class HeldOut:
    """enrol, judge: the two files.  enrolled, judged: how many frames each holds."""

    enrol: Path
    judge: Path
    enrolled: int
    judged: int


def count_frames(source: Path) -> int:
    """The frames that really decode, whatever the header says."""
    said = _run(source, ["-stats", "-i", str(source), *_EACH, "-f", "null", "-"], "")
    return _frames_in(said, source)


def duration(source: Path) -> float:
    """Seconds from the first frame to the end of the last, by its frames' own times."""
    said = _run(source, ["-i", str(source), *_EACH, "-vf", "showinfo", "-f", "null", "-"], "")
    times = [float(t) for t in re.findall(r"pts_time:\s*(-?[\d.]+)", said)]
    if len(times) < 2:
        raise VideoError(f"{source.name} has fewer than two frames", "Use a longer clip.")
    return (times[-1] - times[0]) * len(times) / (len(times) - 1)


def cut_frames(source: Path, target: Path, first: int, last: int | None = None) -> int:
    """Frames first .. last - 1 (None: to the end) to `target` (.mkv).  Returns how many."""
    until = f"*lt(n,{last})" if last is not None else ""
    return _select(source, target, f"gte(n,{first}){until}", "PTS-STARTPTS")


def cut_seconds(source: Path, target: Path, start: float, end: float | None = None) -> int:
    """Seconds start .. end (None: to the end) to `target` (.mkv).  Returns how many frames."""
    until = f"*lt(t,{end})" if end is not None else ""
    return _select(source, target, f"gte(t,{start}){until}", "PTS-STARTPTS")


def hold_out_tail(source: Path, folder: Path, share: float = 0.9) -> HeldOut:
    """The first `share` of the frames to enrol on, the rest to judge."""
    if not 0 < share < 1:
        raise InputError(f"a share of {share} holds nothing out", "Choose one between 0 and 1.")
    total = count_frames(source)
    border = round(share * total)
    if not 0 < border < total:
        raise VideoError(f"{source.name} has {total} frames: too few to cut", "Use a longer clip.")
    enrol, judge = folder / f"{source.stem}.enrol.mkv", folder / f"{source.stem}.judge.mkv"
    return HeldOut(
        enrol, judge, cut_frames(source, enrol, 0, border), cut_frames(source, judge, border)
    )


def hold_out_seconds(source: Path, folder: Path, every: int = 5) -> HeldOut:
    """Every `every`-th whole second to judge, the others to enrol on; both at an even rate, as
    if nothing were missing between.  For clips whose tail does not move."""
    chosen = f"eq(mod(floor(t),{every}),{every - 1})"
    enrol, judge = folder / f"{source.stem}.enrol.mkv", folder / f"{source.stem}.judge.mkv"
    even = "N/FRAME_RATE/TB"
    enrolled = _select(source, enrol, f"not({chosen})", even)
    return HeldOut(enrol, judge, enrolled, _select(source, judge, chosen, even))


def hold_out_frames(source: Path, folder: Path, judged: Sequence[bool]) -> HeldOut:
    """The frames that are marked to judge, the others to enrol on; both at an even rate, as if
    nothing were missing between.  judged: of every frame that decodes."""
    edges = [i for i, (a, b) in enumerate(zip(judged, judged[1:]), 1) if a != b]
    starts = [0, *edges]
    runs = zip(starts, [*edges, len(judged)])
    chosen = "+".join(f"between(n,{a},{b - 1})" for a, b in runs if judged[a]) or "0"
    enrol, judge = folder / f"{source.stem}.enrol.mkv", folder / f"{source.stem}.judge.mkv"
    even = "N/FRAME_RATE/TB"
    enrolled = _select(source, enrol, f"not({chosen})", even)
    return HeldOut(enrol, judge, enrolled, _select(source, judge, chosen, even))


def held_apart(enrol: Path, judge: Path, folder: Path) -> HeldOut:
    """One clip to enrol on, another of the same person to judge, each copied whole."""
    first, second = folder / f"{enrol.stem}.enrol.mkv", folder / f"{enrol.stem}.judge.mkv"
    return HeldOut(first, second, cut_frames(enrol, first, 0), cut_frames(judge, second, 0))


_EACH = ("-map", "0:v:0", "-fps_mode", "passthrough")


def _select(source: Path, target: Path, expression: str, clock: str) -> int:
    """Writes the chosen frames; `target` appears only when it is whole."""
    if target.suffix != ".mkv":
        raise InputError(f"{target.name}: cuts are lossless and go into .mkv", "Rename the output.")
    part = target.with_name(f".{target.stem}.part.mkv")
    filters = f"select='{expression}',setpts={clock}"
    try:
        said = _run(
            source,
            ["-stats", "-i", str(source), *_EACH, "-vf", filters, "-c:v", "ffv1", str(part)],
            f"{target.name} cannot be cut from ",
        )
        frames = _frames_in(said, source)
        if frames == 0:
            raise VideoError(
                f"{source.name} has no frame where {target.name} should be cut",
                "Choose a range that lies within the video.",
            )
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return frames


def _run(source: Path, arguments: list[str], what: str) -> str:
    if not source.is_file():
        raise VideoError(f"{source} does not exist", "Give the path of a video file.")
    try:
        return run_ffmpeg(arguments)
    except ToolError as error:
        raise VideoError(
            f"{what}{source.name}: {error.message}", "Check that the file plays."
        ) from error


def _frames_in(said: str, source: Path) -> int:
    counts = re.findall(r"frame=\s*(\d+)", said)
    if not counts:
        raise VideoError(f"{source.name}: ffmpeg did not say how many frames it holds")
    return int(counts[-1])

"""The steps that published figures share, each run once, by the commands that a user would type."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from avatar.track_file import read_track
from bench import clips
from bench.command import Ran, facewire

QUALITY = ("psnr", "psnr_face", "ssim", "ms_ssim_face")  # as `facewire compare` names them


@dataclass(frozen=True)
class Enrolled:
    """One avatar, and the file of its person that it never saw."""

    name: str
    cut: clips.HeldOut
    avatar: Path
    cost: str


class Lab:
    """Runs the steps that figures share, each once, in a folder."""

    def __init__(
        self,
        source: Path,
        work: Path,
        budget: float,
        run: Callable[..., Ran] = facewire,
        steps: int | None = None,
    ) -> None:
        self.source, self.work, self._run = source, work, run
        self._effort = ["--steps", str(steps)] if steps else ["--budget", f"{budget:g}"]
        work.mkdir(parents=True, exist_ok=True)

    def enrolled(self, clip: str, protocol: str, size: int = 256) -> Enrolled:
        """protocol: "tail" (last tenth held out), "10s" (last 10 s), "fifths" (every fifth whole
        second), "yaw15" (where the head is turned by 15 degrees or more), or the name of another
        clip, which is judged whole."""
        cut = self.cut(clip, protocol)
        name = cut.enrol.parent.name
        avatar = cut.enrol.with_name(f"{size}.avatar")
        log = avatar.with_suffix(".cost")
        if not avatar.exists():
            track = self.track(cut.enrol)
            arguments = ["enroll", cut.enrol, "--name", name, "-o", avatar, "--size", str(size)]
            ran = self._run([*arguments, "--track", track, *self._effort, "--consent", "self"])
            log.write_text(f"enrolled in {ran.cost}")
        return Enrolled(name, cut, avatar, log.read_text() if log.exists() else "")

    def cut(self, clip: str, protocol: str) -> clips.HeldOut:
        """The two files, in a folder of their own."""
        folder = self.work / f"{Path(clip).stem}-{Path(protocol).stem}"
        source = self.source / "enrol" / clip
        if protocol.startswith("yaw"):
            track = self.track(source, self.work / f"{source.stem}.track")
            return self._cut(source, folder, protocol, turned(track, float(protocol[3:])))
        return self._cut(source, folder, protocol)

    def track(self, video: Path, path: Path | None = None) -> Path:
        """The track of a file, made once: avatars of several sizes learn from one.  path: beside
        the video by default."""
        path = path or video.with_suffix(".track")
        if not path.exists():
            self._run(["track", video, "-o", path])
        return path

    def stream(self, who: Enrolled, *options: str) -> Path:
        path = who.avatar.with_suffix(f".{''.join(options).replace('-', '') or 'plain'}.fw")
        if not _newer(path, who.avatar):
            tracked = ["--effort", "0"]  # unless the options say otherwise
            words = ["encode", who.cut.judge, "--avatar", who.avatar, "-o", path]
            self._run([*words, *tracked, *options])
        return path

    def video(self, who: Enrolled, stream: Path, size: int) -> Path:
        path = stream.with_suffix(f".{size}.mkv")
        if not _newer(path, stream):
            self._run(["decode", stream, "--avatar", who.avatar, "-o", path, "--size", str(size)])
        return path

    def compared(self, who: Enrolled, stream: Path, video: Path, still: bool = False) -> Any:
        against = ["--enrolled", who.cut.enrol] if still else []
        ran = self._run(["compare", who.cut.judge, video, "--stream", stream, *against, "--json"])
        return ran.json

    def info(self, path: Path) -> Any:
        return self._run(["info", path, "--json"]).json

    def run(self, *arguments: str | Path) -> Ran:
        return self._run(list(arguments))

    @staticmethod
    def _cut(
        source: Path, folder: Path, protocol: str, judged: list[bool] | None = None
    ) -> clips.HeldOut:
        record = folder / "cut.json"
        if record.exists():
            counts = json.loads(record.read_text())
            return clips.HeldOut(
                folder / f"{source.stem}.enrol.mkv", folder / f"{source.stem}.judge.mkv", *counts
            )
        folder.mkdir(parents=True, exist_ok=True)
        if protocol == "tail":
            cut = clips.hold_out_tail(source, folder)
        elif protocol == "fifths":
            cut = clips.hold_out_seconds(source, folder)
        elif judged is not None:
            cut = clips.hold_out_frames(source, folder, judged)
        elif Path(protocol).suffix:
            cut = clips.held_apart(source, source.parent / protocol, folder)
        else:
            share = 1 - float(protocol.removesuffix("s")) / clips.duration(source)
            cut = clips.hold_out_tail(source, folder, share)
        record.write_text(json.dumps([cut.enrolled, cut.judged]))
        return cut


def yaw_of(track: Path) -> NDArray[np.float64]:
    """[F] degrees, to the subject's left, of each frame's head; NaN where none is seen."""
    read = read_track(track)
    yaw = np.degrees(Rotation.from_rotvec(read.rotation).as_euler("YXZ")[:, 0])
    return np.where(read.confidence > 0, yaw, np.nan)


def turned(track: Path, least: float) -> list[bool]:
    """Of each frame, whether its head is turned that far, or none is seen."""
    return [not abs(yaw) < least for yaw in yaw_of(track).tolist()]


def number(value: Any) -> float:
    """A figure of a command's JSON; NaN for one that it could not give."""
    return math.nan if value is None else float(value)


def _newer(path: Path, than: Path) -> bool:
    return path.exists() and path.stat().st_mtime >= than.stat().st_mtime

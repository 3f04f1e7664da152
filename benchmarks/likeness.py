"""How like the person, and how fast: one setting a row, closed-loop encoding at effort 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench.figure import Figure
from bench.metrics.identity import csim
from benchmarks.lab import Enrolled, Lab, number
from service.compare import aligned

_APART = 25  # frames between two of the source that show how like itself a person is


def likeness(lab: Lab, clip: str, protocol: str, floor: dict[str, float]) -> Iterator[Figure]:
    """PSNR, MS-SSIM, identity, rate and the speed of decoding of one avatar's held-out frames.
    floor: bounds by the figure's name."""
    name = f"likeness {Path(clip).stem}"
    who = lab.enrolled(clip, protocol)
    stream = lab.stream(who, "--effort=1")
    video = lab.video(who, stream, 256)
    found = lab.compared(who, stream, video)
    for key in ("psnr", "psnr_face", "ms_ssim_face"):
        unit = "dB" if "psnr" in key else ""
        yield Figure(name, key, number(found[key]), unit, floor.get(key), note=who.cost)
    yield _identity(name, who, stream, video)
    facts = lab.info(stream)
    yield Figure(name, "payload", number(facts["payload_kbps"]), "kbit/s", note="effort 1")
    again = video.with_name("timed.mkv")
    ran = lab.run("decode", stream, "--avatar", who.avatar, "-o", again, "--size", "256")
    again.unlink(missing_ok=True)
    speed = number(facts["frames"]) / ran.wall
    yield Figure(name, "decode at 256, whole command", speed, "frames/s", note=ran.cost)


def _identity(name: str, who: Enrolled, stream: Path, video: Path) -> Figure:
    """Cosine of MobileFaceNet, which nothing here is trained with: picture to source, against
    source to another frame of the source."""
    pairs = list(aligned(who.cut.judge, video, stream))
    filmed, shown = (np.stack(side) for side in zip(*pairs, strict=True))
    apart = min(_APART, len(filmed) // 2)
    itself = float(np.nanmean(csim(filmed[:-apart], filmed[apart:])))
    ours = float(np.nanmean(csim(filmed, shown)))
    return Figure(name, "identity", ours, "", itself - 0.03, note=f"source to itself {itself:.3f}")


def _row(clip: str, protocol: str, *floor: float) -> Callable[[Lab], Iterator[Figure]]:
    """floor: of all three, or none is asked for."""
    bounds = dict(zip(("psnr", "psnr_face", "ms_ssim_face"), floor))
    return lambda lab: likeness(lab, clip, protocol, bounds)


LIKENESS: dict[str, Callable[[Lab], Iterator[Figure]]] = {
    "likeness-podium": _row("podium.mp4", "tail", 31, 27.5, 0.96),
    "likeness-newsdesk": _row("newsdesk.mp4", "10s", 30, 27, 0.96),
    "likeness-webcam": _row("webcam.mp4", "tail", 28.5, 25, 0.93),
    "likeness-turning": _row("turning.mp4", "fifths", 27.5, 25, 0.93),
    "likeness-talk": _row("talk_a.mp4", "talk_b.mp4", 26, 24, 0.92),
    "likeness-halfbody": _row("halfbody.mp4", "tail"),
    "likeness-hd1080": _row("hd1080.mp4", "tail"),
    "likeness-window": _row("window.mov", "tail"),
}
